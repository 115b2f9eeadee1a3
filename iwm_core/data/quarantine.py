"""Images that cannot be decoded: reported by name, written down, counted, never tried again in the run.

Above the share that the data source allows, training stops. What is shown instead: `iwm_core.data.reading`.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from iwm_core.interfaces.errors import UserError
from iwm_core.run.files import append, sync, writing
from iwm_core.run.stored import open_stored, read_log

NAMED = 3
"""Corrupt images that a line names."""


class Corrupt(NamedTuple):
    """A corrupt image."""

    index: int  # pyright: ignore[reportIncompatibleMethodOverride]
    name: str
    reason: str


def named(corrupt: Sequence[Corrupt]) -> str:
    """Corrupt images in words, the first of them by name."""
    words = [f"{one.name} ({one.reason})" for one in corrupt[:NAMED]]
    return ", ".join(words) + (f" and {len(corrupt) - NAMED} more" if len(corrupt) > NAMED else "")


def listed(path: Path) -> list[Corrupt]:
    """The corrupt images that a file lists; none where there is no file."""
    return [Corrupt(record["index"], record["name"], record["reason"]) for record in read_log(path, Corrupt).records]


def too_many(corrupt: int, total: int, share: float) -> bool:
    """Whether more images are corrupt than the share that is allowed; a single one is, of however few, unless none is."""
    return corrupt > max(share * total, 1 if share else 0)


class Quarantine:
    """The corrupt images of a run's training data, of ``total``, of which a share of ``limit`` may be corrupt; listed in
    ``RUN/quarantine.jsonl``, which is read if it exists, or, where ``path`` is None, in memory."""

    def __init__(self, path: Path | None, total: int, limit: float) -> None:
        self.path, self.total, self.limit = path, total, limit
        self.found: dict[int, Corrupt] = {}
        if path is not None and path.exists():
            # A line cut short by a kill is dropped: that image is simply found again.
            with open_stored(path) as file:
                whole = file.read().rfind(b"\n") + 1
            os.truncate(path, whole)
        self.take_over()

    def __len__(self) -> int:
        return len(self.found)

    def take_over(self) -> None:
        """Learn what is written down: by this run before it was interrupted, or by another of its processes."""
        if self.path is not None and self.path.exists():
            self.found |= {corrupt.index: corrupt for corrupt in listed(self.path)}

    def add(self, corrupt: list[Corrupt]) -> list[Corrupt]:
        """Note corrupt images; returns those that are new to all processes of the run. A `UserError` where more than the allowed share is
        corrupt."""
        if not corrupt:
            return []
        self.take_over()
        new = list({c.index: c for c in corrupt if c.index not in self.found}.values())
        self.found |= {c.index: c for c in new}
        if new and self.path is not None:
            append(self.path, *(c._asdict() for c in new))
            with writing(self.path):
                sync(self.path)
        if too_many(len(self.found), self.total, self.limit):
            last = next(reversed(self.found.values()))
            place = f", all listed in {self.path}" if self.path is not None else ""
            raise UserError(
                f"{len(self.found)} of {self.total} images cannot be read, more than data.max_corrupt={self.limit:g} allows; "
                f"one is {last.name} ({last.reason}){place}: repair or remove them"
            )
        return new
