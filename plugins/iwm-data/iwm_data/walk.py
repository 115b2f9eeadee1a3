"""Folders of images and what is in them.

Decisions:
- The order is by name at each level, whatever the file system. Names that begin with a dot do not exist.
- Links are followed; a link back to a folder above it is not. Nor is any folder entered more than `MOST_VISITS` times or deeper than
  `DEEPEST`: folders that link to each other would else have more paths than can be walked.
"""

import os
from collections import Counter
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

MOST_VISITS, DEEPEST = 100, 100


@runtime_checkable
class Looking(Protocol):
    """What is told of each folder that is read."""

    def folder(self, path: str) -> None: ...

    def entries(self, found: list[os.DirEntry[str]]) -> None: ...


def entries(folder: str, looked: Looking | None = None) -> list[os.DirEntry[str]]:
    """What is in a folder, by name, without hidden entries; ``looked`` is told, before and after.

    Raises:
        ValueError: the folder cannot be read.
    """
    try:
        if looked:
            looked.folder(folder)
        with os.scandir(folder) as found:
            shown = sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        raise ValueError(f"the folder {folder} cannot be read ({error.strerror}): allow it, or move it out of data.path") from error
    if looked:
        looked.entries(shown)
    return shown


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; a link that leads to itself is not."""
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
    root: str,
    below: str,
    above: frozenset[Identity] = frozenset(),
    visits: Counter[Identity] | None = None,
    looked: Looking | None = None,
) -> Iterator[tuple[str, int | None]]:
    """Every path ``below`` the root, relative to it, and which file that is: a number that its other names share, with few others.

    None stands for what is not a file: a broken link, a circle of links, a device.
    """
    visits = Counter() if visits is None else visits
    folder = f"{root}/{below}" if below else root
    identity = identity_of(folder)
    visits[identity] += 1
    if identity in above or visits[identity] > MOST_VISITS or len(above) >= DEEPEST:
        yield below, None
        return
    for entry in entries(folder, looked):
        path = f"{below}/{entry.name}" if below else entry.name
        if is_folder(entry):
            yield from walk(root, path, above | {identity}, visits, looked)
        else:
            yield path, which_file(entry, identity[0]) if is_regular(entry) else None


def which_file(entry: os.DirEntry[str], device: int) -> int:
    """Which file an entry of a folder on a device is; of what is not a link this is known without asking for each file of a million."""
    if entry.is_symlink():
        status = entry.stat()
        return hash((status.st_dev, status.st_ino))
    return hash((device, entry.inode()))
