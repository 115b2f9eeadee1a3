"""``pixels``: heads on the pixels of each patch, the baseline that any representation has to beat."""

import math
from dataclasses import dataclass

from iwm_crop.resample import patches
from jaxtyping import Float, Int
from torch import Tensor

from iwm_tasks.interfaces import Backbone, Protocol, WorldModelParts


class PixelBackbone(Backbone):
    """The pixels of each patch of the encoder's grid, from -1 to 1; nothing is trained, and the encoder is not asked.

    Args:
        grid: rows and columns of patches.
        image_size: side of the images in pixels, resized to the next smaller multiple of the grid where it is not one.
    """

    def __init__(self, grid: tuple[int, int], image_size: int) -> None:
        super().__init__()
        self.grid = self.places = grid
        self.width = 3 * math.prod(max(1, image_size // count) for count in grid)

    def forward(self, images: Float[Tensor, "b 3 h w"], task: Int[Tensor, "b"]) -> Float[Tensor, "b n d"]:
        return 2 * patches(images, self.places) - 1


@dataclass(kw_only=True)
class Pixels(Protocol):
    """Heads alone are trained, on the pixels of each patch: the baseline."""

    name = "pixels"

    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        return PixelBackbone(parts.encoder.grid, parts.image_size)
