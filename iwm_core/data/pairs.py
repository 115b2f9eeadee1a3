"""Pairs of images with an observed action, as images of six channels: whatever is done to one side is done to the other.

Decisions:
- Crops, flips, caches and the watch over corrupt images know nothing of pairs: a pair is read, cut and kept as one image, the target's
  channels behind the source's. A pair of which one side, or the action, cannot be had is corrupt as a whole.
- A flip of both sides changes what happened between them: each number of the action is multiplied by its `Observed.mirror`.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from iwm_core.data.wrapped import WrappedImages
from iwm_core.interfaces import CorruptImage, DataSource, Images, Observed, constant


class Sides(NamedTuple):
    """Images, and the targets of pairs."""

    images: Shaped[Tensor, "b 3 h w"]
    target: Shaped[Tensor, "b 3 h w"] | None


class PairedImages(WrappedImages):
    """Source and target of each pair, one behind the other.

    Args:
        behind: the pairs.
        observed: the action between them.
    """

    def __init__(self, behind: Images, observed: Observed) -> None:
        super().__init__(behind)
        self.observed = observed

    def image(self, index: int) -> UInt8[Tensor, "6 h w"]:
        return self.joined(index, self.behind.image(index), self.behind.target(index))

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "6 h w"] | CorruptImage]:
        sides = zip(indices.tolist(), self.behind.images(indices), self.behind.targets(indices), strict=True)
        return [self.joined_or_error(*pair) for pair in sides]

    def joined_or_error(self, index: int, source: Tensor | CorruptImage, target: Tensor | CorruptImage) -> Tensor | CorruptImage:
        """A pair, or the error of either side."""
        for side in (source, target):
            if isinstance(side, CorruptImage):
                return side
        try:
            return self.joined(index, source, target)  # pyright: ignore[reportArgumentType]
        except CorruptImage as error:
            return error

    def joined(self, index: int, source: UInt8[Tensor, "3 _h _w"], target: UInt8[Tensor, "3 _h2 _w2"]) -> UInt8[Tensor, "6 h w"]:
        """Both sides of a pair as one image.

        Raises:
            CorruptImage: they differ in size, or their action is not what the source promises.
        """
        if source.shape != target.shape:
            sizes = " and ".join(f"{side.shape[1]} x {side.shape[2]}" for side in (source, target))
            raise CorruptImage(f"the images of the pair have {sizes} pixels; they must have one size")
        self.action(index)
        return torch.cat([source, target])

    def action(self, index: int) -> Float[Tensor, "a"]:
        """The observed action of a pair.

        Raises:
            CorruptImage: it is not what the source promises.
        """
        action = self.behind.action(index)
        if action.shape != (len(self.observed.labels),) or not action.isfinite().all():
            raise CorruptImage(f"its action must be {len(self.observed.labels)} finite numbers, got {action.tolist()}")
        return action


def paired(images: Images, source: DataSource) -> Images:
    """A split as it is read: pairs where its source has an observed action."""
    return images if source.observed is None else PairedImages(images, source.observed)


def channels(images: Images) -> int:
    """Of an image as it is read."""
    return 6 if isinstance(images, PairedImages) else 3


def known_actions(images: Images, indices: list[int]) -> Float[Tensor, "b a"]:
    """The observed actions of images that can be read, one row each."""
    if not isinstance(images, PairedImages):
        return torch.empty(len(indices), 0)
    return torch.stack([images.action(index) for index in indices]) if indices else torch.empty(0, len(images.observed.labels))


def has_action(images: Images, index: int) -> bool:
    """Whether the observed action of a pair, if there is any, is whole; where not, the pair is left out wherever it is read."""
    try:
        images.action(index)
    except CorruptImage:
        return False
    return True


def mirrored(images: Images, actions: Float[Tensor, "b a"], flips: Bool[Tensor, "b"]) -> Float[Tensor, "b a"]:
    """The actions after a flip of both sides of some pairs."""
    if not isinstance(images, PairedImages) or not images.observed.mirror:
        return actions
    return torch.where(flips[:, None], actions * constant(images.observed.mirror, actions.device), actions)


def sides(pixels: Shaped[Tensor, "b c h w"]) -> Sides:
    """Read images, apart again."""
    return Sides(pixels[:, :3], pixels[:, 3:] if pixels.shape[1] > 3 else None)
