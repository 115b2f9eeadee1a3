"""Single patches at random: the control without blocks. Every patch is in the target or in the context."""

from dataclasses import dataclass
from typing import ClassVar

from iwm_core.interfaces import Draws, Targets, TargetSelector, option


@dataclass(kw_only=True)
class RandomPatches(TargetSelector):
    """Predict a share of the grid, patches picked one by one, as one group."""

    name: ClassVar[str] = "random"
    share: float = option(
        0.48, "share of the grid that is predicted; the default is what the union of multiblock covers", low=0.0, high=1.0
    )

    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        """Context and one target group that together are the grid.

        Raises:
            ValueError: no target or no context patch on this grid.
        """
        patches = grid[0] * grid[1]
        t = round(self.share * patches)
        if not 0 < t < patches:
            raise ValueError(
                f"{self.name}.share={self.share:g} leaves no {'context' if t else 'target'} on a {grid[0]}x{grid[1]} grid; "
                f"{'lower' if t else 'raise'} share or use a finer grid"
            )
        order = draws.stream("patches").permutation(patches)
        return Targets(order[:, t:].sort(dim=1).values, order[:, :t].sort(dim=1).values[:, None])
