"""What the data source `hub` opens: tables of Hugging Face `datasets`, their splits and columns.

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
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import datasets
import numpy as np
import torch
from datasets import ClassLabel, Dataset, Image

from iwm_core.interfaces import Draws
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
from iwm_data.hub import Hub
from iwm_data.items import IMAGE_NAMES, LABEL_NAMES
from iwm_data.rows import HubImages, undecoded
from iwm_data.splits import left_out, listed, looked_for, named_as
from iwm_data.tables import Splits, loaded, local_splits


def open_hub(hub: Hub, split: str) -> HubImages:
    """The images of ``train`` or ``validation``.

    Raises:
        ValueError: the dataset, a split or a column cannot be had, or there are no rows for this split; the text names the fix.
    """
    assert split in ("train", "validation"), split
    with no_progress_bars():
        splits = splits_of(hub)
        train, validation = choose(hub, list(splits))
        tables = {"train": splits[train]()}
        labels = {"train": label_column(hub, tables["train"])}
        classes = class_names(tables["train"], labels["train"]) if labels["train"] else ()
        if validation is not None and (classes or split == "validation"):
            tables["validation"] = splits[validation]()
            labels["validation"] = label_column(hub, tables["validation"])
        own = split if split in tables else "train"
        table, label, source = tables[own], labels[own], validation if own == "validation" and validation else train
        image = image_column(hub, table)
        rows = np.arange(len(table))
        if validation is None:
            held = Draws(0, 0, torch.arange(len(table)), "holdout").bernoulli(hub.holdout)[:, 0].numpy()
            rows = rows[held if split == "validation" else ~held]
        if not len(rows):
            raise ValueError(why_empty(hub, source, len(table), split))
        images = HubImages(table, source, image, rows, hub.white)
        images.classes, images.mask_classes = classes, tuple(hub.mask_classes)
        if label is not None:
            images.known = (class_lists if is_several(table, label) else class_numbers)(table, label, classes)
            images.unknown = dict(unknown(table, label, classes)) if own == "validation" else {}
        if hub.mask_column is not None:
            images.masks, images.mask_ignore = undecoded(table, hub.mask_column), tuple(hub.mask_ignore)
        images.notes = notes_of(hub, images, table, label)
        if classes:
            images.notes += called_alike(classes) + strangers(tables, labels, classes)
        if hub.train_split is None and hub.validation_split is None and len(splits) > 1:
            others = left_out(splits, train, validation)
            images.notes += (f"the splits {listed(others)} of {hub.path} are left out",) if others else ()
        return images


def notes_of(hub: Hub, images: HubImages, table: Dataset, label: str | None) -> tuple[str, ...]:
    """What the user should know of a split by ithub."""
    notes = white_note(images, images.file) if hub.white is None else ()
    return (*notes, *(nameless(table, label) if label else passed_over(table, LABEL_NAMES, holds_class)))


def splits_of(hub: Hub) -> Splits:
    local = Path(hub.path).expanduser()
    if exists(str(local)):
        return local_splits(local.absolute(), hub.config)
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", hub.path) or local.suffix in (".parquet", ".arrow"):
        raise ValueError(f"there is no file or folder {looked_for(str(local))}: check data.path (data.path=FOLDER, where the data is)")
    if "/" not in hub.path and find_spec(f"datasets.packaged_modules.{hub.path.partition('.')[0]}"):
        raise ValueError(f"data.path={hub.path} is a file reader, not a dataset, and may run code: name a dataset, OWNER/NAME")
    fix = "check the name, data.config, data.revision and the network; or let data.path name a .parquet file or a folder of them"
    what = f"{hub.path}, which is not a file or folder here, on the Hugging Face hub"
    found = loaded(partial(datasets.load_dataset, hub.path, hub.config, revision=hub.revision, data_dir=hub.folder), what, fix)
    return {name: partial(found.__getitem__, name) for name in found}


def choose(hub: Hub, names: list[str]) -> tuple[str, str | None]:
    """The splits for training and validation among ``names``; None: hold rows out."""
    alone = names[0] if len(names) == 1 else None
    train = hub.train_split or alone or named_as("train", names, "set data.train_split to one of them") or "train"
    others = [name for name in names if name != train]
    validation = hub.validation_split or named_as("validation", others, "set data.validation_split to one of them")
    for field, split in ("train_split", train), ("validation_split", validation):
        if split is not None and split not in names:
            raise ValueError(f"{hub.path} has no split {split}: set data.{field} to one of {', '.join(names)}")
    if train == validation:
        raise ValueError(f"data.validation_split={validation} is what is trained on: name another split, or leave it out to hold rows out")
    return train, validation


def image_column(hub: Hub, table: Dataset) -> str:
    if hub.mask_column is not None:
        table = table.remove_columns(find_column(table, "mask_column", hub.mask_column, holds_image, Image, ()) or [])
    found = find_column(table, "image_column", hub.image_column, holds_image, Image, IMAGE_NAMES)
    if found is None:
        columns = ", ".join(table.features)
        raise ValueError(f"no column of {hub.path} looks like images: set data.image_column to one of {columns}, or change data.path")
    return found


def label_column(hub: Hub, table: Dataset) -> str | None:
    return find_column(table, "label_column", hub.label_column, holds_class, ClassLabel, LABEL_NAMES)


def why_empty(hub: Hub, source: str, count: int, split: str) -> str:
    if count:
        return f"data.holdout={hub.holdout:g} leaves none of {count} rows for {split}: change it, or set data.validation_split"
    return f"the split {source} of {hub.path} has no rows: set data.{split}_split or data.path to other data"


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
