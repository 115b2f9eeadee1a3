"""Colours of 16 bits, of which Pillow reads the high byte alone.

Decisions:
- Pillow has no mode for them, but its unpackers can take either byte of each: in what they call the other byte order it is the low one.
  So such a file is decoded twice, whatever its format (PNG, TIFF, PPM), compression and transparency.
- Grey beside transparency has no such unpacker: its four bytes a pixel are read as four colours, the first and second of which are grey.
"""

import sys
from typing import Any

from PIL import Image

OTHER_BYTE = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}
"""The end of an unpacker's name for colours of 16 bits, to that of the one that takes their low bytes."""

GREY = "LA;16B"


def is_deep(image: Image.Image) -> bool:
    """Whether a file's image, not loaded yet, has colours of 16 bits, or grey of as many beside transparency."""
    parts = getattr(image, "tile", ())
    return image.mode in ("RGB", "RGBA", "LA") and any(unpacker(codec, options)[-4:] in OTHER_BYTE for codec, _, _, options in parts)


def take_bytes(image: Any, low: bool) -> list[int]:
    """Let a deep image, not loaded yet, load the high or the low bytes of its colours.

    Returns which of its channels will hold red, green and blue.
    """
    grey, parts = False, []
    for part in image.tile:
        codec, extents, offset, options = part
        name = unpacker(codec, options)
        if name == GREY:
            grey, taken = True, "RGBA"
        else:
            taken = name[:-4] + OTHER_BYTE.get(name[-4:], name[-4:]) if low else name
        options = (taken, *options[1:]) if isinstance(options, tuple) and codec != "ppm" else taken
        parts.append(tuple.__new__(type(part), ("raw" if codec == "ppm" else codec, extents, offset, options)))
    image.tile = parts
    if grey:
        image._mode = "RGBA"
    return [int(low)] * 3 if grey else [0, 1, 2]


def unpacker(codec: str, options: Any) -> str:
    """Pillow's name of how a part of an image is stored, such as ``RGB;16B``."""
    if codec == "ppm":  # files with another largest value say by it what is white
        return "RGB;16B" if options == ("RGB", 65535) else ""
    name = options[0] if isinstance(options, tuple) and options else options
    return name if isinstance(name, str) else ""
