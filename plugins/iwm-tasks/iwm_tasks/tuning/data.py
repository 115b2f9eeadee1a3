"""Batches of training and validation images with the targets of tasks.

Decisions:
- A training image is cropped and flipped as in pretraining, a mask with it; then RandAugment. All of it is a function of seed, epoch and
  the image's index, so workers and restarts change nothing.
- In the place of an image that cannot be read, or whose mask cannot, stands the next one with its own targets.
- A wrong target is told as one line, also where a worker meets it.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from iwm_core.data.evaluation import squares
from iwm_core.data.kept import KeptImages
from iwm_core.data.loader import Fault, Slice, made_by_workers, random_views, read
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.training import WatchedData
from iwm_core.data.view import centre_boxes, cut_mask
from iwm_core.data.wrapped import WrappedImages
from iwm_core.data.wrapped import part_of as part_of
from iwm_core.interfaces import CorruptImage, Draws, Images, Track
from iwm_core.interfaces.errors import UserError
from iwm_core.process.display import Display
from iwm_core.recipe.config import View
from iwm_core.run.directory import Run
from iwm_tasks.interfaces import Task
from iwm_tasks.tuning.augment import RandAugment, check_augment, rand_augment
from iwm_tasks.tuning.recipe import TuneRecipe
from iwm_tasks.tuning.targets import WrongTarget, target_of
from iwm_tasks.tuning.targets import check_targets as check_targets


class TuneBatch(NamedTuple):
    """A micro-batch on the device: images, the targets of each task, and the corrupt images met on the way."""

    images: Float[Tensor, "b 3 s s"]
    targets: dict[str, Shaped[Tensor, "b ..."]]
    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    epoch: int
    corrupt: list[Corrupt]


class Made(NamedTuple):
    """What a worker makes: the content of a `TuneBatch`, with pixels as bytes."""

    images: UInt8[Tensor, "b 3 s s"]
    targets: dict[str, Tensor]
    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    epoch: int
    corrupt: list[tuple[Any, ...]]

    def on(self, device: torch.device) -> TuneBatch:
        """The batch on a device."""
        pixels = self.images.to(device, non_blocking=True).float().div_(255)
        targets = {name: target.to(device, non_blocking=True) for name, target in self.targets.items()}
        return TuneBatch(pixels, targets, self.index.to(device, non_blocking=True), self.epoch, [Corrupt(*c) for c in self.corrupt])


class TaughtImages(WrappedImages):
    """Images read together with their targets: one whose mask cannot be decoded is as corrupt as if it could not itself.

    Attributes:
        learned: the targets of the images read since it was emptied, by index and task.
    """

    def __init__(self, behind: Images, tasks: dict[str, Task]) -> None:
        super().__init__(behind)
        self.tasks = tasks
        self.learned: dict[int, dict[str, Tensor]] = {}

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return self.taught(index, self.behind.image(index))

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        for index, image in zip(indices.tolist(), self.behind.images(indices), strict=True):
            try:
                yield image if isinstance(image, CorruptImage) else self.taught(index, image)
            except CorruptImage as error:
                yield error

    def taught(self, index: int, image: UInt8[Tensor, "3 h w"]) -> UInt8[Tensor, "3 h w"]:
        """The image, its targets noted."""
        self.learned[index] = {name: target_of(task, self.behind, index, image) for name, task in self.tasks.items()}
        return image

    def stacked(self, shown: list[int], boxes: Int[Tensor, "b 4"], flips: Iterable[bool], size: int) -> dict[str, Shaped[Tensor, "b ..."]]:
        """The targets of images, masks cut and flipped as these are."""
        place = list(zip(shown, boxes, flips, strict=True))
        targets = {}
        for name, task in self.tasks.items():
            if task.dense:
                masks = [(cut_mask(self.learned[i][name], box, size), turned) for i, box, turned in place]
                targets[name] = torch.stack([mask.flip(-1) if turned else mask for mask, turned in masks])
            else:
                targets[name] = torch.stack([self.learned[i][name] for i in shown])
        return targets


class LessonTask:
    """What a worker does for a training batch; indexed by a `Slice`."""

    def __init__(
        self, images: Images, tasks: dict[str, Task], view: View, augment: RandAugment | None, size: int, seed: int, known: set[int]
    ) -> None:
        self.images, self.view, self.augment, self.size, self.seed = TaughtImages(images, tasks), view, augment, size, seed
        self.bad = set(known)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, part: Slice) -> Made | Fault:
        self.images.learned.clear()
        try:
            decoded, shown, corrupt = read(self.images, part.index, self.bad)
        except WrongTarget as error:
            return Fault(str(error))
        draws = Draws(self.seed, part.epoch, part.index)
        views, boxes, flips = random_views(decoded, draws, self.view, self.size)
        if self.augment is not None:
            views = self.augment(views, draws)
        targets = self.images.stacked(shown, boxes, flips.tolist(), self.size)
        return Made(views, targets, part.index, part.epoch, [tuple(c) for c in corrupt])


class ExamTask:
    """What a worker does for a validation batch; indexed by a tensor of indices."""

    def __init__(self, images: Images, tasks: dict[str, Task], size: int) -> None:
        self.images, self.size = TaughtImages(images, tasks), size

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Int[Tensor, "b"]) -> Made | Fault:
        self.images.learned.clear()
        try:
            kept, pixels, sizes, corrupt = squares(self.images, index, self.size)
        except WrongTarget as error:
            return Fault(str(error))
        targets = self.images.stacked(kept, centre_boxes(sizes), [False] * len(kept), self.size) if kept else {}
        return Made(pixels, targets, torch.tensor(kept, dtype=torch.int64), 0, [tuple(c) for c in corrupt])


class TuneData(WatchedData):
    """Batches of training images and targets.

    Args:
        recipe: the recipe.
        tasks: what is learned.
        images: the training images.
        image_size: side of the views in pixels.
        run: where corrupt images are written down.
        device: where batches go.
        display: progress and warnings.
        quiet: another process tells what all of them meet.

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
        super().__init__(images, recipe.data, run, display, quiet)
        check_augment(recipe.augment, tasks, image_size)
        self.workers, self.device = recipe.launch.workers, device
        if recipe.data.cache != "none":
            images = KeptImages(images, self.workers, display.track)
            self.note(images.corrupt)
        augment = rand_augment(recipe.augment.randaugment, image_size)
        self.task = LessonTask(images, tasks, recipe.view, augment, image_size, recipe.train.seed, set(self.quarantine.found))

    def batches(self, slices: Iterator[Slice]) -> Iterator[TuneBatch]:
        """The micro-batches of a schedule's slices.

        Raises:
            UserError: a target is wrong, or not one image can be read.
        """
        for made in made_by_workers(self.task, slices, self.task.images, self.workers, self.device, self.lose):
            yield made.on(self.device)


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
    made_parts = made_by_workers(ExamTask(images, tasks, image_size), parts, images, workers, device)
    for made in track(made_parts, "validation images", len(parts)):
        part = made.on(device)
        corrupt += part.corrupt
        if len(part.index):
            if waiting is not None:
                yield waiting
            waiting, corrupt = part._replace(corrupt=corrupt), []
    if waiting is None:
        raise UserError(f"not one of the {len(images)} validation images can be read, such as {images.describe(0)}; check the dataset")
    yield waiting._replace(corrupt=waiting.corrupt + corrupt)
