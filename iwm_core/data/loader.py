"""Batches of training views, as a pure function of the recipe, the seed and the step (DESIGN §5).

Decisions:
- The order of an epoch is a sort of one random number per image; a step's images are a slice of it; a process takes its slice of the slice.
  So nothing is stored to resume, and workers and processes change nothing. The last partial batch of an epoch is left out.
- ``cache: none``: workers decode, crop and flip, and send uint8. ``ram`` and ``device``: all images are decoded once into one uint8
  tensor (`iwm_core.data.store`), and crops are made on the device for a whole batch at once.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from iwm_core.data.pairs import known_actions, mirrored, sides
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.view import cut, random_boxes
from iwm_core.data.workers import made_in_order, warn
from iwm_core.interfaces import CorruptImage, Draws, Images
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import View


class Batch(NamedTuple):
    """A micro-batch of views on the device, and the corrupt images met on the way.

    Attributes:
        target: the second images of pairs, cropped and flipped as the first; None where images come singly.
        action: the observed actions of pairs.
    """

    images: Float[Tensor, "b 3 s s"]
    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    epoch: int
    corrupt: list[Corrupt]
    target: Float[Tensor, "b 3 s s"] | None
    action: Float[Tensor, "b a"]


class Slice(NamedTuple):
    """Which images a micro-batch is made of."""

    epoch: int
    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]


class Fault(NamedTuple):
    """A user's mistake that a worker met, in one line: an exception would arrive with the worker's traceback."""

    text: str


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
        lost: told why there are no workers any more.
    """

    def __init__(
        self,
        images: Images,
        view: View,
        size: int,
        seed: int,
        known: set[int],
        workers: int,
        device: torch.device,
        lost: Callable[[str], None] = warn,
    ) -> None:
        self.task = ViewTask(images, view, size, seed, known)
        self.workers, self.device, self.lost = workers, device, lost

    def __call__(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        made = made_by_workers(self.task, slices, self.task.images, self.workers, self.device, self.lost)
        for images, index, epoch, corrupt, actions in made:
            pixels, known = sides(images.to(self.device, non_blocking=True).float().div_(255)), [Corrupt(*c) for c in corrupt]
            index, actions = index.to(self.device, non_blocking=True), actions.to(self.device, non_blocking=True)
            yield Batch(pixels.images, index, epoch, known, pixels.target, actions)


def made_by_workers(
    task: Any, parts: Iterable[Any], images: Images, workers: int, device: torch.device, lost: Callable[[str], None] = warn
) -> Iterator[Any]:
    """What ``task`` makes of each of ``parts``, in their order, ready to be copied to ``device``.

    Raises:
        UserError: it gave a `Fault`, or not one of the images can be read.
    """
    fault = ""
    try:
        for made in made_in_order(task, parts, workers, lost, pin=device.type == "cuda", ahead=4):
            if isinstance(made, Fault):
                fault = made.text
                break
            yield made
    except CorruptImage:
        fault = f"not one of the {len(images)} training images can be read, such as {images.describe(0)}; check the dataset"
    if fault:
        raise UserError(fault)  # not in the loop, whose workers would live as long as the error


class ViewTask:
    """What a worker does for one micro-batch; indexed by a `Slice`."""

    def __init__(self, images: Images, view: View, size: int, seed: int, known: set[int]) -> None:
        self.images, self.view, self.size, self.seed, self.bad = images, view, size, seed, set(known)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: Slice) -> tuple[UInt8[Tensor, "b c s s"], Tensor, int, list[tuple[Any, ...]], Float[Tensor, "b a"]]:
        decoded, shown, corrupt = read(self.images, part.index, self.bad)
        views, _, flips = random_views(decoded, Draws(self.seed, part.epoch, part.index), self.view, self.size)
        actions = mirrored(self.images, known_actions(self.images, shown), flips)
        return views, part.index, part.epoch, [tuple(c) for c in corrupt], actions


def random_views(
    images: list[UInt8[Tensor, "c _ _"]], draws: Draws, view: View, size: int
) -> tuple[UInt8[Tensor, "b c s s"], Int[Tensor, "b 4"], Bool[Tensor, "b"]]:
    """Cropped and flipped images, with the boxes and which were flipped."""
    boxes, flips = random_boxes(draws, torch.tensor([image.shape[1:] for image in images]), view)
    views = torch.stack([cut(image, box, size) for image, box in zip(images, boxes, strict=True)])
    return torch.where(flips[:, None, None, None], views.flip(-1), views), boxes, flips


def read(images: Images, index: Int[Tensor, "b"], bad: set[int]) -> tuple[list[UInt8[Tensor, "c _ _"]], list[int], list[Corrupt]]:
    """Decoded images at ``index``, their own indices, and the corrupt ones that were met. ``bad`` is kept up to date.

    In the place of a corrupt image stands the next readable one, by its own index.

    Raises:
        CorruptImage: not one image can be read.
    """
    corrupt: list[Corrupt] = []
    decoded: list[Tensor] = []
    shown = [i if i not in bad else readable(images, i, bad, corrupt) for i in index.tolist()]
    for place, image in enumerate(images.images(torch.tensor(shown))):
        if isinstance(image, CorruptImage):
            i = shown[place]
            bad.add(i)
            corrupt.append(Corrupt(i, images.describe(i), str(image)))
            shown[place] = readable(images, i, bad, corrupt)
            image = images.image(shown[place])
        decoded.append(image)
    return decoded, shown, corrupt


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
