"""The selector of image world models: the source loses the union of a few rectangles, and all that it lost is predicted at once (PAPER §3).

One target group, so one predictor pass; the context is the complement. Sizes are made constant as told in `fixed_size`.

Beyond the paper, ``whole`` asks for every patch, for those that the predictor sees, too: what the action makes of them. That is the
question that the scorecard and predictor tuning ask of a world model, and without ``whole`` pretraining never asks it.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from iwm_core.interfaces import Draws, Targets, option
from iwm_masking.fixed_size import BlockSelector, Layouts
from iwm_masking.rectangles import covered, draw_rectangles


@dataclass(kw_only=True)
class MultiBlock(BlockSelector):
    """Predict the union of four blocks from its complement, as one group."""

    name: ClassVar[str] = "multiblock"

    whole: bool = option(False, "predict the whole image: the patches of the context, too")

    @property
    def predicts_context(self) -> bool:
        return self.whole

    def layouts(self, draws: Draws, grid: tuple[int, int], count: int) -> Layouts:
        """``count`` unions and their complements for each sample."""
        blocks = covered(draw_rectangles(draws, count * self.blocks, self.scale, self.aspect, grid), grid)
        union = blocks.unflatten(1, (count, self.blocks)).any(2)
        return Layouts(union[:, :, None], ~union)

    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        where = super().select(draws, grid)
        if not self.whole:
            return where
        samples, patches = len(where.context), grid[0] * grid[1]
        return where._replace(target=torch.arange(patches, device=where.context.device).expand(samples, 1, patches))
