"""What people have for an image, outside of files and tables that we read: to uint8 RGB.

Decisions:
- Taken are Pillow's images, paths of files, arrays with channels last and tensors with channels first, each as its library has them; grey
  becomes RGB. Floats lie in [0, 1] and are rounded to 8 bits, as all images that models are trained on are.
- Nothing is guessed: what was normalised, has 255 for white or its channels elsewhere is refused, with the line that mends it.
- An item of a dataset is an image, or a sequence that begins with one and may go on with a label, or a mapping that has both by their
  usual names.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from iwm_core.interfaces import CorruptImage
from iwm_data.decode import decode, decode_file

IMAGE_NAMES = ("image", "img", "images", "picture", "jpg", "jpeg", "png", "webp")
LABEL_NAMES = ("label", "labels", "fine_label", "class", "cls", "target", "category")

OVERSHOOT = 0.1
"""How far outside [0, 1] floats may lie, as resizing leaves them: they are clipped."""


class Item(NamedTuple):
    """An item of a dataset.

    Attributes:
        image: as it came.
        label: as it came; None where there is none.
        key: the name that the image has in a mapping.
    """

    image: Any
    label: Any = None
    key: str | None = None


def item_of(given: Any) -> Item:
    """The parts of an item.

    Raises:
        ValueError: a mapping without an image, or an empty sequence.
    """
    if isinstance(given, Mapping):
        key = next((name for name in IMAGE_NAMES if name in given), None)
        if key is None:
            raise ValueError(f"an item has {', '.join(map(str, given)) or 'nothing'}, and no image among them: call it image")
        return Item(given[key], next((given[name] for name in LABEL_NAMES if name in given), None), key)
    if isinstance(given, Sequence) and not isinstance(given, str | bytes):
        if not given:
            raise ValueError("an item is an empty sequence: it is an image, or begins with one")
        return Item(given[0], given[1] if len(given) > 1 else None)
    return Item(given)


def pixels_of(given: Any, white: float | None = None) -> UInt8[Tensor, "3 h w"]:
    """An image of any kind, as upright RGB.

    Args:
        white: what value is white in images of more than 8 bits, as of `iwm_data.decode.decode`.

    Raises:
        ValueError: it is no image, or one in other numbers; the text names the fix.
        CorruptImage: a file or Pillow image that cannot be decoded.
    """
    if isinstance(given, Image.Image):
        return decode(given, white)
    if isinstance(given, str | os.PathLike):
        try:
            return decode_file(os.fspath(given), white)
        except CorruptImage as error:
            raise CorruptImage(f"{os.fspath(given)} {error}") from error
    if isinstance(given, np.ndarray):
        return eight_bits(torch.from_numpy(np.ascontiguousarray(first(given))))
    if isinstance(given, Tensor):
        return eight_bits(first(given))
    raise ValueError(f"an image is Pillow's, an array, a tensor, or the path of a file; got a {type(given).__name__}")


def first(given: Any) -> Any:
    """An array or tensor with its channels first, one or three of them.

    Raises:
        ValueError: they are elsewhere, or others.
    """
    array, shape = isinstance(given, np.ndarray), list(given.shape)
    if given.ndim == 2:
        return given[None]
    place = 2 if array else 0
    if given.ndim == 3 and shape[place] in (1, 3):
        return given.transpose(2, 0, 1) if array else given
    what, order = ("an array", "[h, w, 3]") if array else ("a tensor", "[3, h, w]")
    swapped = given.ndim == 3 and shape[2 - place] in (1, 3)
    fix = ("; write image.transpose(1, 2, 0)" if array else "; write image.permute(2, 0, 1)") if swapped else ""
    raise ValueError(f"{what} that is an image has the shape {order}, or [h, w] where it is grey; got {shape}{fix}")


def eight_bits(pixels: Tensor) -> UInt8[Tensor, "3 h w"]:
    """Pixels with channels first as bytes of three channels, in memory of their own.

    Raises:
        ValueError: numbers that are neither bytes nor floats in [0, 1].
    """
    if pixels.numel() == 0:
        raise ValueError(f"an image has no pixels: its shape is {list(pixels.shape)}")
    if pixels.is_floating_point():
        low, high = torch.stack(pixels.detach().aminmax()).tolist()
        if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):  # so written, NaN is refused too
            fix = "divide by 255" if low >= 0 and high < 256 else "undo its normalisation"
            raise ValueError(f"an image of floats lies in [0, 1], got values from {low:.4g} to {high:.4g}; {fix}, or give bytes")
        pixels = pixels.detach().float().clamp(0, 1).mul(255).round().to(torch.uint8)
    elif pixels.dtype != torch.uint8:
        kind = str(pixels.dtype).removeprefix("torch.")
        raise ValueError(f"an image is of uint8, or of floats in [0, 1]; got {kind}")
    return pixels.cpu().expand(3, -1, -1).clone(memory_format=torch.contiguous_format)
