"""``linear``: one linear layer on the mean of the tokens (PAPER §7)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from iwm_tasks.interfaces import HeadComponent


class LinearHead(nn.Module):
    """Mean of the tokens, LayerNorm, one linear layer that starts at zero: the first prediction favours no class."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.linear = nn.Linear(width, outputs)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b outputs"]:
        return self.linear(self.norm(tokens.mean(dim=1)))


@dataclass(kw_only=True)
class Linear(HeadComponent):
    """One linear layer on the mean of the tokens."""

    name = "linear"

    def build(self, width: int, outputs: int) -> nn.Module:
        return LinearHead(width, outputs)
