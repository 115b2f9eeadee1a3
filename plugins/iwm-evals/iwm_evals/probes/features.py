"""What a probe is given of each image: the model's features, and two baselines that have seen no training.

Decisions:
- The features are the mean of the teacher's tokens. *Raw* is the image itself, shrunk to at most 16 x 16 pixels: what pixels say.
  *Colour* is which colours an image has, and how much of each: 4 x 4 x 4 cells of RGB and 8 of luma. Where they are is lost. A feature
  that is no better than these has learned nothing that matters for the question.
- All of it goes into files without a name, mapped into memory: the system keeps as much of them in memory as it has to spare, and they
  are gone when nothing uses them, even after a kill. They lie beside the run, since a temporary folder may itself be memory.
"""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from iwm_crop.resample import crop_resize
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import ImageBatch, NotApplicable, WorldModel, check_finite

RAW_SIDE = 16
RGB_CELLS, LUMA_CELLS = 4, 8
COLOURS = RGB_CELLS**3 + LUMA_CELLS
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class Features(NamedTuple):
    """What is known of ``n`` images: ``inputs`` by what a probe is tried on, files mapped into memory."""

    inputs: dict[str, Float[Tensor, "n _"]]
    labels: Int[Tensor, "n"]
    factors: Float[Tensor, "n f"]


def extract(model: WorldModel, batches: Iterable[ImageBatch], count: int, folder: Path) -> Features:
    """Features and baselines of a stream of images, in its order.

    Args:
        model: whose features.
        batches: the images.
        count: how many there are at most.
        folder: where the files lie while they are used.

    Raises:
        ValueError: the features are not finite, or no image could be read.
    """
    files, labels, factors, done = {}, [], [], 0
    for batch in batches:
        rows = {"": model.encode(batch.images).float().mean(1), "raw": raw(batch.images), "colour": colour(batch.images)}
        check_finite(rows[""])
        if not files:
            files = {name: mapped((count, part.shape[1]), torch.float32, folder) for name, part in rows.items()}
        for name, part in rows.items():
            files[name][done : done + len(part)] = part.cpu()
        labels.append(batch.labels.cpu())
        factors.append(batch.factors.cpu())
        done += len(batch.labels)
    if not files:
        raise ValueError("none of the images could be read")
    return Features({name: file[:done] for name, file in files.items()}, torch.cat(labels), torch.cat(factors))


class Labelled:
    """The images of a stream that have a class.

    Args:
        batches: the images.
        classes: how many classes the data names.

    Attributes:
        others: images without a class, met so far.
    """

    def __init__(self, batches: Iterable[ImageBatch], classes: int) -> None:
        self.batches, self.classes, self.others = batches, classes, 0

    def __iter__(self) -> Iterator[ImageBatch]:
        """Raises:
        NotApplicable: none has a class.
        ValueError: one has a class that the data does not name.
        """
        none = True
        for batch in self.batches:
            kept = batch.labels >= 0
            if int(batch.labels.max()) >= self.classes:
                raise ValueError(f"an image has the class {int(batch.labels.max())}, and this data names {self.classes} classes from 0")
            self.others += int((~kept).sum())
            if kept.any():
                none = False
                yield batch.take(kept)
        if none:
            raise NotApplicable("no image of this data has a class to probe for")


def left_out(others: int, measured: int) -> str:
    """The end of a summary: how many of the validation images could not be asked, as they have no class."""
    return f"; {others} of {others + measured} validation images have no class that training knows, and are left out" if others else ""


def mapped(shape: tuple[int, ...], dtype: torch.dtype, folder: Path) -> Tensor:
    """A tensor of zeros that is a file in ``folder``, without a name and gone with the tensor."""
    with tempfile.TemporaryFile(dir=folder) as file:
        kind = torch.empty(0, dtype=dtype).numpy().dtype
        return torch.from_numpy(np.memmap(file, kind, "r+", shape=shape))


def raw(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b r"]:
    """The pixels of the images, shrunk to a side of `RAW_SIDE` where they are larger."""
    b, _, h, w = images.shape
    whole = torch.tensor([0.0, 0.0, h, w], device=images.device).expand(b, 4)
    return crop_resize(images, whole, (min(h, RAW_SIDE), min(w, RAW_SIDE))).flatten(1)


def colour(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 72"]:
    """The share of the pixels in each cell of RGB, and of luma."""
    pixels = images.flatten(2)
    red, green, blue = cells(pixels, RGB_CELLS).unbind(1)
    luma = torch.einsum("bcp,c->bp", pixels, pixels.new_tensor(LUMA))
    return torch.cat(
        [
            shares((red * RGB_CELLS + green) * RGB_CELLS + blue, RGB_CELLS**3),
            shares(cells(luma, LUMA_CELLS), LUMA_CELLS),
        ],
        1,
    )


def cells(values: Float[Tensor, "*shape"], count: int) -> Int[Tensor, "*shape"]:
    """Which of ``count`` equal parts of [0, 1] each value lies in."""
    return (values * count).long().clamp(0, count - 1)


def shares(cell: Int[Tensor, "b p"], count: int) -> Float[Tensor, "b {count}"]:
    """The share of each row's entries that each number has."""
    counted = torch.zeros(len(cell), count, device=cell.device).scatter_add_(1, cell, torch.ones_like(cell, dtype=torch.float32))
    return counted / cell.shape[1]
