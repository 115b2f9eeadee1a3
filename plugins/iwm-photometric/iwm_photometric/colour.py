"""Colour arithmetic on batches, with one number for each image.

Decisions:
- Definitions are torchvision's (`torchvision.transforms.functional`), so that strengths in papers mean here what they mean there.
- The number that changes nothing gives back the image's very bits.
- Hue is turned without a conversion to HSV and back. With ``top``, ``bottom`` and ``chroma = top - bottom`` of a pixel's three
  channels, its hue angle in sixths of a turn, in [-3, 3] from red, is ``±(g + b - r + top - 2 * bottom) / chroma`` with the sign of
  ``g - b``; a channel is ``top`` while the angle lies within one sixth of the channel's own, ``bottom`` beyond two sixths, and straight
  in between: no branches, no sectors. Taking a share of the chroma from the top, rounding cannot carry a value out of [0, 1].
"""

import torch
from jaxtyping import Float
from torch import Tensor


def luma(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Brightness as the eye weighs it (ITU-R BT.601)."""
    red, green, blue = images.split(1, dim=1)
    return 0.2989 * red + 0.587 * green + 0.114 * blue


def blend(other: Float[Tensor, "b 1 h w"], images: Float[Tensor, "b 3 h w"], factor: Float[Tensor, "b 1 1 1"]) -> Float[Tensor, "b 3 h w"]:
    """From ``other`` at 0, over the images at 1, to beyond them, cut to [0, 1]."""
    return torch.lerp(other, images, factor).clamp_(0, 1)


def shift_hue(images: Float[Tensor, "b 3 h w"], turns: Float[Tensor, "b 1 1 1"]) -> Float[Tensor, "b 3 h w"]:
    """Turn the circle of hues by ``turns`` of the whole circle; brightest and darkest channel of a pixel keep their values."""
    red, green, blue = images.split(1, dim=1)
    top, bottom = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = top - bottom
    angle = (green + blue).sub_(red).add_(top).sub_(bottom, alpha=2).div_(chroma.clamp(min=1e-12)).copysign_(green - blue)
    # Red, green and blue lie at 0, 2 and 4 sixths of the circle.
    shift = (6 * turns - torch.arange(0, 6, 2, device=turns.device).view(3, 1, 1)).add_(3).remainder_(6).sub_(3)
    # Angle and shift both lie in [-3, 3], so their sum is d = 3 - | |sum| - 3 | from 0 on the circle: -clamp(d - 1, 0, 1) of the chroma
    # is taken from the top. In place, since memory is what this costs.
    change = (angle + shift).abs_().sub_(3).abs_().clamp_(1, 2).sub_(2)
    return torch.where(turns == 0, images, change.mul_(chroma).add_(top))
