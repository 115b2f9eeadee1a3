"""What a benchmark found, as JSON holds it. Needs no torch.

Decisions:
- A rate is a median with the smallest and the largest of the blocks: on a machine that others use, too, a mean would be theirs.
- The record has the checksum of its content, as a run's have: a figure that was typed in is told from one that was measured.
"""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.run import stored
from iwm_core.run.files import write_record, writing

KIND = "iwm bench"
"""What a record says that it is."""

AGAIN = "write one with iwm bench recipe=NAME out=FILE.json"
ELSEWHERE = "choose another file with out=FILE.json"


@dataclass(frozen=True)
class Spread:
    """Values of several blocks."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Tokens:
    """Patches of an image: all, which the teacher sees; those of the context; groups of predicted ones, and how many are in each."""

    all: int
    context: int
    groups: int
    each: int

    @property
    def total(self) -> int:
        """Tokens that an image costs: encoded by teacher and student, and predicted."""
        return self.all + self.context + self.groups * self.each


@dataclass(frozen=True)
class Arm:
    """What was measured of an arm.

    Attributes:
        steps: of a block.
        seconds: a step took.
        images_per_s, tokens_per_s: that a step went through.
        mfu: arithmetic of the model in that time, as a share of what products alone would reach; None where no model is in it.
        data_wait: share of the time that the step waited for its batch.
        operations: that the host dispatched in a step, before any compilation.
        waits: of them, those in which the host waits for the device (`iwm_bench.counting`).
        peak_memory: most bytes held in a block: by tensors of a CUDA device, else by the process, Python and its libraries included.
    """

    steps: int
    seconds: Spread
    images_per_s: Spread
    tokens_per_s: Spread | None
    mfu: Spread | None
    data_wait: Spread
    operations: int
    waits: int
    peak_memory: int


@dataclass(frozen=True)
class Record:
    """A benchmark.

    Attributes:
        kind: `KIND`.
        recipe, config: what was measured, by name and composed.
        device, device_name, threads: where; threads of the host.
        precision, compiled: how, as decided.
        images: a step.
        tokens: an image.
        gflop: 10⁹ operations of the model an image, forward and backward; a multiply-add is two.
        product_side, product_tflops: the product that the device is measured by, of two square matrices in this precision, and its rate.
        arms: by name.
        versions: of what computed it.
    """

    kind: str
    recipe: str
    config: dict[str, Any]
    device: str
    device_name: str
    threads: int
    precision: str
    compiled: bool
    images: int
    tokens: Tokens
    gflop: float
    product_side: int
    product_tflops: Spread
    arms: dict[str, Arm]
    versions: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def write(record: Record, out: Path) -> None:
    """Write a record.

    Raises:
        UserError: it cannot be written.
    """
    write_record(out, record.as_json())


def read_record(path: Path) -> Record:
    """An earlier record.

    Raises:
        UserError: it is missing, damaged, or no record of a benchmark.
    """
    if path.suffix != ".json":
        raise UserError(f"{path} is no record of iwm bench, which is a .json; {AGAIN}")
    if stored.read_record(path, dict[str, Any], AGAIN).get("kind") != KIND:
        raise UserError(f"{path} is no record of iwm bench; {AGAIN}")
    return stored.read_record(path, Record, AGAIN)


def check_place(out: Path) -> None:
    """Check, before anything is measured, that a record may be written here.

    Raises:
        UserError: the folder does not exist, or what is there now is no record.
    """
    with writing(out, instead=ELSEWHERE):
        there, folder = out.exists(), out.parent.is_dir()
    if not folder:
        raise UserError(f"there is no folder {out.parent} to write {out.name} into; make it, or {ELSEWHERE}")
    if out.suffix != ".json":
        raise UserError(f"out={out} is written as JSON; write out={out}.json")
    if there:
        try:
            read_record(out)
        except UserError as error:
            raise UserError(f"{out} exists and is no record of iwm bench; {ELSEWHERE}") from error
