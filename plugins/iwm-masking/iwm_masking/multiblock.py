"""The selector of image world models: the source loses the union of a few rectangles, and all that it lost is predicted at once (PAPER §3).

One target group, so one predictor pass; the context is the complement. Sizes are made constant as told in `fixed_size`.

Beyond the paper, ``whole`` asks for every patch, for those that the predictor sees, too: what the action makes of them. That is the
question that the scorecard and predictor tuning ask of a world model, and without ``whole`` pretraining never asks it.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from iwm_core.interfaces import Draws, Targets, option
from iwm_masking.fixed_size import BlockSelector, union
from iwm_masking.patch_sets import PatchSets
from iwm_masking.rectangles import draw_rectangles


@dataclass(kw_only=True)
class MultiBlock(BlockSelector):
    """Predict the union of four blocks from its complement, as one group."""

    name: ClassVar[str] = "multiblock"

    whole: bool = option(False, "predict the whole image: the patches of the context, too")

    @property
    def predicts_context(self) -> bool:
        return self.whole

    def layouts(self, draws: Draws, sets: PatchSets, count: int) -> Int[Tensor, "b r g w"]:
        """``count`` unions and their complements for each sample."""
        blocks = sets.of(draw_rectangles(draws, count * self.blocks, self.scale, self.aspect, sets.grid))
        hidden = union(blocks.unflatten(1, (count, self.blocks)))
        return torch.stack([hidden, sets.whole ^ hidden], dim=2)

    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        where = super().select(draws, grid)
        if not self.whole:
            return where
        samples, patches = len(where.context), grid[0] * grid[1]
        return where._replace(target=torch.arange(patches, device=where.context.device).expand(samples, 1, patches))
