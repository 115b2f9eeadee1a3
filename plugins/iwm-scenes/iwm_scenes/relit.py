"""The data source ``scenes_relit``: pairs that show one scene under two lights, with how the light moved as the observed action.

Decisions:
- The scenes are those of ``scenes`` at the same indices, but for their lights: both have a direction uniform over the full turn and a
  strength uniform over `strength`. Between source and target nothing else differs, not even the noise of the background.
- A light is a vector: its strength towards where it comes from. The action is the difference of both, in units of the largest that each
  number can be, so that no movement is zeros, and the way back is the negative.
- Seen in a mirror, the light moves to the other side: the first number changes its sign.
- Lights are stronger than those of ``scenes``: where pairs hardly differ, a world model learns to ignore what it is told (PAPER §1).
"""

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import ClassVar

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from iwm_core.interfaces import Draws, Observed, option
from iwm_scenes.scene import Scene
from iwm_scenes.source import BLOCK, SPLITS, SceneImages, Scenes


@lru_cache(maxsize=1024)
def light_rows(seed: int, split: int, side: str, block: int) -> list[list[float]]:
    """The random numbers of the lights of one block."""
    return Draws(seed, split, torch.arange(block * BLOCK, (block + 1) * BLOCK), f"scenes/light/{side}").uniform(2).tolist()


def light_of(scene: Scene) -> tuple[float, float]:
    """The light of a scene as a vector, to the right and up."""
    angle = 2 * math.pi * scene.light_azimuth
    return scene.light_strength * math.cos(angle), scene.light_strength * math.sin(angle)


@dataclass(frozen=True)
class RelitImages(SceneImages):
    """One split of the pairs; ``weakest`` and ``strongest`` bound the strength of both lights."""

    weakest: float
    strongest: float

    def scene(self, index: int) -> Scene:
        return self.lit(index, "source")

    def lit(self, index: int, side: str) -> Scene:
        """The scene of an image under the light of one side of its pair."""
        block, place = divmod(index, BLOCK)
        azimuth, share = light_rows(self.seed, SPLITS.index(self.split), side, block)[place]
        strength = self.weakest + share * (self.strongest - self.weakest)
        return super().scene(index)._replace(light_azimuth=azimuth, light_strength=strength)

    def target(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return self.targets(torch.tensor([index]))[0]

    def targets(self, indices: Int[Tensor, "b"]) -> UInt8[Tensor, "b 3 h w"]:
        """Many targets, each the same as `target` gives, at less cost an image."""
        return self.drawn(indices, partial(self.lit, side="target"))

    def action(self, index: int) -> Float[Tensor, "2"]:
        """From the light of the source to that of the target."""
        before, after = (light_of(self.lit(index, side)) for side in ("source", "target"))
        return torch.tensor([(new - old) / (2 * self.strongest) for old, new in zip(before, after, strict=True)])


@dataclass(kw_only=True)
class RelitScenes(Scenes):
    """Pairs of procedural images that differ in their light alone; how it moved is the observed action `light`."""

    name: ClassVar[str] = "scenes_relit"
    strength: list[float] = option([0.6, 1.0], "weakest and strongest light; at 1, the corner away from it is black", low=0.01, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.strength) != 2 or self.strength[0] > self.strength[1]:
            raise ValueError(f"scenes_relit.strength must be two numbers, weakest and strongest, as in [0.6, 1], got {self.strength}")

    @property
    def observed(self) -> Observed:
        return Observed("light", ("right", "up"), mirror=(-1, 1))

    def open(self, split: str) -> RelitImages:
        weakest, strongest = self.strength
        return RelitImages(**vars(super().open(split)), weakest=weakest, strongest=strongest)
