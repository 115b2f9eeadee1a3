"""The training data of a run: opened, cached as its source asks, its corrupt images watched."""

from collections.abc import Iterator
from typing import Any

import torch

from iwm_core.data.loader import Batch, DecodedViews, Slice
from iwm_core.data.pairs import paired
from iwm_core.data.quarantine import Corrupt, Quarantine, named
from iwm_core.data.store import StoredViews
from iwm_core.interfaces import DataSource, Images
from iwm_core.interfaces.errors import UserError
from iwm_core.process.display import Display, Recurring
from iwm_core.run.directory import Run


def open_split(source: DataSource, split: str) -> Images:
    """A split of a data source.

    Raises:
        UserError: it cannot be opened, or is empty.
    """
    try:
        images = source.open(split)
    except ValueError as error:
        raise UserError(str(error)) from error
    if len(images) == 0:
        raise UserError(f"the {split} split of data={source.name} has no images; check its options with `iwm components data_source`")
    return images


class WatchedData:
    """Training images whose corrupt ones are written down and named.

    Args:
        images: the split that is trained on; what it notes is told.
        source: where they come from.
        run: where corrupt images are written down.
        display: for warnings.
        quiet: another process tells what all of them meet.
    """

    def __init__(self, images: Images, source: DataSource, run: Run, display: Display, quiet: bool) -> None:
        self.total, self.display, self.warn = len(images), display, Recurring(display.warn)
        for note in () if quiet else images.notes:
            display.warn(note)
        self.lost = ""
        """Why there are no data workers any more; empty as long as they live."""
        # Each process decodes its own share of a step and tells what it meets; but a cache is filled by every process alike.
        self.tells = not quiet or source.cache == "none"
        self.quarantine = Quarantine(run.quarantine if self.tells else None, self.total, source.max_corrupt)

    def __len__(self) -> int:
        return self.total

    @property
    def corrupt(self) -> int:
        """Corrupt images met so far, by all processes."""
        self.quarantine.take_over()
        return len(self.quarantine)

    def lose(self, why: str) -> None:
        """Note that there are no data workers any more."""
        self.lost = why

    def report(self, batch: Any) -> None:
        """Quarantine the corrupt images met while this batch was made."""
        self.note(batch.corrupt)

    def note(self, corrupt: list[Corrupt]) -> None:
        """Quarantine corrupt images and name the new ones."""
        new = self.quarantine.add(corrupt)
        if new and self.tells:
            count = f"{len(self.quarantine)} of {self.total} images so far"
            self.warn("corrupt", f"cannot read {named(new)}: {count}, left out and listed in {self.quarantine.path}")


class TrainingData(WatchedData):
    """Batches of views for the training loop.

    Args:
        recipe: of any kind of run, with `data`, `view`, `image_size`, `train.seed` and `launch.workers`.
        run: where corrupt images are written down.
        device: where batches go.
        display: progress and warnings.
        quiet: another process tells what all of them meet.
    """

    def __init__(self, recipe: Any, run: Run, device: torch.device, display: Display, quiet: bool) -> None:
        images = paired(open_split(recipe.data, "train"), recipe.data)
        super().__init__(images, recipe.data, run, display, quiet)
        size = recipe.view.canvas or recipe.image_size
        workers = recipe.launch.workers
        if recipe.data.cache == "none":
            known = set(self.quarantine.found)
            self.views = DecodedViews(images, recipe.view, size, recipe.train.seed, known, workers, device, self.lose)
        else:
            on_device = recipe.data.cache == "device"
            self.views = StoredViews(images, recipe.view, size, recipe.train.seed, workers, device, on_device, display.track)
            self.note(self.views.corrupt)

    def batches(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        """The micro-batches of a schedule's slices."""
        return self.views(slices)
