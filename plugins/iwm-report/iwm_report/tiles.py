"""Pictures as data inside the page.

Decisions:
- A run may come from anyone, and its files name pictures: what the page shows lies in the run's directory, is a regular file and no link,
  and is a whole image of a kind that browsers show, within `MOST_BYTES` and `MOST_PIXELS`. All pictures of a page together take at most
  `MOST_IN_ALL`.
- An image larger than a tile is made smaller and stored as JPEG: a gallery of photographs would else weigh megabytes. Smaller ones go in as
  they are.
- Maps of a few patches are enlarged with hard edges, photographs smoothly.
- A drawing (SVG) stands in an ``<img>``, where browsers run no script and load nothing.
"""

import base64
import io
import os
import stat
import warnings
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

TILE = 192  # pixels: twice the size on the page, for fine screens
COARSE = 32  # pixels: smaller ones are maps of patches
MOST_BYTES, MOST_IN_ALL = 32_000_000, 256_000_000
MOST_PIXELS = 50_000_000
TYPES = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp"}


class Tile(NamedTuple):
    """An image as a data address, and whether it is a map of patches."""

    address: str
    coarse: bool


class Album:
    """The pictures of one page.

    Args:
        folders: the directories of its runs.
        checksums: of pictures, as far as their results tell.
    """

    def __init__(self, folders: Iterable[Path], checksums: dict[Path, str]) -> None:
        self.folders, self.checksums = [folder.resolve() for folder in folders], checksums
        self.left = MOST_IN_ALL

    def tile(self, path: Path) -> Tile:
        """An image of a gallery.

        Raises:
            OSError: it is missing.
            ValueError: it is not an image, or one that no page may show.
        """
        content = self.content(path)
        image = whole(content)
        size = max(image.size)
        kind = TYPES[image.format or ""]
        if size > TILE:
            image.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
            small = io.BytesIO()
            image.convert("RGB").save(small, "JPEG", quality=90)
            content, kind = small.getvalue(), TYPES["JPEG"]
        return Tile(self.address(content, kind), size < COARSE)

    def picture(self, path: Path) -> str:
        """A file that an evaluator drew itself, as it is.

        Raises:
            OSError, ValueError: as of `tile`.
        """
        content = self.content(path)
        if path.suffix.lower() != ".svg":
            return self.address(content, TYPES[whole(content).format or ""])
        if b"<svg" not in content or b"<!ENTITY" in content:
            raise ValueError("it is not a drawing that a browser shows")
        return self.address(content, "image/svg+xml")

    def content(self, path: Path) -> bytes:
        """The bytes of a file that lies in one of the runs."""
        if not any(path.resolve().is_relative_to(folder) for folder in self.folders):
            raise ValueError("it lies outside of the run")
        if path.is_symlink():
            raise ValueError("it is a link")
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:  # noqa: PTH123 - not for a pipe to be waited for
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise ValueError("it is not a regular file")
            if about.st_size > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_BYTES / 1e6:g} MB")
            content = file.read(MOST_BYTES)
        if self.checksums.get(path, told := f"{zlib.crc32(content):08x}") != told:
            raise ValueError("it is not the picture that was measured: its checksum is another")
        return content

    def address(self, content: bytes, kind: str) -> str:
        """Bytes as a data address."""
        self.left -= len(content)
        if self.left < 0:
            raise ValueError(f"the pictures of a page may have {MOST_IN_ALL / 1e6:g} MB in all; report fewer runs at once")
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def whole(content: bytes) -> Image.Image:
    """The image in the content of a file, all of it decoded.

    Raises:
        ValueError: no browser shows it, it is broken, or has too many pixels.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            image = Image.open(io.BytesIO(content), formats=tuple(TYPES))
            if image.width * image.height <= MOST_PIXELS:
                image.load()
                return image
        except Image.DecompressionBombError:
            pass
        except Exception as error:  # foreign bytes make Pillow's readers raise nearly anything
            raise ValueError(f"it is not a {', '.join(TYPES)} image, or it is broken") from error
    raise ValueError(f"it has more than {MOST_PIXELS / 1e6:g} megapixels")
