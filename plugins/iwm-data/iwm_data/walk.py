"""Folders of images and what is in them.

Decisions:
- The order is by name at each level, whatever the file system. Names that begin with a dot do not exist.
- Links are followed; a link back to a folder above it is not. Nor is any folder entered more than `MOST_VISITS` times or deeper than
  `DEEPEST`: folders that link to each other would else have more paths than can be walked.
"""

import os
from collections import Counter
from collections.abc import Iterator

MOST_VISITS, DEEPEST = 100, 100


def entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, by name, without hidden entries.

    Raises:
        ValueError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as found:
            return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise ValueError(f"the folder {folder} cannot be read ({error.strerror}): allow it, or move it out of data.path") from error


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; a link that leads to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_regular(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or a link to one."""
    try:
        return entry.is_file()
    except OSError:
        return False


Identity = tuple[int, int]


def identity_of(folder: str) -> Identity:
    """What a folder is by any of its names."""
    status = os.stat(folder)  # noqa: PTH116
    return status.st_dev, status.st_ino


def walk(
    root: str, below: str, above: frozenset[Identity] = frozenset(), visits: Counter[Identity] | None = None
) -> Iterator[tuple[str, bool]]:
    """Every path ``below`` the root, relative to it, and whether it is a file (else: a broken link, a circle of links, a device)."""
    visits = Counter() if visits is None else visits
    folder = f"{root}/{below}" if below else root
    identity = identity_of(folder)
    visits[identity] += 1
    if identity in above or visits[identity] > MOST_VISITS or len(above) >= DEEPEST:
        yield below, False
        return
    for entry in entries(folder):
        path = f"{below}/{entry.name}" if below else entry.name
        if is_folder(entry):
            yield from walk(root, path, above | {identity}, visits)
        else:
            yield path, is_regular(entry)


def check_apart(root: str, train: str, validation: str | None) -> None:
    """Refuse a validation folder, or a folder in it, that is one of the training images', by a link or another name.

    Raises:
        ValueError: there is one.
    """
    if validation is None:
        return
    below = {
        split: [split, *(f"{split}/{entry.name}" for entry in entries(f"{root}/{split}") if is_folder(entry))]
        for split in (train, validation)
    }
    trained = {identity_of(f"{root}/{path}"): path for path in below[train]}
    for path in below[validation]:
        if (same := trained.get(identity_of(f"{root}/{path}"))) is not None:
            raise ValueError(
                f"{root}/{path} is {root}/{same}: validate on images that are not trained on; without {validation}, some are held out"
            )
