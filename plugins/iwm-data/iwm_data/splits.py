"""Which folders or tables are the splits, by their names.

Decisions:
- The usual forms of the two words are the splits, in any case: never classes. Two names that may both be what is trained on, or that are
  one form in two cases, are refused, since either choice may be the wrong one.
- `test` waits beside another validation split, as is usual. Whatever else lies beside the splits is left out, and reported.
- What could be meant in two ways is refused: ``train`` among other folders may be a split or a class of trains; splits below the first
  level of folders would be mixed into one class.
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from iwm_core.run.files import exists
from iwm_data.walk import Looking, entries, is_folder

FORMS = {"train": ("train", "training"), "validation": ("validation", "val", "valid", "test", "testing")}
TESTS = ("test", "testing")
SPLIT_OF = {form: split for split, forms in FORMS.items() for form in forms}
"""The split that a name in lower case stands for."""


def looked_for(path: str) -> str:
    """A path and, where it is relative, from which folder: it may be another one than the user thinks of."""
    return path if os.path.isabs(path) else f"{path} in {Path.cwd()}"  # noqa: PTH117


def named_as(split: str, names: Iterable[str], fix: str) -> str | None:
    """Which of the names stands for a split, the first of its forms that there is; None: none does.

    Raises:
        ValueError: two may; the text ends with ``fix``.
    """
    found = [name for form in FORMS[split] for name in names if name.casefold() == form]
    rivals = found if split == "train" else [name for name in found if name.casefold() == found[0].casefold()]
    if len(rivals) > 1:
        raise ValueError(f"{' and '.join(rivals)} may both be the {split} split: {fix}")
    return found[0] if found else None


def left_out(names: Iterable[str], *splits: str | None) -> list[str]:
    """Those of the names that are neither a split nor a test split beside them."""
    return [name for name in names if name not in splits and name.casefold() not in TESTS]


def split_folders(root: str, looked: Looking | None = None) -> tuple[str, str | None]:
    """Names of the folders of both splits below the root; the root itself is ``""``, no validation folder is None.

    Raises:
        ValueError: there is no such folder, or it may be read in two ways.
    """
    if not exists(root):
        raise ValueError(f"there is no folder {looked_for(root)}: check data.path (data.path=FOLDER, where the images are)")
    if not os.path.isdir(root):  # noqa: PTH112 - a million Path objects take seconds
        raise ValueError(f"{root} is a file: data.path must name the folder that holds the images (for a parquet file choose data=hub)")
    folders = [entry.name for entry in entries(root, looked) if is_folder(entry)]
    fix = f"rename or join them, so that {root} has one"
    train, validation = (named_as(split, folders, fix) for split in FORMS)
    if train is None:
        if validation is not None:
            raise ValueError(
                f"{root} has a folder {validation} but none named train: rename the training folder to {root}/train, or change data.path"
            )
        return "", None
    if validation is None and len(folders) > 1:
        other = next(name for name in folders if name != train)
        raise ValueError(
            f"is {root}/{train} a split or a class, beside {other}? For a split, name the validation folder {root}/validation; "
            f"for a class, move all classes into a folder {root}/train"
        )
    return train, validation


def check_below(folder: str, deeper: Iterable[tuple[str, str]]) -> None:
    """Refuse splits that lie in a class.

    Args:
        folder: that of the classes.
        deeper: a class's folder and one in it that is called as a split, for all there are.

    Raises:
        ValueError: a class holds both splits.
    """
    held: dict[str, dict[str, str]] = {}
    for name, below in sorted(deeper):
        held.setdefault(name, {})[SPLIT_OF[below.casefold()]] = below
    for name, splits in held.items():
        if len(splits) == len(FORMS):
            both = " and ".join(splits[one] for one in FORMS)
            raise ValueError(
                f"{folder}/{name} holds {both}, whose images would all be of one class, {name}: for these splits "
                f"data.path={folder}/{name}; else rename them"
            )


def held_out(path: str, share: float) -> bool:
    """Whether the image at a relative path belongs to the held-out share; depends on nothing else."""
    return hash_of(path) < share * 2**32


def hash_of(path: str) -> int:
    """A number below 2**32 that is a relative path's own."""
    return int.from_bytes(hashlib.blake2s(os.fsencode(path), digest_size=4).digest(), "little")


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
