"""Segmentation masks from files: images of one channel whose values are class indices.

Decisions:
- Values are taken as they are, never as colours: grey of 8 or 16 bits, a palette's indices, or black and white as 1 and 0.
- The values that ``data.mask_ignore`` lists, 255 where nothing is said, mark pixels that do not count; every other value must have a name.
  The names belong to the values from 0 on without those: with 0 among them, the first name is that of 1.
- A mask that cannot be decoded is a corrupt image like any other. A mask of another kind is a mistake, which would be in all of them.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage
from iwm_data.decode import opened, reason, upright

if TYPE_CHECKING:
    from iwm_data.files import FolderImages

IMAGES = ("images", "image", "imgs", "img")
MASKS = ("masks", "mask", "labels", "label", "annotations", "annotation", "segmentation", "segmentations")
MODES = ("1", "L", "P", "I", "I;16", "I;16L", "I;16B", "I;16N")


def decode_mask(data: bytes, classes: Sequence[str], what: str, ignored: Sequence[int] = (NOT_COUNTED,)) -> UInt8[Tensor, "h w"]:
    """The mask in the content of an image file.

    Args:
        data: the content.
        classes: names of the values from 0 on, without those that are ignored.
        what: what to call the mask in a message.
        ignored: values of pixels that do not count.

    Raises:
        CorruptImage: it cannot be decoded.
        ValueError: it has colours, or values without a name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = upright(opened(data))
            image.load()
        except CorruptImage as error:
            raise CorruptImage(f"{what}: {error}") from error
        except Exception as error:  # as in `decode`
            raise CorruptImage(f"{what}: cannot be decoded: {reason(error)}") from error
    if image.mode not in MODES:
        raise ValueError(f"{what} has colours ({image.mode}): write masks as images of one channel whose values are class indices")
    values = np.array(image).astype(np.int64)
    counted = [value for value in range(len(classes) + len(ignored)) if value not in ignored][: len(classes)]
    place = np.full(max([*counted, *ignored]) + 1, -1)
    place[counted], place[list(ignored)] = np.arange(len(classes)), NOT_COUNTED
    known = (values >= 0) & (values < len(place))
    found = np.where(known, place[np.where(known, values, 0)], -1)
    if (found < 0).any():
        others = f"{values[found < 0].max()}, and data.mask_classes names {len(classes)} ({counted[0]} to {counted[-1]})"
        raise ValueError(f"{what} has the value {others}: name them all, or add those that do not count to data.mask_ignore={[*ignored]}")
    return torch.from_numpy(found.astype(np.uint8))


def check_mask_classes(classes: Sequence[str], masks: str | None, field: str, ignored: Sequence[int]) -> None:
    """Check that masks and the names of their values come together.

    Raises:
        ValueError: one is missing, there are too many names, or a value cannot be in a mask.
    """
    if not all(0 <= value < 2**16 for value in ignored):
        raise ValueError(f"data.mask_ignore={[*ignored]} must list values of masks, from 0 to 65535")
    if masks is not None and not classes:
        raise ValueError(f"data.{field} needs data.mask_classes: name what the values of masks stand for, from 0 on")
    if masks is None and classes:
        raise ValueError(f"data.mask_classes needs data.{field}: say where the masks are")
    names = [" ".join(name.split()) for name in classes]
    if "" in names:
        raise ValueError(f"data.mask_classes={[*classes]} has an empty name: name each class, or add its value to data.mask_ignore")
    if again := next((name for place, name in enumerate(names) if name in names[:place]), None):
        raise ValueError(f"data.mask_classes={[*classes]} names {again} twice: two classes need two names, as in [{again},{again} 2]")
    if len(classes) > NOT_COUNTED:
        raise ValueError(f"data.mask_classes has {len(classes)} names; masks have at most {NOT_COUNTED} classes, 0 to {NOT_COUNTED - 1}")


def check_no_masks(folder: str, classes: Sequence[str]) -> None:
    """Refuse folders of images and of their masks that would be taken for two classes.

    Raises:
        ValueError: there are both.
    """
    images, masks = (next((name for name in classes if name.casefold() in words), None) for words in (IMAGES, MASKS))
    if images and masks:
        raise ValueError(
            f"{folder}/{masks} looks like the masks of {folder}/{images}, and would be a class: data.path={folder}/{images} "
            f'data.masks={folder}/{masks} "data.mask_classes=[…]"; classes need other names'
        )


def check_apart(masks: str, folders: Sequence[str]) -> None:
    """Refuse masks in a folder of images, which would be taken for images.

    Raises:
        ValueError: they lie there.
    """
    there = Path(masks).expanduser().resolve()
    for folder in folders:
        if there.is_relative_to(Path(folder).resolve()):
            raise ValueError(f"data.masks={masks} lies among the images of {folder.rstrip('/')}: move it out of there")


def check_masks(images: "FolderImages") -> None:
    """Refuse images without a mask.

    Raises:
        ValueError: there are such.
    """
    missing = images.without_mask()
    if missing:
        count = f"{len(missing)} of {len(images)} images have no mask, such as" if len(missing) > 1 else "no mask for"
        raise ValueError(
            f"{count} {images.describe(missing[0])}: there is no file {images.mask_file(missing[0])}; add it, or check data.masks"
        )


def shared_masks(images: "FolderImages") -> tuple[str, ...]:
    """A note where images that differ in their endings alone have one mask."""
    first: dict[int, int] = {}
    again = []
    for index in range(len(images)):
        other = first.setdefault(hash(images.mask_file(index)), index)
        if other != index and images.mask_file(other) == images.mask_file(index):
            again.append((other, index))
    if not again:
        return ()
    one, other = map(images.describe, again[0])
    return (f"images that share a mask with another one: {len(again)}, such as {one} and {other}: name them apart",)
