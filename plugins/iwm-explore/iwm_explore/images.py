"""Images to choose from: those of the run's data, and files that are dropped on the page.

Decisions:
- All are seen as evaluation sees them: the centre square, at the size that views are made from.
- A file is read from memory, bounded in bytes before, and in pixels by the decoder; the file itself is removed at once. Both happen to the
  page's own files alone (`own_file`).
"""

from pathlib import Path

import torch
from iwm_data.decode import MOST_PIXELS, decode, file_content
from iwm_evals.measuring.run_data import RunData
from iwm_evals.measuring.squares import Squares, centre_squares
from jaxtyping import Float
from torch import Tensor

from iwm_core.data.loader import on_device
from iwm_core.interfaces import CorruptImage, ImageBatch, Sample
from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import shown
from iwm_core.recipe.config import Recipe
from iwm_explore.own_files import own_file

MOST_BYTES = 20_000_000
"""The largest file that is taken."""

SPLIT = "validation"


class DataImages:
    """Images of a run's data, some at a time.

    Args:
        recipe: whose data; of a run, with what was overridden.
        count: how many are shown at once.

    Raises:
        UserError: the data cannot be read here.
    """

    def __init__(self, recipe: Recipe, device: torch.device, count: int = 12) -> None:
        self.device = device
        reader = RunData(recipe, device).split(SPLIT)
        self.squares = Squares(reader, recipe.view.canvas or recipe.image_size)
        self.total = len(reader)
        self.count = min(count, self.total)

    def page(self, number: int) -> ImageBatch:
        """The images of a page, spread over the split; those that cannot be read are left out.

        Raises:
            UserError: none of them can be read.
        """
        first = torch.arange(self.count) * self.total // self.count
        batch, corrupt = self.squares((first + number) % self.total)
        if not len(batch.index):
            raise UserError(f"the {SPLIT} images cannot be read, such as {corrupt[0].name}: {corrupt[0].reason}")
        return on_device(batch, self.device)


def read_upload(path: str, folder: Path, size: int, device: torch.device) -> Float[Tensor, "1 3 h w"]:
    """The image in a file that was dropped, which is removed.

    Args:
        folder: where the files lie that were dropped; no other file is touched.

    Raises:
        ValueError: it was not dropped, is no image, or too large; the text is one line for the page.
    """
    name = shown(Path(path).name)[:80]
    file = own_file(path, folder)
    if file is None:
        raise ValueError(f"{name} is not a file that was dropped here, or was read already; drop it again")
    try:
        if file.stat().st_size > MOST_BYTES:
            raise ValueError(f"{name} is too large: files of at most {MOST_BYTES // 1_000_000} MB are taken")
        pixels = decode(file_content(str(file)))
    except CorruptImage as error:
        limit = f"; images of at most {MOST_PIXELS / 1e6:g} megapixels are taken" if "megapixels" in str(error) else ""
        raise ValueError(f"{name} cannot be used: {error}{limit}") from error
    finally:
        file.unlink(missing_ok=True)
    (square,) = centre_squares([Sample(pixels)], size)
    return square.image[None].to(device).float() / 255
