"""An action, a target selector and data that need nothing but the core."""

from dataclasses import dataclass

import torch
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, DataSource, Draws, Images, Targets, TargetSelector, option


@dataclass(kw_only=True)
class Gain(Action):
    """Brightness times a factor."""

    name = "gain"
    labels = ("log2",)
    identity = torch.zeros(1)

    strength: float = option(1.0, "largest factor, in powers of two", low=0)

    def sample(self, draws: Draws) -> ActionParams:
        both = draws.uniform(2, -self.strength, self.strength)
        return ActionParams(both[:, :1], both[:, 1:])

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return (images * params.exp2()[:, :, None, None]).clamp(0, 1)

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return (target - source) / 2


@dataclass(kw_only=True)
class Halves(TargetSelector):
    """Context is one half of the patches, target the other, in a random order."""

    name = "halves"

    share: float = option(0.5, "share of the patches that is context", low=0, high=1)

    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        n = grid[0] * grid[1]
        k = int(self.share * n)
        if not 0 < k < n:
            raise ValueError(f"targets.share={self.share:g} leaves no context or no target on {n} patches; use 0.5")
        order = draws.permutation(n)
        return Targets(order[:, :k].sort(dim=1).values, order[:, k:].sort(dim=1).values[:, None])


class NoiseImages(Images):
    classes = ("even", "odd")

    def __init__(self, count: int, size: int, epoch: int) -> None:
        self.count, self.size, self.epoch = count, size, epoch

    def __len__(self) -> int:
        return self.count

    def image(self, index: int) -> Tensor:
        coarse = Draws(99, self.epoch, torch.tensor([index])).integers(256, 48).reshape(1, 3, 4, 4)
        return torch.nn.functional.interpolate(coarse.float(), size=self.size, mode="bilinear")[0].byte()

    def describe(self, index: int) -> str:
        return f"noise {index}"

    def label(self, index: int) -> int:
        return index % 2


@dataclass(kw_only=True)
class Noise(DataSource):
    """Smooth random colours."""

    name = "noise"

    count: int = option(64, "images in each split", low=0)
    size: int = option(20, "side in pixels", low=1)

    def open(self, split: str) -> Images:
        return NoiseImages(self.count, self.size, 0 if split == "train" else 1)
