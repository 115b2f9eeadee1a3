"""Component `python`: a dataset in Python, as `iwm_core.train` is given one.

Decisions:
- Any object with a length and items by their numbers is a dataset: of torch, of torchvision, of Hugging Face's library, a list, an array.
- It is held as long as the call that it was given to, in this process alone. The frozen config says in words what it was; a run that goes
  on is given it again.
- Data workers are forked, and have it with them; where they are started otherwise, it is pickled.
- Classes are those that the dataset names (``classes``, or its column's). Labels without names are numbered where the dataset tells all of
  them (``targets``, ``labels``, a `TensorDataset`); else they are left out, and this is said.
- Where no validation images are given, each image is held out or not by a random number of its own, as in `iwm_data.hub`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from iwm_core.interfaces import CorruptImage, DataSource, Draws, Images, UserError, option
from iwm_data.items import LABEL_NAMES, Item, item_of, pixels_of
from iwm_data.splits import named_as

here: dict[str, Any] = {}
"""The datasets that this process holds now, by split."""


class PythonImages(Images):
    """The images of one split.

    Args:
        dataset: whose items they are.
        split: what the dataset is called.
        rows: which of its items, in their order.
        classes: names of the labels; none where labels are left out.
    """

    def __init__(self, dataset: Any, split: str, rows: np.ndarray, classes: tuple[str, ...]) -> None:
        self.dataset, self.split, self.rows, self.classes = dataset, split, rows, classes
        self.last = (-1, Item(None))  # an item is asked for its image, then for its label

    def __len__(self) -> int:
        return len(self.rows)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        try:
            return pixels_of(self.item(index).image)
        except ValueError as error:
            raise UserError(f"{self.describe(index)}: {error}") from error

    def item(self, index: int) -> Item:
        """An item, as it came."""
        if self.last[0] != index:
            try:
                self.last = index, item_of(self.dataset[int(self.rows[index])])
            except OSError as error:  # a file that it reads; whatever else it raises is a fault of its code, and is shown as such
                raise CorruptImage(f"cannot be read: {' '.join(str(error).split())}") from error
        return self.last[1]

    def describe(self, index: int) -> str:
        return f"{self.split}[{self.rows[index]}]"

    def label(self, index: int) -> int:
        if not self.classes:
            return -1
        label = number_of(self.item(index).label)
        if label is not None and label >= len(self.classes):
            raise UserError(f"{self.describe(index)} has the label {label}, and there are {len(self.classes)} classes, from 0 on")
        return -1 if label is None else label


@dataclass(kw_only=True)
class Python(DataSource):
    """A dataset in Python, given to iwm_core.train."""

    name: ClassVar[str] = "python"

    what: str = option("", "what it was, in words; told by iwm_core.train")
    holdout: float = option(0.1, "share of the images kept for validation where no other are given for it", low=0, high=1)

    @classmethod
    def take(cls, given: Any) -> Any:
        if isinstance(given, str | bytes | PathLike):
            return None
        if isinstance(given, DataLoader):
            raise ValueError("data= is a DataLoader; give the dataset that it reads, loader.dataset: batches are made by the recipe")
        splits = dict(given) if isinstance(given, Mapping) else {"train": given}
        chosen = {split: named_as(split, list(map(str, splits)), "leave one out") for split in ("train", "validation")}
        if chosen["train"] is None:
            raise ValueError(f'data= has the keys {", ".join(map(str, splits)) or "none"}; write {{"train": …, "validation": …}}')
        held = {split: splits[name] for split, name in chosen.items() if name is not None}
        for split, dataset in held.items():
            check(dataset, split)
        return holding(held)

    def open(self, split: str) -> PythonImages:
        """The images of ``train`` or ``validation``.

        Raises:
            ValueError: this process holds no dataset, or there are no images for this split.
        """
        if split not in ("train", "validation"):
            raise ValueError(f"data=python has the splits train and validation, not {split!r}")
        if not here:
            what = f" ({self.what})" if self.what else ""
            raise ValueError(
                f"data=python: the images are a dataset in Python{what}, which this process was not given; in one process "
                "(launch.processes=1), begin with iwm_core.train(RECIPE, data=DATASET) and go on with "
                "iwm_core.train(resume=RUN, data=DATASET), or choose other images: data=folder data.path=FOLDER"
            )
        own = split if split in here else "train"
        dataset, rows = here[own], np.arange(len(here[own]))
        if "validation" not in here:
            held = Draws(0, 0, torch.arange(len(rows)), "holdout").bernoulli(self.holdout)[:, 0].numpy()
            rows = rows[held if split == "validation" else ~held]
        if not len(rows):
            raise ValueError(
                f"data.holdout={self.holdout:g} leaves no image for {split}: change it, or give {{'train': …, 'validation': …}}"
            )
        images = PythonImages(dataset, "data" if len(here) == 1 else own, rows, class_names(here["train"]))
        if not images.classes:
            images.notes = unnamed(images)
        return images


@contextmanager
def holding(splits: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Hold datasets meanwhile; gives the options that tell what they are."""
    if here:
        raise UserError("a training is under way in this process with data of its own; end it first")
    words = [f"{type(dataset).__name__} of {len(dataset)}{f' for {split}' * (len(splits) > 1)}" for split, dataset in splits.items()]
    here.update(splits)
    try:
        yield {"what": " and ".join(words)}
    finally:
        here.clear()


