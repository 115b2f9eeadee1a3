"""Data sources: splits of images with their labels, factors and masks."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from iwm_core.component import Component, option


class Factor(NamedTuple):
    """A known factor of every image of a dataset.

    Attributes:
        name: what it is called.
        kind: ``number``; ``turn``, a number in turns where 0 and 1 are the same, such as a hue; or ``class``, an index of ``values``.
        values: names of the classes.
    """

    name: str
    kind: str = "number"
    values: tuple[str, ...] = ()


NOT_COUNTED = 255
"""The value of a mask's pixels that do not count."""


class CorruptImage(Exception):
    """An image that cannot be decoded; its text says why."""


class Images(ABC):
    """One split of a dataset, in a fixed order. Instances are pickled into data workers.

    Attributes:
        classes: names of the labels; empty where there are none.
        factors: the known factors of every image; empty where there are none.
        mask_classes: names of the values of masks, from 0 on; empty where there are no masks.
    """

    classes: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()
    mask_classes: tuple[str, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        """The decoded RGB image.

        Raises:
            CorruptImage: the file cannot be decoded; the core quarantines it and goes on.
        """

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        """Several images at once, with the error in the place of one that cannot be decoded; overridden where a batch is faster."""
        return [self._image_or_error(index) for index in indices.tolist()]

    def _image_or_error(self, index: int) -> UInt8[Tensor, "3 h w"] | CorruptImage:
        try:
            return self.image(index)
        except CorruptImage as error:
            return error

    @abstractmethod
    def describe(self, index: int) -> str:
        """What to call this image in a message, such as its path."""

    def label(self, index: int) -> int:
        """The class of an image, or -1 where there are no labels."""
        return -1

    def labels(self, index: int) -> Bool[Tensor, "c"] | None:
        """Which of ``classes`` an image shows, where it may show several; None where that is not known."""
        return None

    def factor(self, index: int) -> Float[Tensor, "f"]:
        """The known factors of an image, in the order of ``factors``."""
        return torch.empty(0)

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        """The segmentation mask of an image, of its height and width: places in ``mask_classes``, or `NOT_COUNTED`.

        None where there is none.

        Raises:
            CorruptImage: the mask cannot be decoded.
        """
        return None


@dataclass(kw_only=True)
class DataSource(Component, ABC):
    """Opens the splits of a dataset."""

    cache: str = option(
        "none", "keep decoded images: none (decode every time), ram (host memory), device", choices=("none", "ram", "device")
    )
    max_corrupt: float = option(0.01, "share of unreadable images above which training stops", low=0, high=1)

    @abstractmethod
    def open(self, split: str) -> Images:
        """The ``train`` or ``validation`` split.

        Raises:
            ValueError: the data cannot be found or has no such split; the text names the fix.
        """
