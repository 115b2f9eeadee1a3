"""What the lifecycle hooks are told."""

from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn


class TrainStart(NamedTuple):
    """A run begins, or goes on, at ``step`` of ``steps``; ``model`` holds student, predictor and teacher."""

    run: Path
    model: nn.Module
    step: int
    steps: int


class StepEnd(NamedTuple):
    """``step`` steps are done; the loss is on the device."""

    step: int
    loss: Float[Tensor, ""]


class TrainEnd(NamedTuple):
    """The last step is done and its checkpoint written."""

    run: Path
    model: nn.Module
    step: int
