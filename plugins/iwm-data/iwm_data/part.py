"""A part of a split: some of its images, as a split of their own."""

from collections.abc import Iterable

from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from iwm_core.interfaces import CorruptImage, Images


class Part(Images):
    """Some images of a split, by their indices there, ``chosen``: all that is known of an image is asked of the split."""

    def __init__(self, whole: Images, chosen: Int[Tensor, "n"]) -> None:
        self.whole, self.chosen = whole, chosen
        self.classes, self.factors, self.mask_classes, self.notes = whole.classes, whole.factors, whole.mask_classes, whole.notes

    def __len__(self) -> int:
        return len(self.chosen)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return self.whole.image(int(self.chosen[index]))

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        return self.whole.images(self.chosen[indices])

    def describe(self, index: int) -> str:
        return self.whole.describe(int(self.chosen[index]))

    def label(self, index: int) -> int:
        return self.whole.label(int(self.chosen[index]))

    def why_unlabelled(self, index: int) -> str:
        return self.whole.why_unlabelled(int(self.chosen[index]))

    def labels(self, index: int) -> Bool[Tensor, "c"] | None:
        return self.whole.labels(int(self.chosen[index]))

    def factor(self, index: int) -> Float[Tensor, "f"]:
        return self.whole.factor(int(self.chosen[index]))

    def target(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return self.whole.target(int(self.chosen[index]))

    def targets(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        return self.whole.targets(self.chosen[indices])

    def action(self, index: int) -> Float[Tensor, "a"]:
        return self.whole.action(int(self.chosen[index]))

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        return self.whole.mask(int(self.chosen[index]))
