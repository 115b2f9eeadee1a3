"""Standard output and standard error that outlive their reader.

Decisions:
- What is read by ``| head -1``, or by a terminal that is gone, is not the work: that goes on, and what is said further goes nowhere.
  So no verb ends early, or with another status, since nobody listens.
- Text that a full disk refuses is left out, and the verb ends with status 1 and one line, as what was asked to be printed is not whole.
"""

import errno
import io
import os
import sys
from typing import Any

refused: list[str] = []
"""Why text was left out."""


class Lasting(io.FileIO):
    """A standard stream, by its number."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "w", closefd=False)

    def write(self, text: Any, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):  # a pipe without reader, a terminal that is gone
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            else:
                refused.append(error.strerror or str(error))
            return len(memoryview(text).cast("B"))


def outlive_readers() -> None:
    """Make both streams of this process lasting, unless something else stands in for them."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # closed by `>&-`: Python has none then
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif stream is getattr(sys, f"__{name}__") and stream.fileno() == number:
            stream.flush()
            kept = {key: getattr(stream, key) for key in ("encoding", "errors", "line_buffering", "write_through")}
            setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(Lasting(number)), **kept))
