"""Colour jitter: the invertible action of PAPER §2 and §4.

Decisions:
- Source and target are jittered independently, each with probability ``p``.
- The four operations have a fixed order, brightness, contrast, saturation, hue (PAPER §2: open): a random order that the action
  does not tell is noise that no predictor can resolve.
- Constants are filled in on the device (`row`); a copy from the host would make the host wait for the device at every step.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, constant, option
from iwm_photometric.colour import blend, luma, shift_hue

IDENTITY = (1.0, 1.0, 1.0, 0.0)


@dataclass(kw_only=True)
class Jitter(Action):
    """Brightness, contrast, saturation and hue, on both sides.

    Parameters: three factors, 1 changes nothing; a turn of the circle of hues, 0 changes nothing.
    """

    name = "jitter"
    labels = ("brightness", "contrast", "saturation", "hue")
    identity = torch.tensor(IDENTITY)
    units = ("×{:.2f}", "×{:.2f}", "×{:.2f}", "{:+.2f} turns")

    p: float = option(0.8, "probability of a jitter, for each side", low=0, high=1)
    brightness: float = option(0.4, "strength s: factor from max(0, 1 - s) to 1 + s", low=0)
    contrast: float = option(0.4, "strength s: factor from max(0, 1 - s) to 1 + s", low=0)
    saturation: float = option(0.2, "strength s: factor from max(0, 1 - s) to 1 + s", low=0)
    hue: float = option(0.1, "strength s: shift from -s to s, in turns of the circle of hues", low=0, high=0.5)

    def sample(self, draws: Draws) -> ActionParams:
        drawn, applied = zip(*((draws.uniform(4), draws.bernoulli(self.p)) for _ in ActionParams._fields), strict=True)
        factors = [(max(0.0, 1 - s), 1 + s) for s in (self.brightness, self.contrast, self.saturation)]
        low, high = (constant(bounds, draws.device) for bounds in zip(*factors, (-self.hue, self.hue), strict=True))
        sides = low + (high - low) * torch.stack(drawn)
        return ActionParams(*torch.where(torch.stack(applied), sides, constant(IDENTITY, draws.device)))

    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h w"]:
        brightness, contrast, saturation, hue = params.view(-1, 4, 1, 1, 1).unbind(1)
        images = (images * brightness).clamp_(0, 1)
        # Laid out, as torch vectorises a lerp of one broadcast number for each image, not of two: a third of the time.
        grey = luma(images.mean((2, 3), keepdim=True)).repeat(1, 1, *images.shape[2:])
        images = blend(grey, images, contrast)
        images = blend(luma(images), images, saturation)
        return shift_hue(images, hue)

    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        """Target less source, each in units of its widest difference; an operation of strength 0 is always told as 0."""
        strengths = (self.brightness, self.contrast, self.saturation, self.hue)
        return (target - source) * constant([0.5 / s if s else 0.0 for s in strengths], source.device)
