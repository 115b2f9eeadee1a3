"""``feature``: each mask token with its position is joined with the action and mixed by an MLP (PAPER §4, the paper's default)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from iwm_vit.predictors.narrow_vit import NarrowViT, NarrowViTComponent, initialise


class FeatureViT(NarrowViT):
    """Mask tokens carry the action; context tokens do not."""

    def __init__(self, config: "Feature", width: int, grid: tuple[int, int], action: int) -> None:
        super().__init__(config, width, grid, action)
        d = config.width
        if action:
            self.mix = nn.Sequential(nn.Linear(d + action, d), nn.ReLU(), nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))
            self.mix.apply(initialise)

    def queries(self, masks: Float[Tensor, "b m t d"], action: Float[Tensor, "b a"]) -> Float[Tensor, "b m t d"]:
        if not self.action:
            return masks
        told = action[:, None, None, :].expand(*masks.shape[:3], -1)
        return self.mix(torch.cat([masks, told.to(masks.dtype)], dim=-1))

    def untold(self) -> dict[str, Bool[Tensor, "..."]]:
        if not self.action:
            return {}
        entries = torch.zeros_like(self.mix[0].weight, dtype=torch.bool)  # pyright: ignore[reportArgumentType]
        entries[:, -self.action :] = True
        return {"mix.0.weight": entries}


@dataclass(kw_only=True)
class Feature(NarrowViTComponent):
    """Narrow ViT; action joined to the mask tokens through a 3-layer MLP."""

    name = "feature"
    module = FeatureViT
