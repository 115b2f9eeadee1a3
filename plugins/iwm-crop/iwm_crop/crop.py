"""Relative crop: source and target are different parts of one canvas, and the action tells where the target lies as the source sees it.

Decisions:
- Not in the paper, where the mask is the only geometry. Boxes are drawn as torchvision's random resized crop draws them, area uniform,
  ratio log-uniform, place uniform, but without rejection: for an area the ratio is drawn from those that fit into the canvas. So the
  area really is uniform, and every draw has one shape.
- A box is told in units of the source's own sides, sizes by their logarithm: the same relation between two boxes gives the same numbers
  wherever and however large they are.
- The source sees the target on its other side once it is flipped: `right` changes its sign (`mirror`).
- Each number is divided by the largest value it can take with these fields (`Crop.reach`), so it lies in [-1, 1].
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, option
from iwm_crop.resample import crop_resize


@dataclass(kw_only=True)
class Crop(Action):
    """A crop of the source and another of the target. Parameters: top, left, height and width, as shares of the canvas."""

    name = "crop"
    labels = ("down", "right", "taller", "wider")
    mirror = (1.0, -1.0, 1.0, 1.0)
    identity = torch.tensor([0.0, 0.0, 1.0, 1.0])

    scale: list[float] = option([0.3, 1.0], "area of a crop, share of the canvas, low and high", low=0.01, high=1)
    ratio: list[float] = option([3 / 4, 4 / 3], "width over height of a crop of a square canvas, low and high", low=0.1, high=10)
    size: int | None = option(None, "side of the output in pixels; null: as large as the canvas", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for field, bounds in (("scale", self.scale), ("ratio", self.ratio)):
            if len(bounds) != 2 or bounds[0] > bounds[1]:
                raise ValueError(f"crop.{field} must be [low, high], got {bounds}")
        if self.ratio[0] * self.scale[1] > 1 or self.ratio[1] < self.scale[1]:
            raise ValueError(f"no crop of crop.ratio={self.ratio} has {self.scale[1]:g} of the canvas: let crop.ratio include 1")

    @property
    def reach(self) -> tuple[float, float, float, float]:
        """The largest values of the four encoded numbers before scaling, in the order of `labels`; 1 where there can be no change."""
        (least, most), (narrow, wide) = self.scale, self.ratio
        heights = max(least, math.sqrt(least / wide)), min(1.0, math.sqrt(most / narrow))
        widths = max(least, math.sqrt(least * narrow)), min(1.0, math.sqrt(most * wide))
        # Two of the smallest boxes at opposite edges lie furthest apart, in their own sides.
        far_down, far_right = (1 / low - 1 for low, _ in (heights, widths))
        taller, wider = (math.log(high / low) for low, high in (heights, widths))
        return far_down or 1.0, far_right or 1.0, taller or 1.0, wider or 1.0

    def sample(self, draws: Draws) -> ActionParams:
        return ActionParams(self.box(draws), self.box(draws))

    def box(self, draws: Draws) -> Float[Tensor, "b 4"]:
        """A random box for each image."""
        area, ratio, down, right = draws.uniform(4).split(1, dim=1)
        area = self.scale[0] + area * (self.scale[1] - self.scale[0])
        low, high = area.clamp(min=self.ratio[0]).log(), (1 / area).clamp(max=self.ratio[1]).log()
        ratio = (low + ratio * (high - low)).exp()
        height, width = (area / ratio).sqrt().clamp(max=1), (area * ratio).sqrt().clamp(max=1)
        return torch.cat([down * (1 - height), right * (1 - width), height, width], dim=1)

    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        height, width = images.shape[2:]
        boxes = torch.stack([params[:, 0::2] * height, params[:, 1::2] * width], dim=2).flatten(1)
        return crop_resize(images, boxes, self.size or (height, width)).clamp_(0, 1)

    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        """Shift of the centre down and right in the source's heights and widths; log of the ratio of heights and of widths."""
        (corner, sides), (corner2, sides2) = source.split(2, dim=1), target.split(2, dim=1)
        shift = (corner2 - corner + (sides2 - sides) / 2) / sides  # of differences, so that equal boxes give true zeros
        numbers = torch.cat([shift, (sides2 / sides).log()], dim=1).split(1, dim=1)
        return torch.cat([number / reach for number, reach in zip(numbers, self.reach, strict=True)], dim=1)
