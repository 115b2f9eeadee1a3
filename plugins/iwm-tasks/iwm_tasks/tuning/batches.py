"""Batches of training and validation images with the targets of tasks.

Decisions:
- A training image is cropped and flipped as in pretraining, a mask with it; then RandAugment. All of it is a function of seed, epoch and
  the image's index, so workers and restarts change nothing.
- In the place of an image that cannot be read, or whose mask cannot, stands the next one with its own targets.
- A wrong target is reported in one line, also where a worker meets it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from iwm_data.part import Part
from iwm_evals.measuring.run_data import spread
from iwm_evals.measuring.squares import centre_squares
from jaxtyping import Int, Shaped
from torch import Tensor

from iwm_core.data.loader import on_device, stacked
from iwm_core.data.order import Slice
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.reading import Reader
from iwm_core.data.training import WatchedData
from iwm_core.data.view import centre_boxes, cut_mask, random_views, sizes_of
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import CorruptImage, Draws, Images, Sample, Track
from iwm_core.interfaces.errors import UserError
from iwm_core.process.display import Display
from iwm_core.recipe.config import View
from iwm_core.run.directory import Run
from iwm_tasks.interfaces import Task
from iwm_tasks.tuning.augment import RandAugment, check_augment, rand_augment
from iwm_tasks.tuning.recipe import TuneRecipe
from iwm_tasks.tuning.task_targets import WrongTarget, target_of
from iwm_tasks.tuning.task_targets import check_targets as check_targets


def part_of(images: Images, count: int) -> Images:
    """``count`` images spread evenly over a split; all of them where ``count`` is 0 or no fewer."""
    return Part(images, spread(len(images), count)) if 0 < count < len(images) else images


class TuneBatch(NamedTuple):
    """A micro-batch: images (bytes as a worker sends them, in [0, 1] on the device), the targets of each task, the corrupt images met."""

    images: Shaped[Tensor, "b 3 s s"]
    targets: dict[str, Shaped[Tensor, "b ..."]]
    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    epoch: int
    corrupt: list[Corrupt]


@dataclass(frozen=True)
class TaughtSample(Sample):
    """An image with the targets of tasks, by their names."""

    targets: dict[str, Tensor] = field(default_factory=dict)


class TaughtReader(Reader):
    """Reads images with their targets: one whose mask cannot be decoded is as corrupt as if it could not itself.

    Args:
        images, known: as of `Reader`.
        tasks: what is asked of each image.
    """

    def __init__(self, images: Images, tasks: dict[str, Task], known: Sequence[int] = ()) -> None:
        super().__init__(images, known=known)
        self.tasks = tasks

    def samples(self, index: Int[Tensor, "b"]) -> Iterator[Sample | CorruptImage]:
        for i, sample in zip(index.tolist(), super().samples(index), strict=True):
            try:
                yield sample if isinstance(sample, CorruptImage) else self.taught(i, sample.image)
            except CorruptImage as error:
                yield error
            except WrongTarget as error:
                raise UserError(str(error)) from error

    def taught(self, index: int, image: Tensor) -> TaughtSample:
        """An image with its targets."""
        return TaughtSample(image, targets={name: target_of(task, self.images, index, image) for name, task in self.tasks.items()})

    def targets(self, samples: Sequence[TaughtSample], boxes: Int[Tensor, "b 4"], flips: list[bool], size: int) -> dict[str, Tensor]:
        """The targets of images, masks cut and flipped as these are."""
        places = list(zip((sample.targets for sample in samples), boxes, flips, strict=True))
        targets = {}
        for name, task in self.tasks.items() if places else ():
            if task.dense:
                masks = [(cut_mask(known[name], box, size), turned) for known, box, turned in places]
                targets[name] = torch.stack([mask.flip(-1) if turned else mask for mask, turned in masks])
            else:
                targets[name] = torch.stack([known[name] for known, _, _ in places])
        return targets


class TrainingLessons:
    """What a worker makes of a `Slice`."""

    def __init__(self, reader: TaughtReader, view: View, augment: RandAugment | None, size: int, seed: int) -> None:
        self.reader, self.view, self.augment, self.size, self.seed = reader, view, augment, size, seed

    def __call__(self, part: Slice) -> TuneBatch:
        read, draws = self.reader.read_all(part.index), Draws(self.seed, part.epoch, part.index)
        views, boxes, flips = random_views(read.samples, draws, self.view, self.size)
        images, _, _ = stacked(views, self.size, None)
        if self.augment is not None:
            images = self.augment(images, draws)
        return TuneBatch(images, self.reader.targets(read.samples, boxes, flips.tolist(), self.size), part.index, part.epoch, read.corrupt)


class ValidationLessons:
    """What a worker makes of a chunk of indices: centre squares with their targets."""

    def __init__(self, reader: TaughtReader, size: int) -> None:
        self.reader, self.size = reader, size

    def __call__(self, index: Int[Tensor, "b"]) -> TuneBatch:
        samples, shown, corrupt = self.reader.read(index)
        images, _, _ = stacked(centre_squares(samples, self.size), self.size, None)
        targets = self.reader.targets(samples, centre_boxes(sizes_of(samples)), [False] * len(samples), self.size)
        return TuneBatch(images, targets, torch.tensor(shown, dtype=torch.int64), 0, corrupt)


class TuneData(WatchedData):
    """Batches of training images and targets.

    Args:
        recipe: the recipe.
        tasks: what is learned.
        images: the training images.
        image_size: side of the views in pixels.
        run, device, display, quiet: as of `WatchedData`.

    Raises:
        UserError: the augmentation does not fit, or the images do not fit into memory.
    """

    def __init__(
        self,
        recipe: TuneRecipe,
        tasks: dict[str, Task],
        images: Images,
        image_size: int,
        run: Run,
        device: torch.device,
        display: Display,
        quiet: bool,
    ) -> None:
        super().__init__(images, recipe.data, run, recipe.launch.workers, device, display, quiet)
        check_augment(recipe.augment, tasks, image_size)
        if recipe.data.cache != "none":
            images = self.cached(Reader(images))
        reader = TaughtReader(images, tasks, list(self.quarantine.found))
        augment = rand_augment(recipe.augment.randaugment, image_size)
        self.lessons = TrainingLessons(reader, recipe.view, augment, image_size, recipe.train.seed)

    def batches(self, slices: Iterator[Slice]) -> Iterator[TuneBatch]:
        """The micro-batches of a schedule's slices.

        Raises:
            UserError: a target is wrong, or not one image can be read.
        """
        return self.made(self.lessons, slices)


def validation_batches(
    images: Images, tasks: dict[str, Task], image_size: int, batch: int, workers: int, device: torch.device, track: Track
) -> Iterator[TuneBatch]:
    """The centre squares of all images that can be read, with their targets, in index order; the others are in ``corrupt``.

    Raises:
        UserError: a target is wrong, or not one image can be read.
    """
    parts = torch.arange(len(images)).split(batch)
    waiting: TuneBatch | None = None  # a batch waits for the next one, in case of that nothing but corrupt images is left
    corrupt: list[Corrupt] = []
    made = made_in_order(ValidationLessons(TaughtReader(images, tasks), image_size), parts, workers)
    for part in track(made, "validation images", len(parts)):
        corrupt += part.corrupt
        if len(part.index):
            if waiting is not None:
                yield waiting
            waiting, corrupt = on_device(part, device)._replace(corrupt=corrupt), []
    if waiting is None:
        raise UserError(f"not one of the {len(images)} validation images can be read, such as {images.describe(0)}; check the dataset")
    yield waiting._replace(corrupt=waiting.corrupt + corrupt)
