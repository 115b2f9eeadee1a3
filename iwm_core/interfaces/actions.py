"""Actions: parametric transformations that lead from source to target (PAPER §4)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor

from iwm_core.interfaces.component import Component
from iwm_core.interfaces.draws import Draws


class ActionParams(NamedTuple):
    """The parameters of an action for a batch: how the source and how the target are made from the shared view."""

    source: Float[Tensor, "b p"]
    target: Float[Tensor, "b p"]


class Transformation(ABC):
    """What leads from a source image to a target, by parameters: an action, or several in sequence.

    Attributes:
        labels: one for each number of the encoded action, used by reports and by ``imagine``.
        identity: the parameters that leave an image as it is, float [p], on the CPU.
        changes_target: False when ``sample`` always leaves the target as it is, so that the core need not apply it there.
        observed: True of the action that data shows in its pairs (`Observed`), which nobody can apply to an image, and of what holds it.
    """

    labels: tuple[str, ...]
    identity: Float[Tensor, "p"]
    changes_target: bool = True
    observed: bool = False

    @abstractmethod
    def sample(self, draws: Draws) -> ActionParams:
        """Parameters for a batch, float [b p] on the device of ``draws``; the action decides the asymmetry of the two sides."""

    @abstractmethod
    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        """Transformed images in [0, 1]: batched, on any device, without randomness, inputs unchanged."""

    @abstractmethod
    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        """What the predictor is told, each number about in [-1, 1]; equal sides give zeros, the null action."""

    def candidates(self, draws: Draws) -> Float[Tensor, "b p"]:
        """Parameters of targets among which planning searches: those that ``sample`` draws."""
        return self.sample(draws).target

    def apply_target(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        """``apply`` for target images: skipped where this action never changes a target."""
        return self.apply(images, params) if self.changes_target else images


@dataclass(kw_only=True)
class Action(Component, Transformation):
    """A parametric image transformation that leads from source to target (PAPER §4); what it has to say is in `Transformation`.

    Attributes:
        mirror: what each encoded number is multiplied by where a later action mirrors the source, since actions are told as the source
            sees them; empty: nothing changes.
        units: how each parameter is written beside its label, where there is a label for each, such as ``×{:.2f}``; empty: as encoded.
    """

    units: ClassVar[tuple[str, ...]] = ()
    mirror: ClassVar[tuple[float, ...]] = ()

    def mirrored(self, params: Float[Tensor, "b p"]) -> Bool[Tensor, "b"] | None:
        """Which images these parameters exchange left and right of; None: this action never does."""
        return None


class Views(NamedTuple):
    """Source, target and the encoded action between them."""

    source: Float[Tensor, "b 3 h w"]
    target: Float[Tensor, "b 3 h w"]
    action: Float[Tensor, "b a"]
