"""The training data of a run: opened, cached as its source asks, its corrupt images watched."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch

from iwm_core.data.loader import Batch, DecodedViews, on_device
from iwm_core.data.order import Slice
from iwm_core.data.quarantine import Corrupt, Quarantine, named
from iwm_core.data.reading import Reader, open_split
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import DataSource, Images
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import Display, Recurring
from iwm_core.run.directory import Run


class WatchedData(ABC):
    """Training images whose corrupt ones are written down and named.

    Args:
        images: the split that is trained on; what it notes is told.
        source: where they come from.
        run: where corrupt images are written down.
        workers: data workers.
        device: where batches go.
        display: for warnings.
        quiet: another process tells what all of them meet.

    Attributes:
        lost: why there are no data workers any more; empty as long as they live.
    """

    def __init__(
        self, images: Images, source: DataSource, run: Run, workers: int, device: torch.device, display: Display, quiet: bool
    ) -> None:
        self.total, self.workers, self.device, self.display, self.warn = len(images), workers, device, display, Recurring(display.warn)
        for note in () if quiet else images.notes:
            display.warn(note)
        self.lost = ""
        # Each process decodes its own share of a step and tells what it meets; but a cache is filled by every process alike.
        self.tells = not quiet or source.cache == "none"
        self.quarantine = Quarantine(run.quarantine if self.tells else None, self.total, source.max_corrupt)

    def __len__(self) -> int:
        return self.total

    @abstractmethod
    def batches(self, slices: Iterator[Slice]) -> Iterator[Any]:
        """The micro-batches of a schedule's slices, on the device; a `UserError` where too few images can be read, or data does not fit."""

    @property
    def corrupt(self) -> int:
        """Corrupt images met so far, by all processes."""
        self.quarantine.take_over()
        return len(self.quarantine)

    def cached(self, reader: Reader) -> Images:
        """All images, read once."""
        kept = keeper().kept(reader, self.workers, self.display.track)
        self.note(kept.corrupt)
        return kept

    def made(self, make: Callable[[Slice], Any], slices: Iterator[Slice]) -> Iterator[Any]:
        """What workers make of slices, on the device but for the samples' numbers, the corrupt images noted that they met."""
        for batch in made_in_order(make, slices, self.workers, self.lose, pin=self.device.type == "cuda", ahead=4):
            self.note(batch.corrupt)
            yield on_device(batch._replace(index=None), self.device)._replace(index=batch.index)

    def lose(self, why: str) -> None:
        """Note that there are no data workers any more."""
        self.lost = why

    def note(self, corrupt: list[Corrupt]) -> None:
        """Quarantine corrupt images and name the new ones."""
        new = self.quarantine.add(corrupt)
        if new and self.tells:
            count = f"{len(self.quarantine)} of {self.total} images so far"
            self.warn("corrupt", f"cannot read {named(new)}: {count}, left out and listed in {self.quarantine.path}")


class TrainingData(WatchedData):
    """Batches of views for the training loop, of a recipe of any kind of run with `data`, `view`, `image_size`, `train.seed` and
    `launch.workers`."""

    def __init__(self, recipe: Any, run: Run, device: torch.device, display: Display, quiet: bool) -> None:
        source, images = recipe.data, open_training(recipe.data)
        super().__init__(images, source, run, recipe.launch.workers, device, display, quiet)
        reader = Reader(images, source.observed, known=self.quarantine.found)
        how = recipe.view, recipe.view.canvas or recipe.image_size, recipe.train.seed
        if source.cache == "none":
            self.views: Any = DecodedViews(reader, *how)
        else:
            self.views = keeper().views(reader, self.workers, display.track, how, device, source.cache == "device")
            self.note(self.views.cache.corrupt)

    def batches(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        """The micro-batches of a schedule's slices."""
        return self.made(self.views, slices) if isinstance(self.views, DecodedViews) else self.views(slices)


def open_training(source: DataSource) -> Images:
    """The split that is trained on; a `UserError` where it cannot be opened, or nothing is installed that keeps its images as is asked
    for."""
    if source.cache != "none":
        keeper()
    return open_split(source, "train")


def keeper() -> Any:
    """What decodes all images once and keeps them, for ``data.cache=ram`` and ``device``: the module of a plugin; a `UserError` where no
    installed plugin does that, or several do."""
    return load_plugins().only("iwm_caches", "data.cache other than none keeps decoded images")
