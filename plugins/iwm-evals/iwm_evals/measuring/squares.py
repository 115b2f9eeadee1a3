"""The centre squares of images, made by workers, and kept for whoever asks for them next.

Decisions:
- A scorecard asks for the same images a dozen times, and to decode or draw them anew took longer than to encode them. They are kept as
  bytes, as a batch is before it goes to the device, so that what is measured is the same to the last bit.
- The system gives out memory as it is written to: where few images of a split are asked for, few take any.
"""

from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from iwm_core.data.loader import stacked
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.reading import Reader
from iwm_core.data.view import S, centre_boxes, crop, sizes_of
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import ImageBatch


class Squares:
    """What a worker makes of a chunk of indices: centre squares, as bytes. Corrupt images are left out and described."""

    def __init__(self, reader: Reader, size: int) -> None:
        self.reader, self.size = reader, size

    def __call__(self, index: Int[Tensor, "b"]) -> tuple[ImageBatch, list[Corrupt]]:
        samples, shown, corrupt = self.reader.read(index)
        observed = self.reader.observed
        images, target, action = stacked(centre_squares(samples, self.size), self.size, observed)
        labels = torch.tensor([sample.label for sample in samples], dtype=torch.int64)
        factors = [self.reader.images.factor(i) for i in shown]
        known = torch.stack(factors) if factors else torch.empty(0, len(self.reader.images.factors))
        return ImageBatch(
            torch.tensor(shown, dtype=torch.int64), images, labels, known, target, None if target is None else action
        ), corrupt


class Kept:
    """The squares of a split that were made so far.

    Args:
        images: of the split.
        most: bytes that may be kept; 0: none.
    """

    def __init__(self, images: int, most: int) -> None:
        self.most = most
        self.all: ImageBatch | None = None
        self.seen: Bool[Tensor, "n"] = torch.zeros(images, dtype=torch.bool)
        self.readable = self.seen.clone()

    def made(self, squares: Squares, parts: Sequence[Tensor], workers: int) -> Iterator[tuple[ImageBatch, list[Corrupt]]]:
        """What ``squares`` makes of each of ``parts``, in their order; of what is kept, corrupt images have been told before."""
        there = [bool(self.seen[part].all()) for part in parts]
        lacking = list(compress(parts, [not known for known in there]))
        new: Iterator[Any] = made_in_order(squares, lacking, workers) if lacking else iter(())
        for part, known in zip(parts, there, strict=True):
            if known and self.all is not None:
                yield self.all.take(part[self.readable[part]]), []
            else:
                batch, corrupt = next(new)
                self.keep(part, batch)
                yield batch, corrupt

    def keep(self, part: Int[Tensor, "b"], batch: ImageBatch) -> None:
        """Keep what was made of a part, where there may be as much."""
        if self.all is None and 0 < self.bytes_of(batch) <= self.most:
            blank = [None if each is None else torch.zeros(len(self.seen), *each.shape[1:], dtype=each.dtype) for each in batch]
            self.all = ImageBatch._make(blank)
        if self.all is not None:
            for whole, each in zip(self.all, batch, strict=True):
                if whole is not None and each is not None:
                    whole[batch.index] = each
            self.seen[part] = True
            self.readable[batch.index] = True

    def bytes_of(self, batch: ImageBatch) -> int:
        """What the pixels of all images take, where they are as large as those of a batch."""
        return len(self.seen) * sum(side[0].numel() for side in (batch.images, batch.target) if side is not None and len(side))


def centre_squares(samples: Sequence[S], size: int) -> list[S]:
    """The largest centred square of each sample, resized."""
    return [crop(sample, box, size) for sample, box in zip(samples, centre_boxes(sizes_of(samples)), strict=True)]
