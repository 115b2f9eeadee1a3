"""Striped images, made and not read: each is a pure function of its number, with a label and a known factor."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from iwm_core.interfaces import DataSource, Draws, Factor, Images, option


class ExampleImages(Images):
    """One split. Copies are sent to data workers: keep paths and numbers here, no open files."""

    splits = ("train", "validation")
    classes = ("rows", "columns")  # names of the labels; leave out what your data does not know
    factors = (Factor("stripes"),)

    def __init__(self, split: str, count: int, size: int) -> None:
        self.split, self.count, self.size = split, count, size

    def __len__(self) -> int:
        return self.count

    def draws(self, index: int) -> Draws:
        return Draws(0, self.splits.index(self.split), torch.tensor([index]), "example")  # others in each split

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        """To read a file instead, raise `iwm_core.interfaces.CorruptImage` where it cannot be decoded."""
        one, other = self.draws(index).stream("colours").integers(256, 6).view(2, 3, 1, 1)
        stripe = (torch.arange(self.size) * int(self.factor(index)) // self.size) % 2 == 0
        pattern = stripe[:, None] if self.label(index) == 0 else stripe[None, :]
        return torch.where(pattern.expand(self.size, self.size), one, other).to(torch.uint8)

    def label(self, index: int) -> int:
        return index % 2

    def factor(self, index: int) -> Float[Tensor, "f"]:
        return 2 + self.draws(index).integers(7)[0].float()

    def describe(self, index: int) -> str:
        return f"example/{self.split}/{index}"


@dataclass(kw_only=True)
class Example(DataSource):
    """Images of two to eight stripes in random colours, along rows or columns."""

    name = "example"  # by which recipes choose it

    # A field is an option of recipes and of the command line; one without a default, such as a path, must be given.
    size: int = option(64, "side of the images in pixels", low=8)
    train: int = option(4096, "images in the train split", low=1)
    validation: int = option(256, "images in the validation split", low=1)

    def open(self, split: str) -> Images:
        if split not in ExampleImages.splits:
            raise ValueError(f"there is no split {split!r}; there are {' and '.join(ExampleImages.splits)}")
        return ExampleImages(split, self.train if split == "train" else self.validation, self.size)
