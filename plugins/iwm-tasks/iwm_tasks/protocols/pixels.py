"""``pixels``: heads on the pixels of each patch, the baseline that any representation has to beat."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import Backbone, Protocol, WorldModelParts
from iwm_core.resample import crop_resize


class PixelBackbone(Backbone):
    """The pixels of each patch of the encoder's grid, from -1 to 1; nothing is trained, and the encoder is not asked.

    Args:
        grid: rows and columns of patches.
        image_size: side of the images in pixels, resized to the next smaller multiple of the grid where it is none.
    """

    def __init__(self, grid: tuple[int, int], image_size: int) -> None:
        super().__init__()
        self.grid = self.places = grid
        self.side = (max(1, image_size // grid[0]), max(1, image_size // grid[1]))
        self.width = 3 * self.side[0] * self.side[1]

    def forward(self, images: Float[Tensor, "b 3 h w"], task: Int[Tensor, "b"]) -> Float[Tensor, "b n d"]:
        b, _, h, w = images.shape
        (rows, columns), (tall, wide) = self.places, self.side
        if (h, w) != (rows * tall, columns * wide):
            whole = torch.tensor([0.0, 0.0, h, w], device=images.device).expand(b, 4)
            images = crop_resize(images, whole, (rows * tall, columns * wide))
        return 2 * images.reshape(b, 3, rows, tall, columns, wide).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2) - 1


@dataclass(kw_only=True)
class Pixels(Protocol):
    """Heads alone are trained, on the pixels of each patch: the baseline."""

    name = "pixels"

    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        return PixelBackbone(parts.encoder.grid, parts.image_size)
