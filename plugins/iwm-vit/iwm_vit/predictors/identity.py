"""``identity``: the weakest world model. Whatever the action, nothing changes: a floor for every measure."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Predictor, PredictorComponent, Targets


class IdentityPredictor(Predictor):
    """No weights: a position that the context shows is predicted as it is, any other as the context's mean."""

    def __init__(self, patches: int) -> None:
        super().__init__()
        self.patches = patches

    def forward(self, context: Float[Tensor, "b k d"], where: Targets, action: Float[Tensor, "b a"]) -> Float[Tensor, "b m t d"]:
        b, _, d = context.shape
        canvas = context.mean(dim=1, keepdim=True).expand(b, self.patches, d)
        canvas = canvas.scatter(1, where.context[..., None].expand(-1, -1, d), context)
        index = where.target.flatten(1)[..., None].expand(-1, -1, d)
        return torch.gather(canvas, 1, index).unflatten(1, where.target.shape[1:])


@dataclass(kw_only=True)
class Identity(PredictorComponent):
    """No weights: tokens as the context shows them, its mean elsewhere."""

    name = "identity"

    def build(self, width: int, grid: tuple[int, int], action: int) -> IdentityPredictor:
        return IdentityPredictor(grid[0] * grid[1])
