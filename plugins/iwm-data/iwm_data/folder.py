"""Component `folder`: the image files below a folder.

Decisions:
- Layouts: ``PATH/train`` beside ``PATH/validation`` (or ``val``, ``valid``, ``test``); ``PATH/train`` alone; else ``PATH`` itself. Where
  there is no validation folder, a hash of each image's relative path decides whether it is held out: adding files moves no other file.
- What could be meant in two ways is refused: ``train`` among other folders may be a split or a class of trains.
- The first level of folders names the classes (of the training folder, for both splits); images above it, and validation images of other
  classes, have no label. Deeper levels mean nothing. A folder without an image is no class, which is told.
- Folders are walked as `iwm_data.walk` does it.
- What is trained on is not measured on: both splits share no folder, whatever its name.

- What is trained on is not measured on, and no folder is in two classes, whatever its name (`iwm_data.apart`).
- The mask of an image has its path, from another folder and with the ending .png. That each image has one is checked when they are opened.
- The paths of a split are one block of bytes: a million cost tens of MB, travel to the workers in one piece, and forked workers share them.
"""

import hashlib
import os
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jaxtyping import UInt8
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage, DataSource, Images, option
from iwm_core.run.files import exists, looked_for
from iwm_data.apart import Found, check_once
from iwm_data.decode import decode_file, file_content, white_note
from iwm_data.masks import check_mask_classes, decode_mask
from iwm_data.walk import entries, identity_of, is_folder, walk

VALIDATION = ("validation", "val", "valid", "test")
NAMED = 10  # how many skipped files are kept by name


