"""A split decoded once and kept, in host memory or on the device (``cache: ram | device``).

Decisions:
- Images are blocks of bytes, one for each chunk that was read: workers share them when they are forked, few pieces travel to workers that
  are not, and a device is filled piece by piece.
- Each is kept at its own size, for crops one by one, or all at one: where they differ, as squares of their median shorter side, with
  their true sizes beside. Crops are drawn in true pixels and made in the square's: no part of an image and no proportion is lost.
"""

import statistics
from collections.abc import Iterable
from typing import NamedTuple

import psutil
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from iwm_core.data.loader import OF_THE_HOST
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.reading import Reader
from iwm_core.data.view import sizes_of
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import CorruptImage, Sample, Track
from iwm_core.interfaces.errors import UserError
from iwm_data.part import Part

CHUNK, LOOKED_AT = 64, 64


class Block(NamedTuple):
    """The images of a chunk, behind each the target of its pair, and what is kept beside; a corrupt one takes no bytes."""

    pixels: UInt8[Tensor, "_"]
    sizes: Int[Tensor, "b 2"]
    actions: Float[Tensor, "b a"]
    corrupt: list[Corrupt]


class Packing:
    """What a worker makes of a chunk of indices."""

    def __init__(self, reader: Reader, side: tuple[int, int] | None) -> None:
        self.reader, self.side = reader, side

    def __call__(self, index: Int[Tensor, "b"]) -> Block:
        samples, shown, corrupt = self.reader.read(index)
        place = torch.isin(index, torch.tensor(shown, dtype=torch.int64))
        sizes = torch.zeros(len(index), 2, dtype=torch.int64)
        sizes[place] = sizes_of(samples)
        told = [sample.action for sample in samples if sample.action is not None]
        actions = torch.zeros(len(index), len(self.reader.observed.labels) if self.reader.observed else 0)
        if told:
            actions[place] = torch.stack(told)
        sides = [side for sample in samples for side in (sample.image, sample.target) if side is not None]
        pixels = [(image if self.side in (None, tuple(image.shape[1:])) else resize(image, self.side)).flatten() for image in sides]
        return Block(torch.cat(pixels) if pixels else torch.empty(0, dtype=torch.uint8), sizes, actions, corrupt)


def resize(image: UInt8[Tensor, "3 h w"], side: tuple[int, int]) -> UInt8[Tensor, "3 h2 w2"]:
    """The whole image at another size, antialiased."""
    return F.interpolate(image[None], size=side, mode="bicubic", antialias=True, align_corners=False)[0]


class Cache(Part):
    """All images of a split, read once; what else is known of them is asked of the split.

    Args:
        reader: reads them.
        workers: data workers for the reading.
        track: progress bar.
        side: height and width that all are kept at; None: each its own.
        device: where they are kept.

    Attributes:
        sizes: true heights and widths, [n 2].
        actions: the observed actions of pairs, [n a].
        corrupt: those that could not be read.

    Raises:
        UserError: they do not fit into memory, or none can be read.
    """

    def __init__(
        self, reader: Reader, workers: int, track: Track, side: tuple[int, int] | None = None, device: torch.device | None = None
    ) -> None:
        super().__init__(reader.images, torch.arange(len(reader)))
        self.side, self.observed, self.sides = side, reader.observed, 2 if reader.observed else 1
        sample = [side] if side else some_sizes(reader)
        if device is None or device.type in OF_THE_HOST:
            size = len(reader) * 3 * self.sides * sum(height * width for height, width in sample) // len(sample)
            if size > (free := psutil.virtual_memory().available):
                raise UserError(f"data.cache needs {size / 1e9:.1f} GB, but {free / 1e9:.1f} GB of memory are free; use data.cache=none")
        self.blocks: list[Tensor] = []
        beside: list[Block] = []
        chunks = torch.arange(len(reader)).split(CHUNK)
        for block in track(made_in_order(Packing(reader, side), chunks, workers), "reading images", len(chunks)):
            # what came from a worker lies in shared memory, of which there may be little
            self.blocks.append(block.pixels.clone() if device is None else block.pixels.to(device, copy=True))
            beside.append(block._replace(pixels=self.blocks[-1]))
        self.sizes, self.actions = (torch.cat([getattr(block, name) for block in beside]) for name in ("sizes", "actions"))
        self.corrupt = [one for block in beside for one in block.corrupt]
        self.reasons = {one.index: one.reason for one in self.corrupt}
        areas = (self.sizes if side is None else (self.sizes > 0) * torch.tensor(side)).prod(dim=1)
        self.starts = torch.cat([part.cumsum(0) - part for part in areas.split(CHUNK)]).tolist()

    def kept(self, index: int) -> UInt8[Tensor, "m 3 h w"]:
        """An image that could be read, and behind it the target of a pair."""
        height, width = self.side or self.sizes[index].tolist()
        each = 3 * self.sides
        start, length = each * self.starts[index], each * height * width
        return self.blocks[index // CHUNK][start : start + length].view(self.sides, 3, height, width)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        if index in self.reasons:
            raise CorruptImage(self.reasons[index])
        return self.kept(index)[0]

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        return self._or_errors(self.image, indices)

    def readable(self) -> list[int]:
        """Of each image the index of itself, or of the next that could be read."""
        good = torch.tensor([index not in self.reasons for index in range(len(self))]).nonzero()[:, 0]
        return good[torch.searchsorted(good, torch.arange(len(self))) % len(good)].tolist()


def common_side(reader: Reader) -> tuple[int, int]:
    """The size at which all can be kept: their own where a sample of them agrees, else a square of the median shorter side."""
    sizes = some_sizes(reader)
    side = int(statistics.median(min(size) for size in set(sizes)))
    return sizes[0] if len(set(sizes)) == 1 else (side, side)


def some_sizes(reader: Reader) -> list[tuple[int, int]]:
    """Height and width of some images, spread evenly over a split.

    Raises:
        UserError: not one of them can be read.
    """
    index = torch.linspace(0, len(reader) - 1, min(len(reader), LOOKED_AT)).long()
    sizes = [(sample.image.shape[1], sample.image.shape[2]) for sample in reader.samples(index) if isinstance(sample, Sample)]
    if not sizes:
        first = reader.images.describe(0)
        raise UserError(f"not one of {len(index)} images tried can be read, such as {first}; check the dataset")
    return sizes
