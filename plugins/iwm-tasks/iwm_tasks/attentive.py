"""``attentive``: a learned query attends to the tokens, then a linear layer (attentive probe, PAPER §7)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from iwm_core.interfaces import option
from iwm_tasks.interfaces import HeadComponent

MOST_HEADS = 12  # of a ViT-B


class AttentiveHead(nn.Module):
    """One cross-attention block with one learned query, then a linear layer that starts at zero."""

    def __init__(self, width: int, outputs: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Parameter(torch.empty(1, 1, width))
        self.norm_tokens, self.norm_mlp = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.q, self.kv, self.out = nn.Linear(width, width), nn.Linear(width, 2 * width), nn.Linear(width, width)
        hidden = int(width * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.linear = nn.Linear(width, outputs)
        nn.init.normal_(self.query, std=0.02)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b outputs"]:
        return self.linear(self.pool(tokens))

    def pool(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b d"]:
        """What the query saw."""
        query = self.query.expand(tokens.shape[0], -1, -1)  # `len` would fix the size of batches of an exported program
        q = self.q(query).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(self.norm_tokens(tokens)).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        pooled = query + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return (pooled + self.mlp(self.norm_mlp(pooled)))[:, 0]


@dataclass(kw_only=True)
class Attentive(HeadComponent):
    """A learned query attends to the tokens, then one linear layer."""

    name = "attentive"

    heads: int | None = option(None, "attention heads, a divisor of the width; null: the most, up to 12, that divide it", low=1)
    mlp_ratio: float = option(4.0, "width of the MLP over width", low=0.1)

    def build(self, width: int, outputs: int) -> nn.Module:
        heads = self.heads or max(heads for heads in range(1, MOST_HEADS + 1) if width % heads == 0)
        if width % heads:
            raise ValueError(f"attentive.heads={heads} does not divide the width {width}; set it to a divisor, or to null")
        return AttentiveHead(width, outputs, heads, self.mlp_ratio)
