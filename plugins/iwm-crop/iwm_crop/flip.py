"""Horizontal flip.

Decision: a flip is its own inverse, so from source to target there is a flip or there is none; the action has no sign.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, option
from iwm_crop.resample import flip


@dataclass(kw_only=True)
class Flip(Action):
    """Left and right are exchanged in the source, in the target, in both or in none. Parameter: 1 where flipped, else 0."""

    name = "flip"
    labels = ("mirror",)
    identity = torch.zeros(1)
    units = ("",)

    p: float = option(0.5, "probability of a flip, for each side", low=0, high=1)

    def sample(self, draws: Draws) -> ActionParams:
        source, target = draws.bernoulli(self.p, 2).float().split(1, dim=1)
        return ActionParams(source, target)

    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h w"]:
        return flip(images, params[:, 0] > 0)

    def mirrored(self, params: Float[Tensor, "b p"]) -> Bool[Tensor, "b"]:
        return params[:, 0] > 0

    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        """1 where the target is the source's mirror image."""
        return (target - source).abs()
