"""Ending early without losing anything: a handler only notes its signal, and what follows is done where a training may stop."""

import os
import signal
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


def named(number: int) -> str:
    """What a user calls a signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name


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
