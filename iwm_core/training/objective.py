"""What the training loop asks of those who use it: settings, data, and what is particular to pretraining or tuning."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from iwm_core.data.order import Slice
from iwm_core.recipe.config import LearningRate


@runtime_checkable
class Optimisation(Protocol):
    """The settings of a recipe's section ``train`` that the loop reads."""

    steps: int | None
    epochs: float | None
    batch_size: int
    lr: LearningRate
    betas: list[float]
    clip: float
    checkpoint_every: str
    log_every: str
    keep: int
    seed: int


@runtime_checkable
class Batches(Protocol):
    """Training data as the loop reads it.

    Attributes:
        lost: why there are no data workers any more; empty as long as they live.
    """

    lost: str

    def __len__(self) -> int: ...
    @property
    def corrupt(self) -> int: ...
    def batches(self, slices: Iterator[Slice]) -> Iterator[Any]: ...


def first_not_finite(parts: Mapping[str, Tensor | None]) -> str:
    """A line about the first of some named tensors that holds a number that is not finite; empty where none does."""
    names = (name for name, part in parts.items() if part is not None and not part.isfinite().all())
    return next((f"{name} hold numbers that are not finite: mend them" for name in names), "")


class Objective(ABC):
    """What a loop trains, and what for.

    Attributes:
        model: what is trained and saved, with its frozen parts.
        data: its training images.
    """

    model: nn.Module
    data: Batches

    @abstractmethod
    def loss(self, prepared: Any, batch: Any, step: int) -> Tensor:
        """The loss of a micro-batch, by the prepared model."""

    @abstractmethod
    def weight_decay(self, step: int, steps: int) -> float:
        """The weight decay of a step."""

    def lr_scales(self) -> dict[str, float]:
        """What multiplies the learning rate of a parameter, by its name in the model; 1 for those left out."""
        return {}

    def stepped(self, step: int, steps: int, finite: Tensor) -> None:  # noqa: B027  # most have nothing to do
        """Called when the optimizer has made a step, or, where ``finite`` is False, has left it."""

    @abstractmethod
    def measured(self, step: int, steps: int) -> dict[str, Any]:
        """Numbers of the last micro-batch for a logged line; may wait for the device."""

    def warnings(self, line: dict[str, Any]) -> Iterator[str]:
        """What the user should know about a logged line."""
        yield from ()

    @abstractmethod
    def not_finite(self, batch: Any) -> str:
        """Which part of the last micro-batch holds numbers that are not finite, and what to mend; empty where all are."""

    def evaluate(self, done: int) -> None:  # noqa: B027  # likewise
        """Called on the first process after each step, to measure the model in training where it is due."""

    def due(self, done: int) -> bool:
        """Whether `evaluate` has something to do after ``done`` steps."""
        return False

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps besides weights and steps, as JSON."""
        return {}
