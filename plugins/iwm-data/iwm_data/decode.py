"""Bytes of an image file to a uint8 RGB tensor.

Decisions:
- Pillow decodes: one path for every format of `FORMATS`, whatever a file is called. Its other readers stay closed to foreign bytes:
  one runs Ghostscript. Of an animation the first frame is taken.
- The EXIF orientation is applied: the tensor is what a viewer shows. An orientation that cannot be read is ignored.
- Transparency is dropped and the stored colours kept, as the field's other loaders do (`Image.convert("RGB")`), so that a model meets
  the same pixels here and there.
- Grey and colours of more than 8 bits are scaled, all colours alike. Where the user says what is white (``data.white``), larger values are
  white, too. Else it is the end of the range of 8, 10, 12, 14 or 16 bits that the image's largest value lies in, since files of 16 bits
  often hold 12; for floats also 1, and a little overshoot is clipped.
  Values outside these ranges have no known white: such an image is corrupt rather than guessed.
- A file may declare any size in a few bytes, so images above `MOST_PIXELS` are refused before memory is taken for them; so are files above
  `MOST_BYTES`, and what is not a regular file is not waited for.
- Pillow's warnings concern its own callers and are kept quiet. Python's warning filters belong to the process: decode in processes,
  not in threads at once.
"""

import io
import os
import stat
import warnings
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import ExifTags, Image
from torch import Tensor

from iwm_core.interfaces import CorruptImage, Images
from iwm_data.deep_colour import is_deep, take_bytes

MOST_PIXELS = 100_000_000
"""The largest image that is decoded, in pixels: 300 MB as RGB."""

MOST_BYTES = 4 * MOST_PIXELS
"""The largest file of an image that is read, in bytes: four for each pixel of the largest image."""

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF")
"""What is decoded, by Pillow's names: the kinds of files that `extensions` has; the usual ones first, as they are tried in turn."""

WHITES = (255, 1023, 4095, 16383, 65535)
"""What may be white in images of more than 8 bits: the end of the range of as many bits as sensors have."""

OVERSHOOT = 0.1
"""How far floats may lie beyond black and white, as a share of white: resizing leaves such values, which are clipped."""

DIMMEST = 16
"""Floats up to less than this, and yet beyond 1, may have 1 or 255 for white: no image of 0 to 255 is as dark."""

LOOKED_AT = 8
"""Images of a split of which it is asked whether their white is known."""

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


def decode(data: bytes | Image.Image, white: float | None = None) -> UInt8[Tensor, "3 h w"]:
    """The upright RGB image in ``data``, the content of an image file or a Pillow image (left as it is).

    Args:
        white: what value is white in images of more than 8 bits a channel; None: see the decisions above.

    Returns a tensor with memory of its own. Of 8 bits, a pixel's colours lie side by side, as they are decoded: its crops are resized
    twice as fast so.

    Raises:
        CorruptImage: no image, a broken or truncated one, or one with more than `MOST_PIXELS` pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = opened(data)
            if isinstance(data, bytes) and is_deep(image):
                pixels = eight_bits(one_byte(data, low=False).astype(np.uint16) << 8 | one_byte(data, low=True), white)
            else:
                pixels = planes(upright(loaded(image)), white)
        except CorruptImage:
            raise
        except Exception as error:  # foreign bytes make Pillow's readers raise nearly anything: struct.error, SyntaxError, KeyError, ...
            raise CorruptImage(f"cannot be decoded: {reason(error)}") from error
    return torch.from_numpy(pixels)


def decode_file(path: str, white: float | None = None) -> UInt8[Tensor, "3 h w"]:
    """The upright RGB image in a file.

    Raises:
        CorruptImage: the file cannot be read, or as in `decode`.
    """
    try:
        data = file_content(path)
    except OSError as error:
        raise CorruptImage(f"cannot be read: {error.strerror}") from error
    return decode(data, white)


def file_content(path: str) -> bytes:
    """The content of an image's file.

    Raises:
        OSError: it cannot be read.
        CorruptImage: it is not a regular file, or has more than `MOST_BYTES`.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - so that a pipe is not waited for
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise CorruptImage("is a folder" if stat.S_ISDIR(about.st_mode) else "is a pipe or a device, no file")
        check_size(about.st_size)
        return file.read()


def check_size(size: int) -> None:
    """Refuse the content of a file that no image within `MOST_PIXELS` needs."""
    if size > MOST_BYTES:
        raise CorruptImage(f"has {size / 1e6:,.0f} MB, more than the {MOST_BYTES / 1e6:g} MB that an image's file may have")


