"""Tables of this machine: the splits in a file or folder, by the names of its files."""

import glob
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import datasets
from datasets import Dataset
from datasets.exceptions import DatasetGenerationError

from iwm_data.bounds import check_shards
from iwm_data.splits import SPLIT_OF

Splits = dict[str, Callable[[], Dataset]]
"""The splits of a dataset by name, each opened when called."""


def local_splits(path: Path, config: str | None) -> Splits:
    """The splits in a file or folder of this machine.

    Raises:
        ValueError: nothing here is in a form that can be read.
    """
    fix = "write it again, or set data.path to other data"
    if odd := [file for file in (path, path / "dataset_dict.json", path / "state.json") if file.exists() and not is_plain(file)]:
        raise ValueError(f"{odd[0]} is no regular file: check data.path")
    if (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        found = loaded(partial(datasets.load_from_disk, str(path)), str(path), fix)
        return {name: partial(found.__getitem__, name) for name in found} if isinstance(found, dict) else {"train": lambda: found}
    folders = [path, path / "data", *([path / config] if config else [])]  # as the hub's own repositories are laid out
    files = [path] if path.is_file() else [file for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]
    for kind in ("parquet", "arrow"):
        shards: dict[str, list[str]] = {}
        for file in files:
            if file.suffix == f".{kind}" and not file.name.startswith("."):
                shards.setdefault(split_of(file.stem), []).append(glob.escape(str(file)))
        if shards:
            check_shards(shards, kind)
            load = {name: partial(datasets.load_dataset, kind, data_files=names, split="train") for name, names in shards.items()}
            return {name: partial(loaded, load[name], f"the split {name} of {path}", fix) for name in load}
    raise ValueError(f"{path} neither is nor holds a .parquet or .arrow file: check data.path (for image files choose data=folder)")


def is_plain(path: Path) -> bool:
    """Whether a path is a file or a folder, not a pipe or a device, which would be waited for."""
    return path.is_file() or path.is_dir()


def split_of(stem: str) -> str:
    """The split that a file belongs to by its name: the usual word that it begins with, else the name without its shard's number."""
    word = re.match(rf"({'|'.join(sorted(SPLIT_OF, key=len, reverse=True))})(?![a-z])", stem, re.IGNORECASE)
    return word[0] if word else re.sub(r"-\d+-of-\d+$", "", stem)


def loaded(load: Callable[[], Any], what: str, fix: str) -> Any:
    """``load()``, its failures told in one line.

    Raises:
        ValueError: it failed.
    """
    try:
        return load()
    except Exception as error:  # the network, the hub's rules, file formats, the disk: some twenty kinds without a common base
        cause = (isinstance(error, DatasetGenerationError) and error.__cause__) or error
        text = str(cause).strip().partition("\n")[0] or type(cause).__name__
        raise ValueError(f"cannot open {what} ({text}): {fix}") from error
