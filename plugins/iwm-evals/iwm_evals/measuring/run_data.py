"""The data of a run as evaluators see it: the centre square of each image, at the model's size."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.data.loader import on_device, stacked
from iwm_core.data.quarantine import Corrupt, named, too_many
from iwm_core.data.reading import Reader, fault_of_action, open_split
from iwm_core.data.view import S, centre_boxes, crop, sizes_of
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import CorruptImage, EvaluationData, ImageBatch
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import Recipe


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


class RunData(EvaluationData):
    """Reads the splits of a recipe's data source; its batches go to ``device``."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device, self.seed = recipe, device, recipe.train.seed
        self._corrupt: dict[str, set[Corrupt]] = {}
        self._open: dict[str, Reader] = {}
        self.classes, self.factors = self.split("validation").images.classes, self.split("validation").images.factors

    def split(self, name: str) -> Reader:
        """A split, opened once."""
        if name not in self._open:
            self._open[name] = Reader(open_split(self.recipe.data, name), self.recipe.data.observed, ("label",))
        return self._open[name]

    @property
    def corrupt(self) -> set[Corrupt]:
        """The corrupt images met so far."""
        return set().union(*self._corrupt.values())

    def count(self, split: str) -> int:
        return len(self.split(split))

    def actions(self, split: str, count: int) -> Float[Tensor, "c a"]:
        images, observed = self.split(split).images, self.recipe.data.observed
        index = spread(len(images), count).tolist()
        if observed is None:
            return torch.empty(len(index), 0)
        told = []
        for i in index:
            try:
                action = images.action(i)
            except CorruptImage:
                continue
            if not fault_of_action(action, observed):
                told.append(action)
        return torch.stack(told) if told else torch.empty(0, len(observed.labels))

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        reader, recipe = self.split(split), self.recipe
        squares = Squares(reader, recipe.view.canvas or recipe.image_size)
        found, limit = self._corrupt.setdefault(split, set()), recipe.data.max_corrupt
        for batch, corrupt in made_in_order(squares, spread(len(reader), count).split(size), recipe.launch.workers):
            found.update(corrupt)
            if too_many(len(found), len(reader), limit):
                raise UserError(
                    f"{len(found)} of {len(reader)} {split} images cannot be read, more than data.max_corrupt={limit:g} allows; "
                    f"one is {named(sorted(found)[:1])}: repair or remove them"
                )
            if len(batch.index):
                yield on_device(batch, self.device)


def spread(images: int, count: int) -> Int[Tensor, "c"]:
    """Indices of ``count`` images of a split, or of all where it has fewer: evenly, as folders are sorted by class."""
    count = min(count, images)
    return torch.arange(count) * images // max(count, 1)


def centre_squares(samples: Sequence[S], size: int) -> list[S]:
    """The largest centred square of each sample, resized."""
    return [crop(sample, box, size) for sample, box in zip(samples, centre_boxes(sizes_of(samples)), strict=True)]
