"""Sets of patches as bits of whole numbers: what hundreds of rectangles an image cover together costs as much as drawing one of them.

Decisions:
- A set is a row of int64 words. A word holds a tile of the grid, at most 62 patches: some whole rows, or a piece of one row of a grid
  more than 62 patches wide. So every word is positive, and fits shifts and products that know signed numbers alone.
- Patch (y, x) of a tile is bit ``stride * y + x``, so a rectangle is a product: one bit for each of its rows, a ``stride`` apart, times one
  bit for each of its columns.
- Bits are counted in their words, in eight bytes at once (Hacker's Delight, 5-1).
"""

import functools

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import embedding

from iwm_masking.rectangles import Rectangles

BITS = 62


class PatchSets:
    """The sets of patches of a grid.

    Args:
        grid: rows and columns of patches.
        device: where sets are made; on the host, numpy makes what is the same for all images.

    Attributes:
        whole: every patch, [w].
    """

    def __init__(self, grid: tuple[int, int], device: torch.device) -> None:
        self.grid, self.device = grid, device
        rows, columns = grid
        self.stride = -(-columns // -(-columns // BITS))
        self.height = min(BITS // self.stride, rows)  # of a tile; 1 where a row has several of them
        rows, columns = self._below(rows, self.height, self.stride), self._below(columns, self.stride, 1)
        self._rows, self._columns, self.whole = map(torch.as_tensor, (rows, columns, (rows[-1, :, None] * columns[-1]).flatten()))

    def _below(self, size: int, tile: int, stride: int) -> Tensor | np.ndarray:
        """For each end, the bits of the places 0 … end-1 of a line of ``size`` places that is cut into tiles, int64 [size+1 w]."""
        numbers = np.arange if self.device.type == "cpu" else functools.partial(torch.arange, device=self.device)
        reached = (numbers(size + 1)[:, None] - numbers(0, size, tile)).clip(0, tile)
        return ((1 << stride * reached) - 1) // ((1 << stride) - 1)

    def of(self, rectangles: Rectangles) -> Int[Tensor, "b c w"]:
        """The patches of each rectangle."""
        top, left, height, width = rectangles
        rows = embedding(top + height, self._rows) - embedding(top, self._rows)
        columns = embedding(left + width, self._columns) - embedding(left, self._columns)
        return (rows[..., :, None] * columns[..., None, :]).flatten(2)

    def members(self, sets: Int[Tensor, "*s w"]) -> Int[Tensor, "*s n"]:
        """1 where a patch of the row-major grid is in the set, else 0."""
        bits = (sets[..., None] >> torch.arange(self.height * self.stride, device=sets.device)) & 1
        rows, columns = self.grid
        across = -(-columns // self.stride) * self.stride
        return bits.view(*sets.shape[:-1], -1, across)[..., :rows, :columns].flatten(-2)


def sizes(sets: Int[Tensor, "*s w"]) -> Int[Tensor, "*s"]:
    """The number of patches in each set."""
    twos = sets - ((sets >> 1) & 0x5555555555555555)
    fours = (twos & 0x3333333333333333).add_((twos >> 2) & 0x3333333333333333)
    eights = fours.add_(fours >> 4) & 0x0F0F0F0F0F0F0F0F
    return (eights.mul_(0x0101010101010101) >> 56).sum(-1)
