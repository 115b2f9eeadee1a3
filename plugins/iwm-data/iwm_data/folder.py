"""Component `folder`: the image files below a folder.

Decisions:
- Layouts: ``PATH/train`` beside ``PATH/validation``, by any of their names (`iwm_data.splits`); ``PATH/train`` alone; else ``PATH``
  itself. Where there is no validation folder, a hash of each image's relative path decides whether it is held out: adding files moves
  no other file.
- The first level of folders names the classes (of the training folder, for both splits); images above it, and validation images of other
  classes, have no label; they are reported. Deeper levels mean nothing. A folder without an image is not a class, and is reported.
- Folders are walked as `iwm_data.walk` does it.
- What is trained on is not measured on, and no folder is in two classes, whatever its name (`iwm_data.overlap`).
- The mask of an image has its path, from another folder and with the ending .png. That each image has one is checked when they are opened.
- The paths of a split are one block of bytes: a million cost tens of MB, travel to the workers in one piece, and forked workers share them.
"""

import os
from array import array
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from jaxtyping import UInt8
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage, DataSource, Images, option
from iwm_data.classes import called_alike, labels_told, not_in_training
from iwm_data.decode import decode_file, file_content, white_note
from iwm_data.masks import check_apart, check_mask_classes, check_masks, check_no_masks, decode_mask, shared_masks
from iwm_data.overlap import Found, check_once
from iwm_data.splits import SPLIT_OF, check_below, held_out, left_out, listed, split_folders
from iwm_data.walk import entries, identity_of, is_folder, walk

NAMED = 10  # how many skipped files are kept by name


