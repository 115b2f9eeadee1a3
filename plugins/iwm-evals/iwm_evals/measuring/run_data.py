"""The data of a run as evaluators see it: the centre square of each image, at the model's size."""

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.data.loader import on_device
from iwm_core.data.quarantine import Corrupt, named, too_many
from iwm_core.data.reading import Reader, fault_of_action, open_split
from iwm_core.interfaces import CorruptImage, EvaluationData, ImageBatch
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import Recipe
from iwm_evals.measuring.squares import Kept, Squares

MOST_KEPT = 2**29
"""Bytes of squares of a split that are kept, where its images are kept for training, too (``data.cache``)."""


class RunData(EvaluationData):
    """Reads the splits of a recipe's data source; its batches go to ``device``."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.recipe, self.device, self.seed = recipe, device, recipe.train.seed
        self._corrupt: dict[str, set[Corrupt]] = {}
        self._open: dict[str, Reader] = {}
        self._kept: dict[str, Kept] = {}
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
        kept = self._kept.setdefault(split, Kept(len(reader), MOST_KEPT if recipe.data.cache != "none" else 0))
        found, limit = self._corrupt.setdefault(split, set()), recipe.data.max_corrupt
        for batch, corrupt in kept.made(squares, spread(len(reader), count).split(size), recipe.launch.workers):
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
