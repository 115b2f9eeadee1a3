"""A way to tell a predictor the action: it scales and shifts the mask tokens (FiLM, Perez et al. 2018)."""

from dataclasses import dataclass

from iwm_vit.predictors.narrow_vit import NarrowViT, NarrowViTComponent
from jaxtyping import Float
from torch import Tensor, nn

from iwm_core.interfaces import option


class ExampleViT(NarrowViT):
    """The narrow ViT has three places where an action can enter: `queries`, the mask tokens; `prefix`, extra tokens; `run`, the blocks."""

    def __init__(self, config: "Example", width: int, grid: tuple[int, int], action: int) -> None:
        super().__init__(config, width, grid, action)
        if action:  # 0 where a recipe has no actions
            self.told = nn.Sequential(nn.Linear(action, config.hidden), nn.GELU(), nn.Linear(config.hidden, 2 * config.width))

    def queries(self, masks: Float[Tensor, "b m t d"], action: Float[Tensor, "b a"]) -> Float[Tensor, "b m t d"]:
        """The mask tokens, with their positions already added: one for each patch that is asked for."""
        if not self.action:
            return masks
        scale, shift = self.told(action)[:, None, None].chunk(2, dim=-1)
        return masks * (1 + scale) + shift


@dataclass(kw_only=True)
class Example(NarrowViTComponent):
    """Narrow ViT; the action scales and shifts the mask tokens (FiLM)."""

    name = "example"  # by which recipes choose it
    module = ExampleViT

    # A field is an option of recipes and of the command line; depth, width, heads and mlp_ratio come from the narrow ViT.
    hidden: int = option(64, "numbers between the action and its scale and shift", low=1)
