"""Component `hub`: images in a table of Hugging Face `datasets`, from the hub or from parquet and Arrow files of one's own.

Decisions:
- What exists on this machine is read from this machine, without the network; anything else is a name on the hub.
- `datasets` keeps an Arrow copy of parquet in its own cache (``HF_HOME``) and maps it into memory: rows are quick to reach in any order and
  shared by all processes. The folder of the data is never written to. What `save_to_disk` wrote is mapped in place.
- No code of a dataset is run: `datasets` 4, the least that is asked for, knows no scripts, and its readers of other files (pickles among
  them) cannot be named. Parquet is looked at before it is read: what it says of its rows has bounds.
- A column or split that the user names must be there; one left open is found (`iwm_data.columns`), but masks are never guessed.
- Class names belong to the training split, and other splits are numbered by name. A value it does not know has no label, which is said
  where training begins: so both splits are opened for either.
- Without a validation split each row is held out or not by a random number of its own, so that further rows move no other row.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import datasets
import numpy as np
import torch
from datasets import ClassLabel, Dataset, Image

from iwm_core.interfaces import NOT_COUNTED, DataSource, Draws, option
from iwm_core.run.files import exists
from iwm_data.classes import called_alike, unknown_to_training
from iwm_data.columns import (
    class_lists,
    class_names,
    class_numbers,
    find_column,
    holds_class,
    holds_image,
    is_several,
    nameless,
    passed_over,
    unknown,
)
from iwm_data.decode import white_note
from iwm_data.items import IMAGE_NAMES, LABEL_NAMES
from iwm_data.masks import check_mask_classes
from iwm_data.rows import HubImages, undecoded
from iwm_data.splits import left_out, listed, looked_for, named_as
from iwm_data.tables import Splits, loaded, local_splits


@dataclass(kw_only=True)
class Hub(DataSource):
    """A dataset of the Hugging Face hub, or parquet and Arrow files."""

    name: ClassVar[str] = "hub"
    path: str = option(
        doc="owner/name on the hub, or a .parquet or .arrow file, a folder of such (train*, validation*), a save_to_disk folder", path=True
    )
    config: str | None = option(None, "which of the dataset's configurations")
    revision: str | None = option(None, "branch, tag or commit on the hub")
    folder: str | None = option(None, "which folder of the hub's repository")
    image_column: str | None = option(None, "column of the images; found where not given")
    label_column: str | None = option(None, "column of the labels, or of lists of them; found, if there is one, where not given")
    mask_column: str | None = option(None, "column of segmentation masks: images of one channel")
    mask_classes: list[str] = option([], "names of the values of masks, from 0 on, without those of mask_ignore")
    mask_ignore: list[int] = option([NOT_COUNTED], "values of masks whose pixels do not count, such as [0,255]")
    white: float | None = option(
        None, "value of white in images of 16 or 32 bits a colour, such as 4095; null: the end of the range of bits of each image", low=1e-6
    )
    train_split: str | None = option(None, "split to train on; train where not given")
    validation_split: str | None = option(None, "split for validation; validation, val, valid or test where not given")
    holdout: float = option(0.1, "share of the rows kept for validation where there is no validation split", low=0, high=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ValueError("data.path is empty: name a dataset of the hub (owner/name), a file or a folder")
        check_mask_classes(self.mask_classes, self.mask_column, "mask_column", self.mask_ignore)

    def open(self, split: str) -> HubImages:
        """The images of ``train`` or ``validation``.

        Raises:
            ValueError: the dataset, a split or a column cannot be had, or there are no rows for this split; the text names the fix.
        """
        assert split in ("train", "validation"), split
        with no_progress_bars():
            splits = self._splits()
            train, validation = self._choose(list(splits))
            tables = {"train": splits[train]()}
            labels = {"train": self._label_column(tables["train"])}
            classes = class_names(tables["train"], labels["train"]) if labels["train"] else ()
            if validation is not None and (classes or split == "validation"):
                tables["validation"] = splits[validation]()
                labels["validation"] = self._label_column(tables["validation"])
            own = split if split in tables else "train"
            table, label, source = tables[own], labels[own], validation if own == "validation" and validation else train
            image = self._image_column(table)
            rows = np.arange(len(table))
            if validation is None:
                held = Draws(0, 0, torch.arange(len(table)), "holdout").bernoulli(self.holdout)[:, 0].numpy()
                rows = rows[held if split == "validation" else ~held]
            if not len(rows):
                raise ValueError(self._why_empty(source, len(table), split))
            images = HubImages(table, source, image, rows, self.white)
            images.classes, images.mask_classes = classes, tuple(self.mask_classes)
            if label is not None:
                images.known = (class_lists if is_several(table, label) else class_numbers)(table, label, classes)
                images.unknown = dict(unknown(table, label, classes)) if own == "validation" else {}
            if self.mask_column is not None:
                images.masks, images.mask_ignore = undecoded(table, self.mask_column), tuple(self.mask_ignore)
            images.notes = self._notes(images, table, label)
            if classes:
                images.notes += called_alike(classes) + strangers(tables, labels, classes)
            if self.train_split is None and self.validation_split is None and len(splits) > 1:
                others = left_out(splits, train, validation)
                images.notes += (f"the splits {listed(others)} of {self.path} are left out",) if others else ()
            return images

    def _notes(self, images: HubImages, table: Dataset, label: str | None) -> tuple[str, ...]:
        """What the user should know of a split by itself."""
        notes = white_note(images, images.file) if self.white is None else ()
        return (*notes, *(nameless(table, label) if label else passed_over(table, LABEL_NAMES, holds_class)))

    def _splits(self) -> Splits:
        local = Path(self.path).expanduser()
        if exists(str(local)):
            return local_splits(local.absolute(), self.config)
        if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", self.path) or local.suffix in (".parquet", ".arrow"):
            raise ValueError(f"there is no file or folder {looked_for(str(local))}: check data.path (data.path=FOLDER, where the data is)")
        if "/" not in self.path and find_spec(f"datasets.packaged_modules.{self.path.partition('.')[0]}"):
            raise ValueError(f"data.path={self.path} is a file reader, not a dataset, and may run code: name a dataset, OWNER/NAME")
        fix = "check the name, data.config, data.revision and the network; or let data.path name a .parquet file or a folder of them"
        what = f"{self.path}, which is not a file or folder here, on the Hugging Face hub"
        found = loaded(partial(datasets.load_dataset, self.path, self.config, revision=self.revision, data_dir=self.folder), what, fix)
        return {name: partial(found.__getitem__, name) for name in found}

    def _choose(self, names: list[str]) -> tuple[str, str | None]:
        """The splits for training and validation among ``names``; None: hold rows out."""
        alone = names[0] if len(names) == 1 else None
        train = self.train_split or alone or named_as("train", names, "set data.train_split to one of them") or "train"
        others = [name for name in names if name != train]
        validation = self.validation_split or named_as("validation", others, "set data.validation_split to one of them")
        for field, split in ("train_split", train), ("validation_split", validation):
            if split is not None and split not in names:
                raise ValueError(f"{self.path} has no split {split}: set data.{field} to one of {', '.join(names)}")
        if train == validation:
            raise ValueError(
                f"data.validation_split={validation} is what is trained on: name another split, or leave it out to hold rows out"
            )
        return train, validation

    def _image_column(self, table: Dataset) -> str:
        if self.mask_column is not None:
            table = table.remove_columns(find_column(table, "mask_column", self.mask_column, holds_image, Image, ()) or [])
        found = find_column(table, "image_column", self.image_column, holds_image, Image, IMAGE_NAMES)
        if found is None:
            columns = ", ".join(table.features)
            raise ValueError(f"no column of {self.path} looks like images: set data.image_column to one of {columns}, or change data.path")
        return found

    def _label_column(self, table: Dataset) -> str | None:
        return find_column(table, "label_column", self.label_column, holds_class, ClassLabel, LABEL_NAMES)

    def _why_empty(self, source: str, count: int, split: str) -> str:
        if count:
            return f"data.holdout={self.holdout:g} leaves none of {count} rows for {split}: change it, or set data.validation_split"
        return f"the split {source} of {self.path} has no rows: set data.{split}_split or data.path to other data"


def strangers(tables: dict[str, Dataset], labels: dict[str, str | None], classes: tuple[str, ...]) -> tuple[str, ...]:
    """A note of rows for validation that have no label, as the training split does not know their classes."""
    if "validation" not in tables:
        return ()
    table, label, count = tables["validation"], labels["validation"], len(tables["validation"])
    if label is None:
        return (f"the validation split has no column of labels: none of its {count} images has a label",)
    if is_several(table, label) != is_several(tables["train"], labels["train"] or label):
        return (f"the column {label} holds lists in one split alone: none of the {count} validation images has a label",)
    found = unknown(table, label, classes)
    return unknown_to_training(Counter(name for _, name in found), len({row for row, _ in found}), count, classes)


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """Keep the bars of `datasets` off the screen, which belongs to the training's own."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
