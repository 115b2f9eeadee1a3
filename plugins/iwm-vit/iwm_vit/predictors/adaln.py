"""``adaln``: the action scales, shifts and gates every block, which starts as the identity (AdaLN-zero, Peebles & Xie 2023; PAPER §4)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from iwm_vit.predictors.narrow_vit import NarrowViT, NarrowViTComponent
from iwm_vit.transformer import MLP, Attention


class ModulatedBlock(nn.Module):
    """A block whose norms have no weights of their own: the condition gives scale, shift and gate of each branch."""

    def __init__(self, width: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.attention, self.mlp = Attention(width, heads), MLP(width, mlp_ratio)
        self.modulation = nn.Linear(width, 6 * width)
        self.drop_path = nn.Identity()

    def forward(self, tokens: Float[Tensor, "b n d"], condition: Float[Tensor, "b d"], asked: int | None = None) -> Float[Tensor, "b t d"]:
        scale1, shift1, gate1, scale2, shift2, gate2 = self.modulation(condition)[:, None].chunk(6, dim=-1)
        found = self.drop_path(gate1 * self.attention(self.norm(tokens) * (1 + scale1) + shift1, asked))
        tokens = (tokens if asked is None else tokens[:, -asked:]) + found
        return tokens + self.drop_path(gate2 * self.mlp(self.norm(tokens) * (1 + scale2) + shift2))


class AdaLNViT(NarrowViT):
    """The action modulates every block."""

    def __init__(self, config: "AdaLN", width: int, grid: tuple[int, int], action: int) -> None:
        super().__init__(config, width, grid, action)
        # A constant beside the action lets the blocks open even where a recipe has no actions.
        self.condition = nn.Sequential(nn.Linear(action + 1, config.width), nn.SiLU(), nn.Linear(config.width, config.width), nn.SiLU())
        for block in self.blocks:
            nn.init.zeros_(block.modulation.weight)  # zero: every block starts as the identity  # pyright: ignore

    def block(self, config: NarrowViTComponent) -> nn.Module:
        return ModulatedBlock(config.width, config.heads, config.mlp_ratio)

    def run(self, tokens: Float[Tensor, "b n d"], action: Float[Tensor, "b a"], asked: int) -> Float[Tensor, "b _ d"]:
        condition = self.condition(torch.cat([action, action.new_ones(action.shape[0], 1)], dim=1))
        for block in self.blocks[:-1]:
            tokens = block(tokens, condition)
        return self.blocks[-1](tokens, condition, asked)

    def untold(self) -> dict[str, Bool[Tensor, "..."]]:
        entries = torch.ones_like(self.condition[0].weight, dtype=torch.bool)  # pyright: ignore[reportArgumentType]
        entries[:, -1] = False  # of the constant
        return {"condition.0.weight": entries}


@dataclass(kw_only=True)
class AdaLN(NarrowViTComponent):
    """Narrow ViT; the action modulates every block (AdaLN-zero)."""

    name = "adaln"
    module = AdaLNViT
