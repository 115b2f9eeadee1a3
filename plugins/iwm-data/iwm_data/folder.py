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
- What was found in a large folder is kept, and found again by the times of its folders (`iwm_data.layout`, `iwm_data.listing`).
"""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from iwm_core.interfaces import NOT_COUNTED, DataSource, option
from iwm_data.classes import called_alike, labels_told
from iwm_data.decode import white_note
from iwm_data.files import NAMED, FolderImages
from iwm_data.layout import Reading
from iwm_data.masks import check_mask_classes, check_masks, shared_masks
from iwm_data.overlap import Found, check_once
from iwm_data.splits import listed


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
        layout, notes = Reading(root, tuple(self.extensions), self.holdout, self.masks).layout()
        train, validation, both = layout.train, layout.validation, layout.both
        base = f"{root}/{train}".rstrip("/")
        below = validation if split == "validation" and validation else train
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
        images.notes += (f"no image in {listed(layout.empty, NAMED)}, of {base}: no class",) if layout.empty else ()
        images.notes += called_alike(layout.classes) + labels_told(both["train"].images, both["validation"].images)
        images.notes += ((layout.beside,) if layout.beside else ()) + notes
        images.notes += white_note(images, images.file) if self.white is None else ()
        return images

    def _why_empty(self, both: dict[str, Found], folder: str, split: str, validation: str | None) -> str:
        images = both[split].images
        if validation is None and any(len(found.images) for found in both.values()):
            return f"data.holdout={self.holdout:g} leaves no image of {folder} for {split}: change it, or make folders train and validation"
        others = f"; other files there: {images.skipped_count}, such as {images.skipped[0]}" if images.skipped else ""
        return f"{folder} holds no images ({', '.join(self.extensions)}){others}: check data.path, or set data.extensions"
