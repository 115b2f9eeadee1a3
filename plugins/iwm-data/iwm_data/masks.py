"""Segmentation masks from files: images of one channel whose values are the places of classes.

Decisions:
- Values are taken as they are, never as colours: grey of 8 or 16 bits, a palette's indices, or black and white as 1 and 0.
- The values that ``data.mask_ignore`` lists, 255 where nothing is said, mark pixels that do not count; every other value must have a name.
  The names belong to the values from 0 on without those: with 0 among them, the first name is that of 1.
- A mask that cannot be decoded is a corrupt image like any other. A mask of another kind is a mistake, which would be in all of them.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage
from iwm_data.decode import opened, reason, upright

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
        raise ValueError(f"{what} has colours ({image.mode}): write masks as images of one channel whose values are the places of classes")
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
    if len(classes) > NOT_COUNTED:
        raise ValueError(f"data.mask_classes has {len(classes)} names; masks have at most {NOT_COUNTED} classes, 0 to {NOT_COUNTED - 1}")
