"""Images made of other images, such as a part of a split: all that is known of an image is asked of those behind, at its index there."""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from iwm_core.interfaces import CorruptImage, Images


class WrappedImages(Images):
    """The images behind, all of them or those of some indices.

    Args:
        behind: images.
        chosen: their indices here, in order; None: all.
    """

    def __init__(self, behind: Images, chosen: Int[Tensor, "n"] | None = None) -> None:
        self.behind, self.chosen = behind, chosen
        self.classes, self.factors, self.mask_classes = behind.classes, behind.factors, behind.mask_classes
        self.notes = behind.notes

    def place(self, index: int) -> int:
        """The index of an image behind."""
        return index if self.chosen is None else int(self.chosen[index])

    def __len__(self) -> int:
        return len(self.behind) if self.chosen is None else len(self.chosen)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return self.behind.image(self.place(index))

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        return self.behind.images(indices if self.chosen is None else self.chosen[indices])

    def describe(self, index: int) -> str:
        return self.behind.describe(self.place(index))

    def label(self, index: int) -> int:
        return self.behind.label(self.place(index))

    def labels(self, index: int) -> Bool[Tensor, "c"] | None:
        return self.behind.labels(self.place(index))

    def factor(self, index: int) -> Float[Tensor, "f"]:
        return self.behind.factor(self.place(index))

    def target(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return self.behind.target(self.place(index))

    def targets(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        return self.behind.targets(indices if self.chosen is None else self.chosen[indices])

    def action(self, index: int) -> Float[Tensor, "a"]:
        return self.behind.action(self.place(index))

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        return self.behind.mask(self.place(index))


def part_of(images: Images, count: int) -> Images:
    """``count`` images spread evenly over a split; all of them where ``count`` is 0 or no fewer."""
    if not 0 < count < len(images):
        return images
    return WrappedImages(images, torch.arange(count) * len(images) // count)  # spread: folders are sorted by class
