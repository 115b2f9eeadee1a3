"""Ending a run early without losing anything."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Stopped(Exception):
    """A signal ended the run after a checkpoint; ``status`` is the exit status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Stop:
    """While entered, the first SIGINT or SIGTERM only asks to stop; the second acts as usual."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.previous: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        return self.received is not None

    def leave(self, text: str) -> None:
        """Raise `Stopped` with the status that the signal stands for (130 for Ctrl-C)."""
        assert self.received is not None
        raise Stopped(text, 128 + self.received)

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
            self.previous = {number: signal.signal(number, self.ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def ask(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        signal.signal(number, self.previous[number])