def unnamed(images: PythonImages) -> tuple[str, ...]:
    """A note of labels that are left out."""
    try:
        label = images.item(0).label
    except CorruptImage:
        return ()
    if label is None:
        return ()
    number = number_of(label) is not None
    why = "names no classes" if number else f"has labels of the type {type(label).__name__}, not whole numbers"
    return (f"the dataset {why}, so its labels are left out; let dataset.classes be the list of the classes' names",)


def check(dataset: Any, split: str) -> None:
    """Check that a dataset is one, by its first item.

    Raises:
        ValueError: it is not.
    """
    kind = type(dataset).__name__
    if isinstance(dataset, IterableDataset) or not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")):
        raise ValueError(
            f"data= has a {kind} for {split}, without a length and items by their numbers: give a map-style dataset, or list(dataset)"
        )
    if not len(dataset):
        raise ValueError(f"data= has a {kind} for {split} that is empty")
    try:
        item = dataset[0]
    except Exception as error:  # whatever somebody's code raises
        raise ValueError(f"data= has a {kind} for {split}, whose first item cannot be had: {type(error).__name__}: {error}") from error
    try:
        image = item_of(item).image
        if isinstance(image, Tensor) and not image.is_cpu:
            raise ValueError(f"it is on {image.device}, where data workers cannot go; keep it on the CPU")
        pixels_of(image)
    except CorruptImage:  # left out in training, as any other
        return
    except ValueError as error:
        raise ValueError(f"the first item of data= for {split}: {error}") from error


def number_of(label: Any) -> int | None:
    """A label as a class's number; None where it is none: another kind of thing, or below 0."""
    if isinstance(label, np.ndarray | Tensor) and label.ndim == 0:
        label = label.item()
    return int(label) if isinstance(label, int | np.integer) and not isinstance(label, bool) and label >= 0 else None


def class_names(dataset: Any) -> tuple[str, ...]:
    """The names of a dataset's classes; none where it does not tell them."""
    while True:  # a subset, and what is like it, lead to the whole
        if isinstance(names := getattr(dataset, "classes", None), list | tuple):
            return tuple(map(str, names))
        columns = getattr(dataset, "features", None)
        for column in map(columns.get, LABEL_NAMES) if isinstance(columns, Mapping) else ():
            if isinstance(names := getattr(column, "names", None), list):
                return tuple(map(str, names))
        tensors = getattr(dataset, "tensors", ())
        for labels in (getattr(dataset, "targets", None), getattr(dataset, "labels", None), tensors[1] if len(tensors) > 1 else None):
            if (highest := highest_of(labels)) >= 0:
                return tuple(map(str, range(highest + 1)))
        if not hasattr(dataset, "dataset"):
            return ()
        dataset = dataset.dataset


def highest_of(labels: Any) -> int:
    """The highest of all labels; -1 where they are no whole numbers."""
    if not isinstance(labels, list | tuple | np.ndarray | Tensor) or not len(labels):
        return -1
    numbers = np.asarray(labels)
    return int(numbers.max()) if numbers.ndim == 1 and np.issubdtype(numbers.dtype, np.integer) else -1
