"""What is found of a claim, as ``<claim>-<scale>.json`` holds it. Needs no torch.

It has the checksum of its content, as a run's records have: a figure that was typed in is told from one that was measured.
"""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.run import stored
from iwm_core.run.directory import finite
from iwm_core.run.files import write_record, writing

ELSEWHERE = "choose another with out=FOLDER"
KIND = "iwm reproduce"
"""What a record says that it is."""

HOLDS, NOT, OPEN, MISSING = "holds", "does not hold at this size", "undecided", "not run"
"""What a verdict may be."""
MEASURED = "measured"
"""What it is where there is no rule, once all has been run."""


@dataclass(frozen=True)
class Number:
    """A cell of a claim's table.

    Attributes:
        value, low, high: the mean over seeds, with its 95 % interval over seeds and images.
        images: that it was measured on.
        values: by seed.
    """

    value: float
    low: float
    high: float
    images: int
    values: dict[str, float]


@dataclass(frozen=True)
class Line:
    """A row of a claim's table; what was not run is in neither."""

    label: str
    numbers: dict[str, Number]
    paper: dict[str, float]


@dataclass(frozen=True)
class Ruled:
    """A rule, and what came of it.

    Attributes:
        says: the rule, in words.
        value, low, high: the difference or the correlation, with its 95 % interval; None where it was not run.
        least, most: where the rule wants it; None: without an end.
        verdict: of `HOLDS`, `NOT`, `OPEN` and `MISSING`.
        paper: the paper's correlation.
    """

    says: str
    value: float | None
    low: float | None
    high: float | None
    least: float | None
    most: float | None
    verdict: str
    paper: float | None = None


@dataclass(frozen=True)
class Cost:
    """What a claim's runs took: how many, minutes of training by all of them together, and on what."""

    runs: int
    minutes: float
    on: str


@dataclass(frozen=True)
class Record:
    """A claim at a scale, as far as it has been run.

    Attributes:
        kind: `KIND`.
        seeds: that were run.
        columns: of the table, in order.
        missing: runs that have not finished.
        versions: of what computed it.
    """

    kind: str
    claim: str
    says: str
    scale: str
    data: str
    command: str
    seeds: list[int]
    columns: list[str]
    rows: list[Line]
    rules: list[Ruled]
    verdict: str
    missing: int
    cost: Cost
    versions: dict[str, str]


def file_of(folder: Path, claim: str, scale: str) -> Path:
    """The file of a record."""
    return folder / f"{claim}-{scale}.json"


def check_place(folder: Path) -> None:
    """Check that files can be written into a folder, which is made.

    Raises:
        UserError: they cannot.
    """
    with writing(folder, "make the folder", ELSEWHERE):
        folder.mkdir(parents=True, exist_ok=True)
    with writing(folder, "write into", ELSEWHERE), tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"0")


def write(record: Record, file: Path) -> None:
    """Write a record.

    Raises:
        UserError: it cannot be written.
    """
    check_place(file.parent)
    write_record(file, finite(asdict(record)))


def read(file: Path) -> Record:
    """A record.

    Raises:
        UserError: it is missing, damaged, or none of a claim.
    """
    again = "remove it, and `iwm reproduce CLAIM` writes it anew"
    record = stored.read_record(file, dict[str, Any], again)
    if record.get("kind") != KIND:
        raise UserError(f"{file} is no record of iwm reproduce; {again}")
    held = stored.read_record(file, Record, again)
    if not f"{file.stem}-".startswith(f"{held.claim}-{held.scale}-"):
        raise UserError(f"{file} is a record of the claim {held.claim[:60]}, --scale {held.scale[:60]}; {again}")
    return held


def read_if_there(file: Path) -> Record | None:
    """A record; None where there is none yet.

    Raises:
        UserError: it is damaged.
    """
    return read(file) if file.exists() or file.is_symlink() else None
