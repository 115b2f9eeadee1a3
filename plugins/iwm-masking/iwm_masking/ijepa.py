"""The selector of I-JEPA: separate target blocks, predicted one by one from a large context block without them (PAPER §3).

- Each block is a target group, so the predictor runs over ``blocks`` groups an image. Groups may overlap each other, never the context.
- The context block is square in patches where the grid allows (ratio 1); patches of any target block are taken out, predicted or not.
- Sizes are made constant as told in `fixed_size`.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from iwm_core.interfaces import Draws, option
from iwm_masking.fixed_size import BlockSelector, check_range, union
from iwm_masking.patch_sets import PatchSets
from iwm_masking.rectangles import draw_rectangles


@dataclass(kw_only=True)
class IJepa(BlockSelector):
    """Predict four blocks, each a group of its own, from a large block without them.

    Raises:
        ValueError: ``scale``, ``aspect`` or ``context_scale`` is not [low, high].
    """

    name: ClassVar[str] = "ijepa"
    context_scale: list[float] = option([0.85, 1.0], "area of the context block as a share of the grid, [low, high]", low=0.01, high=1.0)
    min_keep: int = option(10, "fewest context patches that are accepted", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(f"{self.name}.context_scale", self.context_scale)

    def layouts(self, draws: Draws, sets: PatchSets, count: int) -> Int[Tensor, "b r g w"]:
        """``count`` times the blocks of each sample, and what they leave of a context block."""
        blocks = sets.of(draw_rectangles(draws, count * self.blocks, self.scale, self.aspect, sets.grid)).unflatten(1, (count, self.blocks))
        around = sets.of(draw_rectangles(draws, count, self.context_scale, [1.0, 1.0], sets.grid))
        return torch.cat([blocks, (around & ~union(blocks))[:, :, None]], dim=2)

    def sizes(self, grid: tuple[int, int]) -> tuple[int, int]:
        """Patches a target block and context patches, ``(t, k)``.

        Raises:
            ValueError: the blocks are smaller than a patch, or leave fewer than ``min_keep`` context patches.
        """
        t, k = super().sizes(grid)
        if k < self.min_keep:
            raise ValueError(
                f"{self.name}: {k} context patches on a {grid[0]}x{grid[1]} grid, fewer than min_keep={self.min_keep}; "
                "lower scale, blocks or min_keep, or use a finer grid"
            )
        return t, k
