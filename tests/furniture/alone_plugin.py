"""A plugin that brings all that a world model needs besides the core: an encoder, a predictor, an action, a selector, data, a recipe."""

from dataclasses import dataclass
from pathlib import Path

from tiny_parts import Gain, Halves, Noise
from torch import Tensor, nn

from iwm_core import hookimpl
from iwm_core.interfaces import Encoder, EncoderComponent, Predictor, PredictorComponent, Targets, option


class PatchEncoder(Encoder):
    def __init__(self, width: int, image_size: int) -> None:
        super().__init__()
        self.width, self.grid = width, (image_size // 4, image_size // 4)
        self.patches = nn.Conv2d(3, width, 4, 4)

    def forward(self, images: Tensor, keep: Tensor | None = None) -> Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        return tokens if keep is None else tokens.gather(1, keep[..., None].expand(-1, -1, self.width))


@dataclass(kw_only=True)
class Patches(EncoderComponent):
    """One linear layer on each patch."""

    name = "patches"
    width: int = option(16, "embedding dimension", low=1)

    def build(self, image_size: int) -> Encoder:
        return PatchEncoder(self.width, image_size)


class MeanPredictor(Predictor):
    def __init__(self, width: int, action: int) -> None:
        super().__init__()
        self.told, self.out = nn.Linear(action, width), nn.Linear(width, width)

    def forward(self, context: Tensor, where: Targets, action: Tensor) -> Tensor:
        one = self.out(context.mean(dim=1) + self.told(action))
        return one[:, None, None].expand(-1, *where.target.shape[1:], -1)


@dataclass(kw_only=True)
class Mean(PredictorComponent):
    """The mean of the context, and the action."""

    name = "mean"

    def build(self, width: int, grid: tuple[int, int], action: int) -> Predictor:
        return MeanPredictor(width, action)


@hookimpl
def iwm_encoders() -> list[type]:
    return [Patches]


@hookimpl
def iwm_predictors() -> list[type]:
    return [Mean]


@hookimpl
def iwm_actions() -> list[type]:
    return [Gain]


@hookimpl
def iwm_target_selectors() -> list[type]:
    return [Halves]


@hookimpl
def iwm_data_sources() -> list[type]:
    return [Noise]


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "alone_recipes"]
