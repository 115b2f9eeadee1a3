"""Processes that this one starts: signals reach them, and none outlives it.

Decisions:
- They get sessions of their own: Ctrl-C in a terminal would else reach them twice, from the terminal and from their parent.
- A handler only notes its signal, which is passed on between two looks at the children.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from iwm_core.process.signals import handle, restore


class Children:
    """While entered, signals are passed on to the child processes started here; on leaving, those that still run are killed."""

    def __init__(self) -> None:
        self.all: list[subprocess.Popen[Any]] = []
        self.received = 0
        """The signal that came last, 0 for none."""
        self.waiting: list[int] = []
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> "Children":
        self.previous = handle(self.note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for child in self.all:
            with child:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)  # with its data workers
        restore(self.previous)

    def start(self, command: list[str], **settings: Any) -> None:
        """Start a child; ``settings`` as of `subprocess.Popen`."""
        self.all.append(subprocess.Popen(command, start_new_session=True, **settings))

    def watch(self) -> bool:
        """Wait a moment and pass signals on; whether a child still runs."""
        time.sleep(0.05)
        while self.waiting:
            number = self.waiting.pop(0)
            for child in self.all:
                child.send_signal(number)
        return None in self.statuses()

    def statuses(self) -> list[int | None]:
        """Each child's exit status; negative: killed by that signal; None: it runs."""
        return [child.poll() for child in self.all]

    def note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        self.waiting.append(number)


def python(module: str) -> list[str]:
    """What runs a module of ours in a process of its own, and nothing of the current folder, which may be anybody's."""
    return [sys.executable, "-P", "-m", module]


def end_with_parent() -> None:
    """End this process and its data workers when the process that started it, by `Children.start`, does, even by SIGKILL.

    Standard input is a pipe that the parent never writes to: it ends when the parent does.
    """

    def wait() -> None:
        os.read(0, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def loopback() -> dict[str, str]:
    """What lets processes of one machine speak to each other alone."""
    import psutil

    name = next(name for name, places in psutil.net_if_addrs().items() if any(place.address == "127.0.0.1" for place in places))
    return {"MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": name, "NCCL_SOCKET_IFNAME": name}
