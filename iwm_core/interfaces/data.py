"""Data sources: splits of images with their labels, factors and masks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from iwm_core.interfaces.component import Component, option


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


class Observed(NamedTuple):
    """An action that data shows, where the core makes the others: two frames and the camera's motion, two stains, two lights.

    Attributes:
        name: what the action is called in recipes, reports and ``imagine``; no action of the recipe may have the same.
        labels: one for each number of an image's ``action``.
        low, high: the least and largest that each number can be, among which planning searches; where empty, -1 and 1.
        mirror: what flipping both images multiplies each number by, 1 or -1; empty: not known, so that views cannot be flipped.
    """

    name: str
    labels: tuple[str, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    mirror: tuple[float, ...] = ()


NOT_COUNTED = 255
"""The value of a mask's pixels that do not count."""


class CorruptImage(Exception):
    """An image that cannot be decoded; its text says why."""


@dataclass(frozen=True)
class Sample:
    """An image and what is known of it: what is read of a split, cropped, and made batches of. A part that was not asked for is None.

    Attributes:
        image: the decoded RGB image.
        target: the image that the observed action leads to; as it, the mask has the size of the image, once that is checked.
        action: the numbers of that action.
        mask: the segmentation mask.
        label: the class; -1 where there is none, or where it was not asked for.
    """

    image: UInt8[Tensor, "3 h w"]
    target: UInt8[Tensor, "3 _ _"] | None = None
    action: Float[Tensor, "a"] | None = None
    mask: UInt8[Tensor, "_ _"] | None = None
    label: int = -1


class Images(ABC):
    """One split of a dataset, in a fixed order, pickled into data workers. The core asks for what it needs together, as a `Sample`.

    Attributes:
        classes: names of the labels; empty where there are none.
        factors: the known factors of every image; empty where there are none.
        mask_classes: names of the values of masks, from 0 on; empty where there are no masks.
        notes: what the user should know of this split, a line each; told once, as training begins, and of validation by `iwm eval`.
    """

    classes: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()
    mask_classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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
        return self._or_errors(self.image, indices)

    def _or_errors(self, read: Callable[[int], Tensor], indices: Int[Tensor, "b"]) -> list[UInt8[Tensor, "3 h w"] | CorruptImage]:
        found: list[Tensor | CorruptImage] = []
        for index in indices.tolist():  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            try:
                found.append(read(index))  # pyright: ignore[reportUnknownArgumentType]
            except CorruptImage as error:
                found.append(error)
        return found

    @abstractmethod
    def describe(self, index: int) -> str:
        """What to call this image in a message, such as its path."""

    def label(self, index: int) -> int:
        """The class of an image, or -1 where there are no labels."""
        return -1

    def why_unlabelled(self, index: int) -> str:
        """Why an image has no label, such as a class that training does not know; empty where nothing is known of it."""
        return ""

    def labels(self, index: int) -> Bool[Tensor, "c"] | None:
        """Which of ``classes`` an image shows, where it may show several; None where that is not known."""
        return None

    def factor(self, index: int) -> Float[Tensor, "f"]:
        """The known factors of an image, in the order of ``factors``."""
        return torch.empty(0)

    def target(self, index: int) -> UInt8[Tensor, "3 h w"]:
        """The image that the observed action leads to from ``image(index)``, of its size; asked only where the source has `observed`.

        Raises:
            CorruptImage: it cannot be decoded; the core quarantines the pair and goes on.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement target(), as its source has an observed action")

    def targets(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        """Several targets at once, as `images`; overridden where a batch is faster."""
        return self._or_errors(self.target, indices)

    def action(self, index: int) -> Float[Tensor, "a"]:
        """The numbers of the observed action from ``image(index)`` to ``target(index)``, about in [-1, 1]; zeros: nothing happened.

        Raises:
            CorruptImage: they are missing or make no sense; the core quarantines the pair and goes on.
        """
        return torch.empty(0)

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        """The segmentation mask of an image, of its height and width: places in ``mask_classes``, or `NOT_COUNTED`. None: it has none.

        Raises:
            CorruptImage: the mask cannot be decoded.
        """
        return None


@dataclass(kw_only=True)
class DataSource(Component, ABC):
    """Opens the splits of a dataset."""

    cache: str = option("none", "keep decoded images: none (decode each time), ram (host's), device", choices=("none", "ram", "device"))
    max_corrupt: float = option(0.01, "share of unreadable images above which training stops", low=0, high=1)

    @property
    def observed(self) -> Observed | None:
        """The action that pairs of this data show, a function of the fields alone; None where images come singly."""
        return None

    @classmethod
    def take(cls, given: Any) -> AbstractContextManager[dict[str, Any]] | None:
        """Take images from Python: this source has what is ``given`` while entered, which gives its options; None: not for this source.

        Raises:
            ValueError: it is for this source, and wrong; the text names the fix.
        """
        return None

    @abstractmethod
    def open(self, split: str) -> Images:
        """The ``train`` or ``validation`` split.

        Raises:
            ValueError: the data cannot be found or has no such split; the text names the fix.
        """
