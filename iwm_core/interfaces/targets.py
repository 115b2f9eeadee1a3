"""Target selectors: which patches the student sees and which the predictor predicts (PAPER §3)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces.component import Component
from iwm_core.interfaces.draws import Draws


class Targets(NamedTuple):
    """Which patches the student sees and which the predictor predicts; indices into the row-major grid, ascending."""

    context: Int[Tensor, "b k"]
    target: Int[Tensor, "b m t"]

    def wanted(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b m t d"]:
        """The tokens at the target positions."""
        rows = self.target + tokens.shape[1] * torch.arange(len(tokens), device=tokens.device)[:, None, None]  # whole: a gather is slower
        return tokens.flatten(0, 1).index_select(0, rows.flatten()).reshape(*self.target.shape, tokens.shape[-1])


@dataclass(kw_only=True)
class TargetSelector(Component, ABC):
    """Chooses context and predicted patches (PAPER §3)."""

    @property
    def predicts_context(self) -> bool:
        """Whether it means to predict patches of the context, too; without, a patch that is both is a mistake."""
        return False

    @abstractmethod
    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        """Context and targets for a batch; k, m and t depend on the fields and the grid alone.

        Raises:
            ValueError: the fields cannot be satisfied on this grid.
        """
