"""What a tuning costs, as ``cost.json`` tells it. Needs no torch."""

from pathlib import Path
from typing import NamedTuple

from iwm_core.process.shown import as_word
from iwm_core.run.files import write_record
from iwm_core.run.stored import read_record


class Cost(NamedTuple):
    """What ``cost.json`` holds.

    Attributes:
        trained, parameters: parameters that training changes, and all of the model's.
        gflops_train, gflops_inference: of one image, in units of 10⁹ operations.
        seconds: of training, over all resumes.
        peak_memory: in bytes.
        device: where it was trained, such as ``cpu`` or the name of a GPU.
    """

    trained: int
    parameters: int
    gflops_train: float
    gflops_inference: float
    seconds: float
    peak_memory: int
    device: str


def write_cost(run: Path, cost: Cost) -> None:
    """Write ``cost.json`` into a run's directory.

    Raises:
        UserError: it cannot be written.
    """
    write_record(run / "cost.json", cost._asdict(), run / "config.yaml")


def read_cost(run: Path) -> Cost | None:
    """What ``cost.json`` tells; None where there is none yet.

    Raises:
        UserError: it cannot be read, or is of another run.
    """
    path = run / "cost.json"
    if not (path.exists() or path.is_symlink()):
        return None
    again = f"remove it, and `iwm resume {as_word(run)}` writes it anew"
    return read_record(path, Cost, again, run / "config.yaml")
