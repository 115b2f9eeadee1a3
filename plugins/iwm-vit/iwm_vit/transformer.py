"""The pre-norm transformer block of the predictors (timm's stays in the encoder's file).

Decisions:
- A block may be asked for its last tokens alone: they look at all tokens, but only they are queries and go through the MLP. The last block
  of a predictor is read at the mask tokens only, and the others would be computed, and gone back through, for nothing.
- Queries, keys and values are views of one product, so that their gradients go back in a single copy.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, tokens: Float[Tensor, "b n d"], asked: int | None = None) -> Float[Tensor, "b t d"]:
        """What the last ``asked`` tokens, or all, find in all tokens."""
        if asked is None:
            q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        else:
            d, weight, bias = tokens.shape[-1], self.qkv.weight, self.qkv.bias
            q = F.linear(tokens[:, -asked:], weight[:d], bias[:d])
            k, v = F.linear(tokens, weight[d:], bias[d:]).chunk(2, dim=-1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (q, k, v))
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class MLP(nn.Sequential):
    """Two linear layers with a GELU between."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__(nn.Linear(width, int(width * ratio)), nn.GELU(), nn.Linear(int(width * ratio), width))


class Block(nn.Module):
    """Attention and MLP, each after a LayerNorm and added to the tokens; ``drop_path`` is where tuning may drop what is added."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width, eps=1e-6), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), MLP(width, mlp_ratio)
        self.drop_path = nn.Identity()

    def forward(self, tokens: Float[Tensor, "b n d"], asked: int | None = None) -> Float[Tensor, "b t d"]:
        """The last ``asked`` tokens, or all, a block further."""
        found = self.drop_path(self.attention(self.norm1(tokens), asked))
        tokens = (tokens if asked is None else tokens[:, -asked:]) + found
        return tokens + self.drop_path(self.mlp(self.norm2(tokens)))
