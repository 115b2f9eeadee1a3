"""What the lifecycle hooks are told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # what hears of a sweep's end needs no torch
    from torch import Tensor, nn

    from iwm_core.interfaces.results import Evaluation
    from iwm_core.interfaces.targets import Targets


class TrainStart(NamedTuple):
    """A run begins, or goes on, at ``step`` of ``steps``; ``model`` holds student, predictor and teacher."""

    run: Path
    model: "nn.Module"
    step: int
    steps: int


class StepEnd(NamedTuple):
    """``step`` steps are done; the loss, a scalar, is on the device."""

    step: int
    loss: "Tensor"


@dataclass
class StepLogged:
    """A step of a pretraining is to be logged: listeners add ``numbers`` to its line, and ``warnings``, each ``topic: text``."""

    predicted: "Tensor"
    teacher: "Tensor"
    where: "Targets"
    numbers: dict[str, Any] = field(default_factory=dict[str, Any])
    warnings: list[str] = field(default_factory=list[str])


class TrainEnd(NamedTuple):
    """The last step is done and its checkpoint written."""

    run: Path
    model: "nn.Module"
    step: int


@dataclass
class Evaluated:
    """An evaluator has measured a checkpoint. Listeners write files below ``folder`` and add to the two lists.

    Attributes:
        evaluator, step, found: what measured, when, and what it found.
        folder: where its files go; the results' file, which names them, lies at ``beside`` from its own folder.
        galleries: galleries with the files of their images in their place, as the results' file keeps them.
        pictures: files that a user wants to open.
    """

    evaluator: str
    step: int
    found: "Evaluation"
    folder: Path
    beside: Path
    galleries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    pictures: list[Path] = field(default_factory=list[Path])


class RunMeasured(NamedTuple):
    """These evaluators have measured a run, and their results lie in it; ``say`` prints a line at the end of what the user sees."""

    run: Path
    evaluators: list[str]
    say: Callable[[str], None]


class SweepEnd(NamedTuple):
    """The jobs of a sweep of a recipe are done; ``runs`` are the directories of those that began."""

    recipe: str
    runs: list[Path]
