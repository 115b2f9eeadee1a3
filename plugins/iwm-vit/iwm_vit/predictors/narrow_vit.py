"""The narrow ViT (I-JEPA's predictor) that every conditioning scheme builds on (PAPER §5).

Linear in, learned mask token, fixed sin-cos positions, pre-norm blocks, LayerNorm, linear out. The action enters through three methods
that a scheme overrides: `queries` (the mask tokens), `prefix` (extra tokens) and `run` (the blocks).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from iwm_core.interfaces import Predictor, PredictorComponent, Targets, option
from iwm_vit.positions import sincos_2d
from iwm_vit.transformer import Block


class NarrowViT(Predictor):
    """A predictor that is not told the action; conditioning schemes derive from it.

    Args:
        config: the component's fields.
        width: embedding dimension of the encoder's tokens.
        grid: rows and columns of patches.
        action: numbers of an encoded action, 0 where a recipe has none.
    """

    positions: Tensor

    def __init__(self, config: "NarrowViTComponent", width: int, grid: tuple[int, int], action: int) -> None:
        super().__init__()
        self.action = action
        self.embed = nn.Linear(width, config.width)
        self.mask_token = nn.Parameter(torch.zeros(config.width))
        self.register_buffer("positions", sincos_2d(config.width, grid), persistent=config.positions == "stored")
        self.blocks = nn.ModuleList(self.block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.out = nn.Linear(config.width, width)
        nn.init.normal_(self.mask_token, std=0.02)  # trunc_normal_, the same here, draws otherwise by torch version
        self.apply(initialise)

    def block(self, config: "NarrowViTComponent") -> nn.Module:
        """One of the blocks."""
        return Block(config.width, config.heads, config.mlp_ratio)

    def forward(self, context: Float[Tensor, "b k d"], where: Targets, action: Float[Tensor, "b a"]) -> Float[Tensor, "b m t d"]:
        b, m, t = where.target.shape
        known = self.embed(context) + self.positions[where.context]
        asked = self.queries((self.mask_token + self.positions[where.target]).to(known.dtype), action)
        # Groups are predicted apart from each other: they become rows of the batch.
        known, action = known.repeat_interleave(m, dim=0), action.repeat_interleave(m, dim=0)
        tokens = torch.cat([self.prefix(action), known, asked.flatten(0, 1)], dim=1)
        tokens = self.run(tokens, action, t)
        return self.out(self.norm(tokens[:, -t:])).unflatten(0, (b, m))

    def queries(self, masks: Float[Tensor, "b m t d"], action: Float[Tensor, "b a"]) -> Float[Tensor, "b m t d"]:
        """The mask tokens, given with their positions."""
        return masks

    def prefix(self, action: Float[Tensor, "b a"]) -> Float[Tensor, "b s d"]:
        """Tokens put before the context."""
        return action.new_empty(action.shape[0], 0, self.norm.normalized_shape[0])

    def run(self, tokens: Float[Tensor, "b n d"], action: Float[Tensor, "b a"], asked: int) -> Float[Tensor, "b _ d"]:
        """The blocks, of whose tokens the last ``asked`` are read: the last block may give only these."""
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return self.blocks[-1](tokens, asked)


def initialise(module: nn.Module) -> None:
    """Xavier for linear layers (as in ViT and MAE), which suits narrow and wide predictors alike."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


@dataclass(kw_only=True)
class NarrowViTComponent(PredictorComponent):
    """Shared fields of the narrow ViT; a scheme sets ``module``."""

    module: ClassVar[type[NarrowViT]] = NarrowViT

    depth: int = option(12, "blocks", low=1)
    width: int = option(384, "embedding dimension inside the predictor", low=4)
    heads: int = option(12, "attention heads", low=1)
    mlp_ratio: float = option(4.0, "width of the MLP over width", low=0.1)
    positions: str = option("sincos", "fixed 2-D sin-cos, or the same but kept with the weights", choices=("sincos", "stored"))

    def build(self, width: int, grid: tuple[int, int], action: int) -> NarrowViT:
        if self.width % self.heads:
            raise ValueError(
                f"predictor.width {self.width} is not divisible by predictor.heads {self.heads}; set predictor.heads to a divisor"
            )
        if self.width % 4:
            raise ValueError(f"predictor.width must be a multiple of 4 for sin-cos positions, got {self.width}")
        return self.module(self, width, grid, action)
