"""The data source ``scenes``.

Decisions:
- Everything about an image is a pure function of (seed, split, index): the split is the epoch of the `Draws`, so no two splits ever
  share a random number, and an image does not depend on how many images there are.
- Random numbers are drawn for blocks of images and those of the scenes are remembered: drawing for 256 costs little more than for one.
- A mask tells the class of each pixel, which is what a segmentation head learns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int, UInt8
from torch import Tensor

from iwm_core.interfaces import DataSource, Draws, Images, option
from iwm_scenes.render import render, segment
from iwm_scenes.scene import FACTORS, MOST_OBJECTS, SCENE_NUMBERS, SHAPE_NAMES, THING_NUMBERS, Scene, factors_of, make_scene

SPLITS = ("train", "validation")
BLOCK = 256  # scenes drawn and remembered together
CHUNK = 32  # images whose background phases are drawn together: few enough to stay in the processor's cache


@lru_cache(maxsize=1024)
def uniform_rows(seed: int, split: int, most: int, block: int) -> Float32[np.ndarray, "block numbers"]:
    """The random numbers of the scenes of one block."""
    draws = Draws(seed, split, torch.arange(block * BLOCK, (block + 1) * BLOCK), "scenes")
    return draws.uniform(SCENE_NUMBERS + most * THING_NUMBERS).numpy()


@dataclass(frozen=True)
class SceneImages(Images):
    """One split of the scenes; the fields are those of `Scenes`."""

    classes = SHAPE_NAMES
    factors = FACTORS
    mask_classes = ("background", *SHAPE_NAMES)

    split: str
    count: int
    size: int
    fewest: int
    most: int
    rotation: float
    seed: int

    def __len__(self) -> int:
        return self.count

    def scene(self, index: int) -> Scene:
        """What is in an image.

        Raises:
            IndexError: no such image in this split.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"the {self.split} split of scenes has images 0 to {self.count - 1}, no {index}")
        block, place = divmod(index, BLOCK)
        return make_scene(uniform_rows(self.seed, SPLITS.index(self.split), self.most, block)[place], self.fewest, self.most, self.rotation)

    def images(self, indices: Int[Tensor, "b"]) -> UInt8[Tensor, "b 3 h w"]:
        """Many images, each the same as `image` gives, at less cost an image."""
        return self.drawn(indices, self.scene)

    def drawn(self, indices: Int[Tensor, "b"], scene: Callable[[int], Scene]) -> UInt8[Tensor, "b 3 h w"]:
        """The images of some scenes, each before its own background."""
        images = np.empty((len(indices), 3, self.size, self.size), np.uint8)
        for start in range(0, len(indices), CHUNK):
            chunk = indices[start : start + CHUNK]
            for place, (index, phases) in enumerate(zip(chunk.tolist(), self.phases(chunk), strict=True), start):
                images[place] = render(scene(index), phases)
        return torch.from_numpy(images)

    def phases(self, indices: Int[Tensor, "b"]) -> UInt8[np.ndarray, "b h w"]:
        """The random phases of the backgrounds, four to a word of random bits."""
        pixels = self.size * self.size
        words = Draws(self.seed, SPLITS.index(self.split), indices, "scenes/background").bits(-(-pixels // 4)).numpy()
        return words.astype("<u4").view(np.uint8)[:, :pixels].reshape(-1, self.size, self.size)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return self.images(torch.tensor([index]))[0]

    def label(self, index: int) -> int:
        return self.scene(index).things[0].shape

    def labels(self, index: int) -> Bool[Tensor, "c"]:
        """The shapes that an image shows."""
        shown = torch.zeros(len(SHAPE_NAMES), dtype=torch.bool)
        shown[[thing.shape for thing in self.scene(index).things]] = True
        return shown

    def factor(self, index: int) -> Float[Tensor, "f"]:
        return torch.tensor(factors_of(self.scene(index)))

    def mask(self, index: int) -> UInt8[Tensor, "h w"]:
        """1 + class on objects, 0 on the background."""
        return torch.from_numpy(segment(self.scene(index), self.size))

    def describe(self, index: int) -> str:
        return f"scenes/{self.split}/{index} ({SHAPE_NAMES[self.label(index)]})"


@dataclass(kw_only=True)
class Scenes(DataSource):
    """Procedural images: one or several textured objects on a background with natural statistics; nothing to download."""

    name: ClassVar[str] = "scenes"
    size: int = option(64, "side of the square images, in pixels", low=8, high=4096)
    train: int = option(8192, "images in the train split", low=1)
    validation: int = option(1024, "images in the validation split", low=1)
    objects: list[int] = option([1, 1], "fewest and most objects of an image; the largest gives the label", low=1, high=MOST_OBJECTS)
    rotation: float = option(1.0, "most that objects are rotated by, in turns; 0: all upright", low=0, high=1)
    seed: int = option(0, "another seed, other images", low=0, high=2**32 - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.objects) != 2 or self.objects[0] > self.objects[1]:
            raise ValueError(f"{self.name}.objects must be two numbers, fewest and most, as in [1, 3], got {self.objects}")

    def open(self, split: str) -> SceneImages:
        """The ``train`` or ``validation`` split.

        Raises:
            ValueError: another split.
        """
        if split not in SPLITS:
            raise ValueError(f"{self.name} has the splits {' and '.join(SPLITS)}, not {split!r}")
        fewest, most = self.objects
        count = {"train": self.train, "validation": self.validation}[split]
        return SceneImages(split=split, count=count, size=self.size, fewest=fewest, most=most, rotation=self.rotation, seed=self.seed)
