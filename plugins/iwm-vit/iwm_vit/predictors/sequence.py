"""``sequence``: one extra token for each number of the action, each through its own linear layer (PAPER §4)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from iwm_vit.predictors.narrow_vit import NarrowViT, NarrowViTComponent


class SequenceViT(NarrowViT):
    """Action tokens stand before the context."""

    def __init__(self, config: "Sequence", width: int, grid: tuple[int, int], action: int) -> None:
        super().__init__(config, width, grid, action)
        # ``action`` linear layers from one number to a token, kept as one weight and one bias a number.
        self.scale = nn.Parameter(torch.empty(action, config.width))
        self.shift = nn.Parameter(torch.empty(action, config.width))
        nn.init.uniform_(self.scale, -1, 1)
        nn.init.uniform_(self.shift, -1, 1)

    def prefix(self, action: Float[Tensor, "b a"]) -> Float[Tensor, "b s d"]:
        return action[..., None] * self.scale + self.shift


@dataclass(kw_only=True)
class Sequence(NarrowViTComponent):
    """Narrow ViT; one token for each number of the action."""

    name = "sequence"
    module = SequenceViT
