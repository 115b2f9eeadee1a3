"""The image files of one split of a folder."""

import os
from array import array
from collections import Counter

from jaxtyping import UInt8
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage, Images
from iwm_data.classes import not_in_training
from iwm_data.decode import decode_file, file_content
from iwm_data.masks import decode_mask
from iwm_data.names import Names

NAMED = 10
"""How many skipped files are kept by name."""


class FolderImages(Images):
    """The image files of one split.

    Attributes:
        names: paths of the images, relative to the root.
        numbers: their labels.
        skipped: relative paths of the first files that are not images (by extension), links that lead nowhere or in a circle.
        skipped_count: how many there are of those.
        unknown: images of each class that training does not know.
        unplaced: images that lie in no folder of a class.
        masks: the folder of the masks; None where there are none.
        mask_ignore: values of masks that do not count.
        white: what value is white in images of more than 8 bits; None: not told.
    """

    masks: str | None = None
    mask_ignore: tuple[int, ...] = (NOT_COUNTED,)
    white: float | None = None

    def __init__(self, root: str, below: str, classes: tuple[str, ...]) -> None:
        self.root, self.below, self.classes = root, below, classes
        self.number = {name: label for label, name in enumerate(classes)}
        self.skipped: list[str] = []
        self.skipped_count = self.unplaced = 0
        self.unknown: Counter[str] = Counter()
        self.names, self.numbers = Names(), array("i")

    def add(self, path: str) -> None:
        """Append the image at ``path``, relative to the root."""
        self.names.append(path)
        name = self.class_of(path)
        label = -1 if name is None else self.number.get(name, -1)
        self.numbers.append(label)
        if name is None:
            self.unplaced += 1
        elif label < 0:
            self.unknown[name] += 1

    def class_of(self, path: str) -> str | None:
        """The name of the class that the image at a path is of; None: it is in no class folder."""
        first, slash, _ = path[len(f"{self.below}/") if self.below else 0 :].partition("/")
        return first if slash else None

    def skip(self, path: str) -> None:
        """Count a file that is not an image."""
        self.skipped_count += 1
        if len(self.skipped) < NAMED:
            self.skipped.append(path)

    def __len__(self) -> int:
        return len(self.numbers)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return decode_file(self.file(index), self.white)

    def file(self, index: int) -> str:
        """Where an image lies."""
        return f"{self.root}/{self.names[index]}"

    def describe(self, index: int) -> str:
        return os.fsencode(self.names[index]).decode("utf-8", "replace")

    def label(self, index: int) -> int:
        return self.numbers[index]

    def why_unlabelled(self, index: int) -> str:
        name = self.class_of(self.describe(index))
        return "it is in no class folder" if name is None else not_in_training(name, self.classes)

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        if self.masks is None:
            return None
        path = self.mask_file(index)
        try:
            data = file_content(path)
        except CorruptImage as error:
            raise CorruptImage(f"the mask {path} {error}") from error
        except FileNotFoundError:
            raise ValueError(f"the mask of {self.describe(index)} is missing: there is no file {path}") from None
        except OSError as error:
            raise CorruptImage(f"the mask {path} cannot be read: {error.strerror}") from error
        return decode_mask(data, self.mask_classes, f"the mask {path}", self.mask_ignore)

    def mask_file(self, index: int) -> str:
        """Where the mask of an image lies."""
        return f"{self.masks}/{os.path.splitext(self.names[index])[0]}.png"  # noqa: PTH122 - as below

    def without_mask(self) -> list[int]:
        """The images that have no mask."""
        return [index for index in range(len(self)) if not os.path.exists(self.mask_file(index))]  # noqa: PTH110 - as below
