"""A band of columns is predicted from all others."""

from dataclasses import dataclass

import torch

from iwm_core.interfaces import Draws, Targets, TargetSelector, option


@dataclass(kw_only=True)
class Example(TargetSelector):
    """Predict a band of neighbouring columns at a random place; everything beside it is context."""

    name = "example"  # by which recipes choose it

    # A field is an option of recipes and of the command line; its range is checked, its text shown by `iwm components`.
    share: float = option(0.4, "share of the columns that is predicted", low=0, high=1)

    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        """Patches by their numbers, row by row, in ascending order; how many must depend on the options and the grid alone.

        Raises:
            ValueError: no target or no context on this grid.
        """
        rows, columns = grid
        wide = round(self.share * columns)
        if not 0 < wide < columns:
            raise ValueError(f"share={self.share:g} leaves no context or no target on {columns} columns of patches; use 0.5")
        # All random numbers come from `draws`, so that a run can be repeated and resumed: one for each image, [b, 1].
        first = draws.integers(columns - wide + 1)
        column = torch.arange(rows * columns, device=draws.device) % columns
        predicted = (first <= column) & (column < first + wide)
        order = predicted.long().argsort(dim=1, stable=True)  # the context comes first; each part stays ascending
        context, target = order.split([rows * (columns - wide), rows * wide], dim=1)
        return Targets(context, target[:, None])  # one group of targets; several are predicted apart from each other
