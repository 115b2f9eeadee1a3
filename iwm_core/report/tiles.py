"""Pictures as data inside the page.

Decisions:
- An image larger than a tile is made smaller and stored as JPEG: a gallery of photographs would else weigh megabytes. Smaller ones go in as
  they are.
- Maps of a few patches are enlarged with hard edges, photographs smoothly.
"""

import base64
import io
from pathlib import Path
from typing import NamedTuple

from PIL import Image

TILE = 192  # pixels: twice the size on the page, for fine screens
COARSE = 32  # pixels: smaller ones are maps of patches
TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".svg": "image/svg+xml", ".webp": "image/webp"}


class Tile(NamedTuple):
    """An image as a data address, and whether it is a map of patches."""

    address: str
    coarse: bool


def tile(path: Path) -> Tile:
    """An image of a gallery.

    Raises:
        OSError: it is missing or no image.
    """
    content, kind = path.read_bytes(), "image/png"
    with Image.open(io.BytesIO(content)) as image:
        size = max(image.size)
        if size > TILE:
            image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
            small = io.BytesIO()
            image.convert("RGB").save(small, "JPEG", quality=90)
            content, kind = small.getvalue(), "image/jpeg"
    return Tile(address(content, kind), size < COARSE)


def picture(path: Path) -> str:
    """A file that an evaluator drew itself, as it is.

    Raises:
        OSError: it is missing.
        ValueError: no browser shows such a file.
    """
    if path.suffix.lower() not in TYPES:
        raise ValueError(f"{path.name} is no picture for a page: {', '.join(TYPES)} are")
    return address(path.read_bytes(), TYPES[path.suffix.lower()])


def address(content: bytes, kind: str) -> str:
    """Bytes as a data address."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