class FolderImages(Images):
    """The image files of one split.

    Attributes:
        skipped: relative paths of the first files that are no images (by extension), links that lead nowhere or in a circle.
        skipped_count: how many there are of those.
        masks: the folder of the masks; None where there are none.
        mask_ignore: values of masks that do not count.
        white: what value is white in images of more than 8 bits; None: not told.
    """

    masks: str | None = None
    mask_ignore: tuple[int, ...] = (NOT_COUNTED,)
    white: float | None = None

    def __init__(self, root: str, classes: tuple[str, ...]) -> None:
        self.root, self.classes = root, classes
        self.skipped: list[str] = []
        self.skipped_count = 0
        self._names = bytearray()
        self._ends = array("q", [0])
        self._labels = array("i")

    def add(self, path: str, label: int) -> None:
        """Append the image at ``path``, relative to the root."""
        self._names += os.fsencode(path)
        self._ends.append(len(self._names))
        self._labels.append(label)

    def skip(self, path: str) -> None:
        """Count a file that is no image."""
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
        doc="the folder: train/ and validation/ (val/, valid/, test/) in it, or images, or one folder of images a class", path=True
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

    def open(self, split: str) -> FolderImages:
        """The images of ``train`` or ``validation``.

        Raises:
            ValueError: no such folder, an ambiguous or unreadable one, or no images for this split; the text names the fix.
        """
        assert split in ("train", "validation"), split
        root = str(Path(self.path).expanduser())
        train, validation = split_folders(root)
        folders = [entry.name for entry in entries(f"{root}/{train}") if is_folder(entry)]
        classes = tuple(name for name in folders if self._has_image(f"{root}/{train}".rstrip("/"), name))
        below = validation if split == "validation" and validation else train
        both = self._scan(root, train, validation, classes)
        images = both[split].images
        if not len(images):
            raise ValueError(self._why_empty(both, f"{root}/{below}".rstrip("/"), split, validation))
        images.notes = check_once(both["train"], both["validation"], validation)
        if self.masks is not None:
            images.masks, images.mask_classes = str(Path(self.masks).expanduser()), tuple(self.mask_classes)
            images.mask_ignore = tuple(self.mask_ignore)
            self._check_masks(images, f"{root}/{below}")
        images.white = self.white
        empty = [name for name in folders if name not in classes]
        images.notes += (f"no image in {', '.join(empty[:NAMED])}, of {root}/{train}".rstrip("/") + ": no class",) if empty else ()
        images.notes += white_note(images, images.file) if self.white is None else ()
        return images

    def _has_image(self, folder: str, name: str) -> bool:
        """Whether there is an image in one of a folder's folders, or in those below it: by a link back to the folder there is none."""
        return any(file is not None and self._is_image(path) for path, file in walk(folder, name, frozenset({identity_of(folder)})))

    def _is_image(self, path: str) -> bool:
        """Whether a file is an image by its name."""
        ending = os.path.splitext(path)[1].lower().lstrip(".")  # noqa: PTH122 - a million Path objects take seconds
        return any(ending == extension.lower().lstrip(".") for extension in self.extensions)

    def _check_masks(self, images: FolderImages, folder: str) -> None:
        """Refuse masks that would be taken for images, and images without a mask."""
        assert images.masks is not None
        if Path(images.masks).resolve().is_relative_to(Path(folder).resolve()):
            raise ValueError(f"data.masks={self.masks} lies among the images of {folder.rstrip('/')}: move it out of there")
        missing = images.without_mask()
        if missing:
            count = f"{len(missing)} of {len(images)} images have no mask, such as" if len(missing) > 1 else "no mask for"
            raise ValueError(
                f"{count} {images.describe(missing[0])}: there is no file {images.mask_file(missing[0])}; add it, or check data.masks"
            )

    def _scan(self, root: str, train: str, validation: str | None, classes: tuple[str, ...]) -> dict[str, Found]:
        """The images of both splits: of the two folders below the root, or parted by the holdout."""
        both = {split: FolderImages(root, classes) for split in ("train", "validation")}
        which = {split: array("q") for split in both}
        number = {name: label for label, name in enumerate(classes)}
        for below, split in ((train, None),) if validation is None else ((train, "train"), (validation, "validation")):
            start = len(f"{below}/") if below else 0
            for path, file in walk(root, below):
                side = split or ("validation" if held_out(path, self.holdout) else "train")
                if file is not None and self._is_image(path):
                    first, slash, _ = path[start:].partition("/")
                    both[side].add(path, number.get(first, -1) if slash else -1)
                    which[side].append(file)
                else:
                    for one in both if split is None else (split,):
                        both[one].skip(path)
        return {split: Found(images, which[split]) for split, images in both.items()}

    def _why_empty(self, both: dict[str, Found], folder: str, split: str, validation: str | None) -> str:
        images = both[split].images
        if validation is None and any(len(found.images) for found in both.values()):
            return f"data.holdout={self.holdout:g} leaves no image of {folder} for {split}: change it, or make folders train and validation"
        others = f"; other files there: {images.skipped_count}, such as {images.skipped[0]}" if images.skipped else ""
        return f"{folder} holds no images ({', '.join(self.extensions)}){others}: check data.path, or set data.extensions"


def split_folders(root: str) -> tuple[str, str | None]:
    """Names of the folders of both splits below the root; the root itself is ``""``, no validation folder is None.

    Raises:
        ValueError: there is no such folder, or it may be read in two ways.
    """
    if not exists(root):
        raise ValueError(f"there is no folder {looked_for(root)}: check data.path (data.path=FOLDER, where the images are)")
    if not os.path.isdir(root):  # noqa: PTH112
        raise ValueError(f"{root} is a file: data.path must name the folder that holds the images (for a parquet file choose data=hub)")
    folders = [entry.name for entry in entries(root) if is_folder(entry)]
    validation = next((name for name in VALIDATION if name in folders), None)
    if "train" not in folders:
        if validation is not None:
            raise ValueError(f"{root} has a folder {validation} but none named train: rename the training folder, or change data.path")
        return "", None
    if validation is None and len(folders) > 1:
        other = next(name for name in folders if name != "train")
        raise ValueError(
            f"is {root}/train a split or a class, beside {other}? For a split, name the validation folder {root}/validation; "
            f"for a class, move all classes into a folder {root}/train"
        )
    return "train", validation


def held_out(path: str, share: float) -> bool:
    """Whether the image at a relative path belongs to the held-out share; depends on nothing else."""
    digest = hashlib.blake2s(os.fsencode(path), digest_size=4).digest()
    return int.from_bytes(digest, "little") < share * 2**32
