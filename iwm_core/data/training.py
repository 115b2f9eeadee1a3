"""The training data of a run: opened, cached as its source asks, its corrupt images watched."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch

from iwm_core.data.cache import Cache, common_side
from iwm_core.data.loader import Batch, CachedViews, DecodedViews, on_device
from iwm_core.data.order import Slice
from iwm_core.data.quarantine import Corrupt, Quarantine, named
from iwm_core.data.reading import Reader, open_split
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import DataSource, Images
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
        """The micro-batches of a schedule's slices, on the device.

        Raises:
            UserError: too few images can be read, or data does not fit.
        """

    @property
    def corrupt(self) -> int:
        """Corrupt images met so far, by all processes."""
        self.quarantine.take_over()
        return len(self.quarantine)

    def cached(self, reader: Reader, side: tuple[int, int] | None = None, device: torch.device | None = None) -> Cache:
        """All images, read once."""
        cache = Cache(reader, self.workers, self.display.track, side, device)
        self.note(cache.corrupt)
        return cache

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
        source, images = recipe.data, open_split(recipe.data, "train")
        super().__init__(images, source, run, recipe.launch.workers, device, display, quiet)
        reader = Reader(images, source.observed, known=self.quarantine.found)
        how = recipe.view, recipe.view.canvas or recipe.image_size, recipe.train.seed
        if source.cache == "none":
            self.views = DecodedViews(reader, *how)
        else:
            cache = self.cached(reader, common_side(reader), device if source.cache == "device" else None)
            self.views = CachedViews(cache, *how, device)

    def batches(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        """The micro-batches of a schedule's slices."""
        return self.views(slices) if isinstance(self.views, CachedViews) else self.made(self.views, slices)
