"""Batches of training views, as a pure function of the recipe, the seed and the step (DESIGN §5).

Decisions:
- The order of an epoch is a sort of one random number per image; a step's images are a slice of it; a process takes its slice of the slice.
  So nothing is stored to resume, and workers and processes change nothing. The last partial batch of an epoch is left out.
- ``cache: none``: workers decode, crop and flip, and send uint8. ``ram`` and ``device``: all images are decoded once into one uint8
  tensor (`iwm_core.data.store`), and crops are made on the device for a whole batch at once.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader

from iwm_core.config import View
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.view import cut, random_boxes
from iwm_core.errors import UserError
from iwm_core.interfaces import CorruptImage, Draws, Images


class Batch(NamedTuple):
    """A micro-batch of views on the device, and the corrupt images met on the way."""

    images: Float[Tensor, "b 3 s s"]
    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    epoch: int
    corrupt: list[Corrupt]


class Slice(NamedTuple):
    """Which images a micro-batch is made of."""

    epoch: int
    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]


class Schedule:
    """Which images each process sees at each step.

    Args:
        seed: of the run.
        images: number of images.
        batch_size: images a step over all processes.
        parts: processes times micro-batches.

    Raises:
        UserError: there are fewer images than a batch needs.
    """

    def __init__(self, seed: int, images: int, batch_size: int, parts: int = 1) -> None:
        if images < batch_size:
            raise UserError(f"train.batch_size={batch_size} is larger than the {images} training images; use a smaller one")
        self.seed, self.images, self.batch_size, self.parts = seed, images, batch_size, parts
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    @property
    def steps_per_epoch(self) -> int:
        return self.images // self.batch_size

    def part(self, step: int, part: int) -> Slice:
        """The images of one of the step's ``parts``."""
        epoch, position = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            draws = Draws(self.seed, epoch, torch.arange(self.images), "order")
            self._epoch, self._order = epoch, draws.bits(1)[:, 0].argsort(stable=True)
        size = self.batch_size // self.parts
        start = position * self.batch_size + part * size
        return Slice(epoch, self._order[start : start + size])

    def slices(self, start: int, stop: int, rank: int, processes: int) -> Iterator[Slice]:
        """The micro-batches of one process from step ``start`` to before ``stop``."""
        for step in range(start, stop):
            for micro in range(self.parts // processes):
                yield self.part(step, micro * processes + rank)


def parts_of(batch_size: int, processes: int, accumulate: int) -> int:
    """How many micro-batches a step has, over all processes.

    Raises:
        UserError: the batch does not divide into them.
    """
    parts = processes * accumulate
    if batch_size % parts:
        near = max(round(batch_size / parts), 1) * parts
        raise UserError(
            f"train.batch_size={batch_size} is not divisible by {parts} (launch.processes × launch.accumulate); use train.batch_size={near}"
        )
    return parts


class DecodedViews:
    """``cache: none``: decode, crop and flip in workers.

    Args:
        images: the split.
        view: how views are cropped.
        size: their side in pixels.
        seed: of the run.
        known: indices already known to be corrupt.
        workers: data workers; 0 decodes in this process.
        device: where batches go.
    """

    def __init__(self, images: Images, view: View, size: int, seed: int, known: set[int], workers: int, device: torch.device) -> None:
        self.task = ViewTask(images, view, size, seed, known)
        self.workers, self.device = workers, device

    def __call__(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        loader = DataLoader(
            self.task,  # pyright: ignore[reportArgumentType]
            batch_size=None,
            sampler=slices,  # pyright: ignore[reportArgumentType]
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            prefetch_factor=4 if self.workers else None,
        )
        try:
            for images, index, epoch, corrupt in loader:
                pixels = images.to(self.device, non_blocking=True).float().div_(255)
                yield Batch(pixels, index.to(self.device, non_blocking=True), epoch, [Corrupt(*c) for c in corrupt])
        except CorruptImage as error:
            first = self.task.images.describe(0)
            raise UserError(f"not one of the {len(self.task)} training images can be read, such as {first}; check the dataset") from error


class ViewTask:
    """What a worker does for one micro-batch; indexed by a `Slice`."""

    def __init__(self, images: Images, view: View, size: int, seed: int, known: set[int]) -> None:
        self.images, self.view, self.size, self.seed, self.bad = images, view, size, seed, set(known)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: Slice) -> tuple[UInt8[Tensor, "b 3 s s"], Tensor, int, list[tuple[Any, ...]]]:
        decoded, corrupt = read(self.images, part.index, self.bad)
        sizes = torch.tensor([image.shape[1:] for image in decoded])
        boxes, flips = random_boxes(Draws(self.seed, part.epoch, part.index), sizes, self.view)
        views = torch.stack([cut(image, box, self.size) for image, box in zip(decoded, boxes, strict=True)])
        views = torch.where(flips[:, None, None, None], views.flip(-1), views)
        return views, part.index, part.epoch, [tuple(c) for c in corrupt]


def read(images: Images, index: Int[Tensor, "b"], bad: set[int]) -> tuple[list[UInt8[Tensor, "3 h w"]], list[Corrupt]]:
    """Decoded images at ``index``; in the place of a corrupt one stands the next readable one. ``bad`` is kept up to date.

    Raises:
        CorruptImage: not one image can be read.
    """
    corrupt: list[Corrupt] = []
    decoded: list[Tensor] = []
    first = [i if i not in bad else readable(images, i, bad, corrupt) for i in index.tolist()]
    for i, image in zip(first, images.images(torch.tensor(first)), strict=True):
        if isinstance(image, CorruptImage):
            bad.add(i)
            corrupt.append(Corrupt(i, images.describe(i), str(image)))
            image = images.image(readable(images, i, bad, corrupt))
        decoded.append(image)
    return decoded, corrupt


def readable(images: Images, index: int, bad: set[int], corrupt: list[Corrupt]) -> int:
    """The next image after ``index`` that can be read."""
    for candidate in ((index + step) % len(images) for step in range(1, len(images))):
        if candidate in bad:
            continue
        try:
            images.image(candidate)
        except CorruptImage as error:
            bad.add(candidate)
            corrupt.append(Corrupt(candidate, images.describe(candidate), str(error)))
            continue
        return candidate
    raise CorruptImage("not one image of the dataset can be read")
