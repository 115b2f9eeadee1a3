"""Ending early without losing anything: a training, and the processes it runs in.

Decisions:
- Child processes get sessions of their own: Ctrl-C in a terminal would else reach them twice, from the terminal and from their parent.
- A handler only notes its signal. What follows is done where the program waits anyway: after a step, or between two looks at the children.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any


class Stopped(Exception):
    """The run has ended early, for a reason that ``text`` tells in one line; ``status`` is the exit status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Stop:
    """While entered, the first SIGINT or SIGTERM only asks to stop; the second acts as usual."""

    def __init__(self) -> None:
        self.received = 0
        """The signal that came, 0 for none."""
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        self.previous = handle([signal.SIGINT, signal.SIGTERM], self.ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def ask(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self.previous[number])


class Children:
    """While entered, signals are passed on to the child processes started here; on leaving, those that still run are killed."""

    def __init__(self) -> None:
        self.all: list[subprocess.Popen[Any]] = []
        self.received = 0
        """The signal that came last, 0 for none."""
        self.waiting: list[int] = []
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> "Children":
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # by nohup
        self.previous = handle([signal.SIGINT, signal.SIGTERM] + ([] if ignored else [signal.SIGHUP]), self.note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for child in self.all:
            with child:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)  # with its data workers
        for number, handler in self.previous.items():
            signal.signal(number, handler)

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


def handle(numbers: Sequence[int], handler: Any) -> dict[int, Any]:
    """Set a handler; returns the previous ones by number."""
    if threading.current_thread() is not threading.main_thread():  # Python allows handlers nowhere else
        return {}
    return {number: signal.signal(number, handler) for number in numbers}
