"""Bytes of an image file to a uint8 RGB tensor.

Decisions:
- Pillow decodes: one path for every format. Of an animation the first frame is taken.
- The EXIF orientation is applied: the tensor is what a viewer shows. An orientation that cannot be read is none.
- Transparency is dropped and the stored colours kept, as the field's other loaders do (`Image.convert("RGB")`), so that a model meets
  the same pixels here and there.
- Grey of more than 8 bits is scaled, not clipped: white is 65535 for whole numbers; for floats it is 1 where no value is larger, else 255.
  Values outside these ranges have no known white: such an image is corrupt rather than guessed.
- A file may declare any size in a few bytes, so images above `MOST_PIXELS` are refused before memory is taken for them.
- Pillow's warnings concern its own callers and are kept quiet. Python's warning filters belong to the process: decode in processes,
  not in threads at once.
"""

import io
import warnings

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image
from torch import Tensor

from iwm_core.interfaces import CorruptImage

MOST_PIXELS = 100_000_000
"""The largest image that is decoded, in pixels: 300 MB as RGB."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation (EXIF 2.32, tag 0x0112) to what brings the image upright; 1 is upright already."""


def decode(data: bytes | Image.Image) -> UInt8[Tensor, "3 h w"]:
    """The upright RGB image in ``data``, the content of an image file or a Pillow image (left as it is).

    Returns a contiguous tensor with memory of its own.

    Raises:
        CorruptImage: no image, a broken or truncated one, or one with more than `MOST_PIXELS` pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels = planes(upright(opened(data)))
        except CorruptImage:
            raise
        except Exception as error:  # foreign bytes make Pillow's readers raise nearly anything: struct.error, SyntaxError, KeyError, ...
            raise CorruptImage(f"cannot be decoded: {reason(error)}") from error
    return torch.from_numpy(pixels)


def decode_file(path: str) -> UInt8[Tensor, "3 h w"]:
    """The upright RGB image in a file.

    Raises:
        CorruptImage: the file cannot be read, or as in `decode`.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path object costs as much as opening the file
            data = file.read()
    except OSError as error:
        raise CorruptImage(f"cannot be read: {error.strerror}") from error
    return decode(data)


def opened(data: bytes | Image.Image) -> Image.Image:
    """``data`` as a Pillow image whose pixels are loaded."""
    if isinstance(data, bytes):
        if not data:
            raise CorruptImage("the file is empty")
        try:
            image = Image.open(io.BytesIO(data))
        except Image.UnidentifiedImageError:
            raise CorruptImage("not an image in a format that Pillow reads") from None
        except Image.DecompressionBombError:
            raise CorruptImage(f"larger than {MOST_PIXELS / 1e6:g} megapixels") from None
    else:
        image = data
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise CorruptImage(f"{width} x {height} pixels, larger than {MOST_PIXELS / 1e6:g} megapixels")
    if width * height == 0:
        raise CorruptImage("has no pixels")
    image.load()
    return image


def upright(image: Image.Image) -> Image.Image:
    """A loaded image after its EXIF orientation; PNG may keep that behind the pixels, and of TIFF loading has already applied it."""
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF: the pixels are whole, and every viewer shows them unturned
        turn = None
    return image if turn is None else image.transpose(turn)


def planes(image: Image.Image) -> np.ndarray:
    """A loaded image of any mode as new uint8 [3, h, w]."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        grey = eight_bits(np.asarray(image))
        return np.array(np.broadcast_to(grey, (3, *grey.shape)), order="C")
    if image.mode != "RGB":
        image = image.convert("RGB")
    return np.array(np.asarray(image).transpose(2, 0, 1), order="C")


def eight_bits(grey: np.ndarray) -> np.ndarray:
    """Grey values of 16 or 32 bits to uint8, rounded; see the decisions above for what counts as white."""
    whole = np.issubdtype(grey.dtype, np.integer)
    white = 65535 if whole else 1 if grey.max() <= 1 else 255
    if not (grey.min() >= 0 and grey.max() <= white):  # so written, NaN is refused too
        raise CorruptImage(f"grey values outside 0 to {white}: what is white in them is not known")
    return np.rint(grey * (255 / white)).astype(np.uint8)


def reason(error: Exception) -> str:
    """The first line of an exception's text, or its kind where it has none."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