def is_wide(data: bytes | str | None) -> bool:
    """Whether an image, given as content or path, has more than 8 bits a channel; decodes nothing, and False where it cannot be read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            content = file_content(data) if isinstance(data, str) else data
            if content is None:
                return False
            image = identified(content)
            return wide(image.mode) or is_deep(image)
        except Exception:  # the reading that follows says what is wrong
            return False


def white_note(images: Images, content: Callable[[int], bytes | str | None]) -> tuple[str, ...]:
    """What is reported of images whose white nobody has named, asked of a few of them; ``content`` gives the file of one, or its path."""
    some = range(0, len(images), max(1, len(images) // LOOKED_AT))
    one = next((images.describe(index) for index in some if is_wide(content(index))), None)
    whites = f"{', '.join(map(str, WHITES))}, of floats also 1"
    how = f"white is taken to be {whites}, whichever an image reaches first; name it with data.white=VALUE"
    return () if one is None else (f"images of more than 8 bits, such as {one}: {how}",)


def wide(mode: str) -> bool:
    """Whether images of a Pillow mode are grey of more than 8 bits."""
    return mode in ("I", "F") or mode.startswith("I;16")


def opened(data: bytes | Image.Image) -> Image.Image:
    """``data`` as a Pillow image of a size that may be loaded."""
    if isinstance(data, bytes):
        if not data:
            raise CorruptImage("the file is empty")
        check_size(len(data))
        try:
            image = identified(data)
        except Image.UnidentifiedImageError:
            raise CorruptImage("not an image in a format that iwm reads") from None
        except Image.DecompressionBombError:
            raise CorruptImage(f"larger than {MOST_PIXELS / 1e6:g} megapixels") from None
    else:
        image = data
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise CorruptImage(f"{width} x {height} pixels, larger than {MOST_PIXELS / 1e6:g} megapixels")
    if width * height == 0:
        raise CorruptImage("has no pixels")
    return image


def identified(content: bytes) -> Image.Image:
    """The image in the content of a file, its pixels not decoded yet.

    Raises:
        PIL.UnidentifiedImageError: it is none of `FORMATS`, or of one that this Pillow was built without.
    """
    try:
        return Image.open(io.BytesIO(content), formats=FORMATS[:-1])
    except Image.UnidentifiedImageError:
        if FORMATS[-1] not in Image.OPEN:  # before Pillow 11.3
            raise
        return Image.open(io.BytesIO(content), formats=FORMATS[-1:])


def loaded(image: Image.Image) -> Image.Image:
    """An image whose pixels are decoded."""
    image.load()
    return image


def one_byte(data: bytes, low: bool) -> np.ndarray:
    """The high or the low bytes of an upright image with colours of 16 bits, uint8 [3, h, w]."""
    image = opened(data)
    channels = take_bytes(image, low)
    return np.ascontiguousarray(np.asarray(upright(loaded(image))).transpose(2, 0, 1)[channels])


def upright(image: Image.Image) -> Image.Image:
    """A loaded image after its EXIF orientation; PNG may keep that behind the pixels, and of TIFF loading has already applied it."""
    try:
        turn = TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF: the pixels are whole, and every viewer shows them unturned
        turn = None
    return image if turn is None else image.transpose(turn)


def planes(image: Image.Image, white: float | None) -> np.ndarray:
    """A loaded image of any mode as new uint8 [3, h, w], which may be a view of [h, w, 3]."""
    if wide(image.mode):
        grey = eight_bits(np.asarray(image), white)
        return np.repeat(grey[None], 3, axis=0)
    if image.mode != "RGB":
        image = image.convert("RGB")
    return np.array(image).transpose(2, 0, 1)


def eight_bits(values: np.ndarray, white: float | None) -> np.ndarray:
    """Values of 16 or 32 bits to uint8, rounded; see the decisions above for what counts as white."""
    if white is None:
        white = white_of(values)
    elif not np.isfinite(values).all():
        raise CorruptImage("grey values that are not finite")
    return np.rint(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def white_of(values: np.ndarray) -> int:
    """What is taken for white in an image where nobody has said it.

    Raises:
        CorruptImage: nothing can be.
    """
    low, high, floats = values.min(), values.max(), not np.issubdtype(values.dtype, np.integer)
    over = OVERSHOOT if floats else 0.0
    white = next((end for end in ((1, *WHITES) if floats else WHITES) if high <= end * (1 + over)), None)
    if white is None or not low >= -over * white:  # so written, NaN is refused too
        raise CorruptImage(f"grey values outside 0 to {WHITES[-1]}: say what is white in them with data.white=VALUE")
    if floats and white == WHITES[0] and high < DIMMEST:
        raise CorruptImage(f"grey values up to {high:.3g}, of which white may be 1 or {WHITES[0]}: say which with data.white=VALUE")
    return white


def reason(error: Exception) -> str:
    """The first line of an exception's text, or its kind where it has none."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
