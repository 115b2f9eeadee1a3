"""Which images each process sees at each step: a pure function of the seed and the step (DESIGN §5).

The order of an epoch is a sort of one random number per image; a step's images are a slice of it; a process takes its slice of the slice.
So nothing is stored to resume, and workers and processes change nothing. The last partial batch of an epoch is left out.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from iwm_core.interfaces import Draws
from iwm_core.interfaces.errors import UserError


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
            half = (1 << images.bit_length()) >> 1  # a power of 2, as batches are
            remedy = f"write train.batch_size={images // parts * parts if half % parts else half}" if images >= parts else "add images"
            raise UserError(f"train.batch_size={batch_size} is larger than the {images} training images; {remedy}")
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
        return Slice(epoch, self._order[start : start + size].clone())  # a view is sent to a worker with all that it is a view of

    def slices(self, start: int, stop: int, rank: int, processes: int) -> Iterator[Slice]:
        """The micro-batches of one process from step ``start`` to before ``stop``."""
        for step in range(start, stop):
            for micro in range(self.parts // processes):
                yield self.part(step, micro * processes + rank)


def parts_of(batch_size: int, processes: int, accumulate: int) -> int:
    """How many micro-batches a step has, over all processes; a `UserError` where the batch does not divide into them."""
    parts = processes * accumulate
    if batch_size % parts:
        near = max(round(batch_size / parts), 1) * parts
        raise UserError(
            f"train.batch_size={batch_size} is not divisible by {parts} (launch.processes × launch.accumulate); use train.batch_size={near}"
        )
    return parts
