"""Random rectangles on a grid of patches, a batch at a time.

Decisions (PAPER §3; the faults named there are designed out here):
- Area and aspect ratio have a random number each, so they are independent. The ratio is height / width, counted in patches.
- The position is uniform over every place where the rectangle fits, the last row and column included.
- A rectangle with too extreme a ratio for the grid keeps its area and takes the nearest ratio that fits; one that fits is not touched.
- Areas are rounded with their sides only: ``round(sqrt(area * ratio))`` by ``round(sqrt(area / ratio))`` patches.
"""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from iwm_core.interfaces import Draws


class Rectangles(NamedTuple):
    """``c`` rectangles a sample, in patches: rows top … top+height-1, columns left … left+width-1."""

    top: Int[Tensor, "b c"]
    left: Int[Tensor, "b c"]
    height: Int[Tensor, "b c"]
    width: Int[Tensor, "b c"]


def draw_rectangles(draws: Draws, count: int, scale: list[float], aspect: list[float], grid: tuple[int, int]) -> Rectangles:
    """``count`` independent rectangles for each sample, on the device of ``draws``.

    Args:
        scale: lowest and highest area, as a share of the grid.
        aspect: lowest and highest height / width, in patches.
        grid: rows and columns of patches.
    """
    gh, gw = grid
    area = draws.uniform(count, scale[0] * gh * gw, scale[1] * gh * gw)
    ratio = draws.uniform(count, aspect[0], aspect[1])
    # The second argument binds only where the other side would leave the grid.
    height = torch.maximum((area * ratio).sqrt(), area / gw).round_().clamp_(1, gh).long()
    width = torch.maximum((area / ratio).sqrt(), area / gh).round_().clamp_(1, gw).long()
    # The high half of a product of 32 random bits is uniform over 0 … factor-1, whatever the factor.
    top = (draws.bits(count) * (gh + 1 - height)) >> 32
    left = (draws.bits(count) * (gw + 1 - width)) >> 32
    return Rectangles(top, left, height, width)