class FolderImages(Images):
    """The image files of one split.

    Attributes:
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
        self._names = bytearray()
        self._ends = array("q", [0])
        self._labels = array("i")

    def add(self, path: str) -> None:
        """Append the image at ``path``, relative to the root."""
        self._names += os.fsencode(path)
        self._ends.append(len(self._names))
        name = self.class_of(path)
        label = -1 if name is None else self.number.get(name, -1)
        self._labels.append(label)
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
        return len(self._labels)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return decode_file(self.file(index), self.white)

    def file(self, index: int) -> str:
        """Where an image lies."""
        return f"{self.root}/{os.fsdecode(self._name(index))}"

    def describe(self, index: int) -> str:
        return self._name(index).decode("utf-8", "replace")

    def label(self, index: int) -> int:
        return self._labels[index]

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
        return f"{self.masks}/{os.path.splitext(os.fsdecode(self._name(index)))[0]}.png"  # noqa: PTH122 - as below

    def without_mask(self) -> list[int]:
        """The images that have no mask."""
        return [index for index in range(len(self)) if not os.path.exists(self.mask_file(index))]  # noqa: PTH110 - as below

    def _name(self, index: int) -> bytes:
        return bytes(self._names[self._ends[index] : self._ends[index + 1]])


@dataclass(kw_only=True)
class Folder(DataSource):
    """Image files below a folder, one folder a class where there are classes."""

    name: ClassVar[str] = "folder"
    path: str = option(
        doc="the folder: train/ and validation/ (val/, valid/, test/) in it, in any case, or images, or one folder of images a class",
        path=True,
    )
    extensions: list[str] = option(
        ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "avif"],
        "which files are images, by the end of their names",
    )
    holdout: float = option(0.1, "share of the images kept for validation where there is no validation folder", low=0, high=1)
    masks: str | None = option(
        None, "folder of segmentation masks with the paths of the images in data.path, but .png: images of one channel", path=True
    )
    mask_classes: list[str] = option([], "names of the values of masks, from 0 on, without those of mask_ignore")
    mask_ignore: list[int] = option([NOT_COUNTED], "values of masks whose pixels do not count, such as [0,255]")
    white: float | None = option(
        None, "value of white in images of 16 or 32 bits a colour, such as 4095; null: the end of the range of bits of each image", low=1e-6
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ValueError("data.path is empty: name the folder that holds the images")
        if not self.extensions:
            raise ValueError("data.extensions is empty: name at least one, such as jpg")
        check_mask_classes(self.mask_classes, self.masks, "masks", self.mask_ignore)

    @classmethod
    def take(cls, given: Any) -> Any:
        return nullcontext({"path": os.fspath(given)}) if isinstance(given, str | os.PathLike) else None

    def open(self, split: str) -> FolderImages:
        """The images of ``train`` or ``validation``.

        Raises:
            ValueError: no such folder, an ambiguous or unreadable one, or no images for this split; the text names the fix.
        """
        assert split in ("train", "validation"), split
        root = str(Path(self.path).expanduser())
        train, validation = split_folders(root)
        base = f"{root}/{train}".rstrip("/")
        folders = [entry.name for entry in entries(base) if is_folder(entry)]
        classes = tuple(name for name in folders if self._has_image(base, name))
        check_no_masks(base, classes) if self.masks is None else check_apart(self.masks, [base, f"{root}/{validation or train}"])
        below = validation if split == "validation" and validation else train
        both = self._scan(root, train, validation, classes)
        images = both[split].images
        if not len(images):
            raise ValueError(self._why_empty(both, f"{root}/{below}".rstrip("/"), split, validation))
        images.notes = check_once(both["train"], both["validation"], validation)
        if self.masks is not None:
            images.masks, images.mask_classes = str(Path(self.masks).expanduser()), tuple(self.mask_classes)
            images.mask_ignore = tuple(self.mask_ignore)
            check_masks(images)
            images.notes += shared_masks(images)
        images.white = self.white
        empty = [name for name in folders if name not in classes]
        images.notes += (f"no image in {listed(empty, NAMED)}, of {base}: no class",) if empty else ()
        images.notes += called_alike(classes) + labels_told(both["train"].images, both["validation"].images)
        images.notes += self._left_out(root, train, validation)
        images.notes += white_note(images, images.file) if self.white is None else ()
        return images

    def _has_image(self, folder: str, name: str) -> bool:
        """Whether there is an image in one of a folder's folders, or in those below it: by a link back to the folder there is none."""
        return any(file is not None and self._is_image(path) for path, file in walk(folder, name, frozenset({identity_of(folder)})))

    def _left_out(self, root: str, train: str, validation: str | None) -> tuple[str, ...]:
        """A note of the images that lie in neither of the splits' folders; masks do not count."""
        there = entries(root) if train else []
        loose = [entry.name for entry in there if not is_folder(entry) and self._is_image(entry.name)]
        folders = left_out([entry.name for entry in there if is_folder(entry)], train, validation)
        masks = Path(self.masks).expanduser().resolve() if self.masks is not None else None
        folders = [name for name in folders if not (masks and masks.is_relative_to(Path(root, name).resolve()))]
        folders = [name for name in folders if self._has_image(root, name)]
        what = [f"the images in {listed(folders)}"] if folders else []
        what += [f"{len(loose)} images such as {loose[0]}" if len(loose) > 1 else f"the image {loose[0]}"] if loose else []
        beside = f"{train} and {validation}" if validation else train
        return (f"left out, beside {beside} in {root}: {', '.join(what)}",) if what else ()

    def _is_image(self, path: str) -> bool:
        """Whether a file is an image by its name."""
        ending = os.path.splitext(path)[1].lower().lstrip(".")  # noqa: PTH122 - a million Path objects take seconds
        return any(ending == extension.lower().lstrip(".") for extension in self.extensions)

    def _scan(self, root: str, train: str, validation: str | None, classes: tuple[str, ...]) -> dict[str, Found]:
        """The images of both splits: of the two folders below the root, or parted by the holdout."""
        both = {
            split: FolderImages(root, below if below is not None else train, classes)
            for split, below in (("train", train), ("validation", validation))
        }
        which = {split: array("q") for split in both}
        for below, split in ((train, None),) if validation is None else ((train, "train"), (validation, "validation")):
            deeper: set[tuple[str, str]] = set()
            start = len(f"{below}/") if below else 0
            for path, file in walk(root, below):
                side = split or ("validation" if held_out(path, self.holdout) else "train")
                if file is not None and self._is_image(path):
                    both[side].add(path)
                    which[side].append(file)
                    folders = path[start:].split("/", 2)[:-1]
                    if len(folders) > 1 and folders[1].casefold() in SPLIT_OF:
                        deeper.add((folders[0], folders[1]))
                else:
                    for one in both if split is None else (split,):
                        both[one].skip(path)
            check_below(f"{root}/{below}".rstrip("/"), deeper)
        return {split: Found(images, which[split]) for split, images in both.items()}

    def _why_empty(self, both: dict[str, Found], folder: str, split: str, validation: str | None) -> str:
        images = both[split].images
        if validation is None and any(len(found.images) for found in both.values()):
            return f"data.holdout={self.holdout:g} leaves no image of {folder} for {split}: change it, or make folders train and validation"
        others = f"; other files there: {images.skipped_count}, such as {images.skipped[0]}" if images.skipped else ""
        return f"{folder} holds no images ({', '.join(self.extensions)}){others}: check data.path, or set data.extensions"
