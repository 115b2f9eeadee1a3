"""Loss of colour: a destructive operation, on the source only (PAPER §2)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, option
from iwm_photometric.changed import changed
from iwm_photometric.colour import luma


@dataclass(kw_only=True)
class Grayscale(Action):
    """The source's brightness in all three channels; the target keeps its colours. Parameter: 1 where it is applied, else 0."""

    name = "grayscale"
    labels = ("undo",)
    identity = torch.zeros(1)
    changes_target = False

    p: float = option(0.2, "probability that the source loses its colours", low=0, high=1)

    def sample(self, draws: Draws) -> ActionParams:
        flag = draws.bernoulli(self.p).float()
        return ActionParams(source=flag, target=torch.zeros_like(flag))

    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h w"]:
        return changed(images, params, lambda some, _: luma(some).expand_as(some))

    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        """1: from a grey source to a coloured target (PAPER §4)."""
        return source - target
