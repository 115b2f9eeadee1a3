"""The shared view of an image: a random resized crop and a flip, or the centre square for evaluation (PAPER §2).

Decisions:
- A crop is a function of the image's draws and its size, whole pixels, by torchvision's rule: ten tries for one that fits; where none
  does, the last one cut down to the image.
- Two ways to make the pixels, equal within rounding: `cut` for one decoded image in a worker, `crop_resize` for a cached batch.
- Whatever is done to an image is done to all that belongs to it (`Sample`): the target of a pair, the mask. Each pixel of a new mask has
  the value of the pixel that its centre lies in.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Draws, Observed, Sample, constant
from iwm_core.recipe.config import View

TRIES = 10

S = TypeVar("S", bound=Sample)


def random_boxes(draws: Draws, sizes: Int[Tensor, "b 2"], view: View) -> tuple[Int[Tensor, "b 4"], Bool[Tensor, "b"]]:
    """Boxes (top, left, height, width in pixels) and whether to flip, for images of ``sizes`` (height, width)."""
    draws = draws.stream("view")
    share = draws.uniform(TRIES, *view.scale)
    ratio = draws.uniform(TRIES, *logarithms(*view.ratio)).exp()
    place = draws.uniform(2)
    flips = draws.bernoulli(view.flip)[:, 0]
    area = share * sizes.prod(dim=1, keepdim=True)
    sides = torch.stack([area / ratio, area * ratio], dim=1).sqrt_().round_().long().clamp_(min=1)
    fits = (sides <= sizes[:, :, None]).all(dim=1)
    fits[:, -1] = True
    first = fits.int().argmax(dim=1).view(-1, 1, 1).expand(-1, 2, 1)
    sides = sides.gather(2, first)[:, :, 0].minimum(sizes)
    corner = (place * (sizes - sides + 1)).long()
    return torch.cat([corner, sides], dim=1), flips


@functools.cache
def logarithms(*bounds: float) -> list[float]:
    """The logarithms of numbers of a recipe, as float32 has them."""
    return [torch.tensor(bound, device="cpu").log().item() for bound in bounds]


def centre_boxes(sizes: Int[Tensor, "b 2"]) -> Int[Tensor, "b 4"]:
    """The largest centred square of each image."""
    side = sizes.min(dim=1, keepdim=True).values
    corner = (sizes - side) // 2
    return torch.cat([corner, side, side], dim=1)


def cut(image: UInt8[Tensor, "c h w"], box: Int[Tensor, "4"], size: int) -> UInt8[Tensor, "c s s"]:
    """A box of an image, resized with antialiasing."""
    top, left, height, width = box.tolist()
    part = image[None, :, top : top + height, left : left + width]
    if (height, width) == (size, size):
        return part[0].contiguous()
    return F.interpolate(part, size=(size, size), mode="bicubic", antialias=True, align_corners=False)[0].contiguous()


def cut_mask(mask: UInt8[Tensor, "h w"], box: Int[Tensor, "4"], size: int) -> UInt8[Tensor, "s s"]:
    """A box of a mask, resized without mixing its values."""
    top, left, height, width = box.tolist()
    part = mask[None, None, top : top + height, left : left + width]
    return F.interpolate(part, size=(size, size), mode="nearest-exact")[0, 0]


def crop(sample: S, box: Int[Tensor, "4"], size: int) -> S:
    """A box of all that a sample shows, resized."""
    target = None if sample.target is None else cut(sample.target, box, size)
    mask = None if sample.mask is None else cut_mask(sample.mask, box, size)
    return replace(sample, image=cut(sample.image, box, size), target=target, mask=mask)


def mirror(sample: S) -> S:
    """All that a sample shows, flipped from left to right."""
    target, mask = (None if part is None else part.flip(-1) for part in (sample.target, sample.mask))
    return replace(sample, image=sample.image.flip(-1), target=target, mask=mask)


def mirror_actions(actions: Float[Tensor, "b a"], flips: Bool[Tensor, "b"], observed: Observed | None) -> Float[Tensor, "b a"]:
    """What happened between the sides of pairs, told anew where both were flipped."""
    if observed is None or not observed.mirror:
        return actions
    return torch.where(flips[:, None], actions * constant(observed.mirror, actions.device), actions)


def random_views(samples: Sequence[S], draws: Draws, view: View, size: int) -> tuple[list[S], Int[Tensor, "b 4"], Bool[Tensor, "b"]]:
    """Cropped and flipped samples, with the boxes and which were flipped."""
    boxes, flips = random_boxes(draws, sizes_of(samples), view)
    views = [crop(sample, box, size) for sample, box in zip(samples, boxes, strict=True)]
    return [mirror(one) if turned else one for one, turned in zip(views, flips.tolist(), strict=True)], boxes, flips


def sizes_of(samples: Sequence[Sample]) -> Int[Tensor, "b 2"]:
    """Heights and widths."""
    return torch.tensor([sample.image.shape[1:] for sample in samples], dtype=torch.int64).view(-1, 2)
