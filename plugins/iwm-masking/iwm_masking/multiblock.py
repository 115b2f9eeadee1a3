"""The selector of image world models: the source loses the union of a few rectangles, and all that it lost is predicted at once (PAPER §3).

One target group, so one predictor pass; the context is the complement. Sizes are made constant as told in `fixed_size`.
"""

from dataclasses import dataclass
from typing import ClassVar

from iwm_core.interfaces import Draws
from iwm_masking.fixed_size import BlockSelector, Layouts
from iwm_masking.rectangles import covered, draw_rectangles


@dataclass(kw_only=True)
class MultiBlock(BlockSelector):
    """Predict the union of four blocks from its complement, as one group."""

    name: ClassVar[str] = "multiblock"

    def layouts(self, draws: Draws, grid: tuple[int, int], count: int) -> Layouts:
        """``count`` unions and their complements for each sample."""
        blocks = covered(draw_rectangles(draws, count * self.blocks, self.scale, self.aspect, grid), grid)
        union = blocks.unflatten(1, (count, self.blocks)).any(2)
        return Layouts(union[:, :, None], ~union)
