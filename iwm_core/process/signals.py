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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

from iwm_core.interfaces.errors import Stopped

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""What asks a program to end: Ctrl-C, a machine that shuts down, a lost connection, and what schedulers send before the time is over."""

TWICE = 1.0
"""Seconds within which a signal that comes again is the same: a scheduler tells all processes, and parents pass on what they are told."""


class Stop:
    """While entered, a signal of `ENDING` only asks to stop; a second Ctrl-C or SIGTERM acts as usual."""

    def __init__(self) -> None:
        self.received = 0
        """The signal that came, 0 for none."""
        self.since = 0.0
        self.owner = os.getpid()
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        self.previous = handle(self.ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        restore(self.previous)

    def ask(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self.owner:  # a data worker, which ends with the training
            return
        if self.received and number in (signal.SIGINT, signal.SIGTERM) and time.monotonic() - self.since > TWICE:
            signal.signal(number, self.previous[number])
            signal.raise_signal(number)
        self.received, self.since = number, time.monotonic()


@contextmanager
def ending_in_a_line(remedy: str = "the same command starts again") -> Iterator[None]:
    """Raise `Stopped` where a signal comes while no training handles it; ``remedy`` says what to do then."""
    owner = os.getpid()

    def end(number: int, _: FrameType | None) -> None:
        if os.getpid() == owner:
            raise Stopped(f"ended by {named(number)}; {remedy}", 128 + number)
        if number == signal.SIGTERM:
            os._exit(128 + number)

    previous = handle(end, ENDING[1:])
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"interrupted; {remedy}", 128 + signal.SIGINT) from None
    finally:
        restore(previous)


def end_with_parent() -> None:
    """End this process and its data workers when the process that started it, by `Children.start`, does, even by SIGKILL.

    Standard input is a pipe that the parent never writes to: it ends when the parent does.
    """

    def wait() -> None:
        os.read(0, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def named(number: int) -> str:
    """What a user calls a signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


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


def handle(handler: Any, numbers: Sequence[int] = ENDING) -> dict[int, Any]:
    """Set a handler where nohup does not ignore the signal; returns the previous ones by number."""
    if threading.current_thread() is not threading.main_thread():  # Python allows handlers nowhere else
        return {}
    ignored = [number for number in numbers if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in numbers if number not in ignored}


def restore(previous: dict[int, Any]) -> None:
    """Set the previous handlers again."""
    for number, handler in previous.items():
        signal.signal(number, handler)
