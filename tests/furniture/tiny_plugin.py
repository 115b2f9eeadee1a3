"""A whole third-party plugin in one module: what the core's tests train with, so that they need no other plugin."""

from dataclasses import dataclass
from pathlib import Path

import torch
from iwm_vit.predictors.narrow_vit import NarrowViT, NarrowViTComponent
from seen_pairs import Seen
from taught_images import Taught
from tiny_parts import Gain, Halves, Noise
from tiny_parts import NoiseImages as NoiseImages
from torch import Tensor

from iwm_core import hookimpl


class ShiftViT(NarrowViT):
    """A new conditioning scheme: the action is added to the mask tokens."""

    def __init__(self, config: "Shift", width: int, grid: tuple[int, int], action: int) -> None:
        super().__init__(config, width, grid, action)
        self.told = torch.nn.Linear(action, config.width)

    def queries(self, masks: Tensor, action: Tensor) -> Tensor:
        return masks + self.told(action)[:, None, None]


@dataclass(kw_only=True)
class Shift(NarrowViTComponent):
    """Narrow ViT; the action is added to the mask tokens."""

    name = "shift"
    module = ShiftViT


@hookimpl
def iwm_actions() -> list[type]:
    return [Gain]


@hookimpl
def iwm_target_selectors() -> list[type]:
    return [Halves]


@hookimpl
def iwm_data_sources() -> list[type]:
    return [Noise, Taught, Seen]


@hookimpl
def iwm_predictors() -> list[type]:
    return [Shift]


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "tiny_recipes"]
