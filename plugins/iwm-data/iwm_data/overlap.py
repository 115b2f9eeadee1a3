"""No image twice: not in training and validation, not in two classes, by whatever names.

Decisions:
- Files are compared by what they are, so links at any depth, hard links and further names of a folder are found. Copies are not: nobody
  waits until a million files are read.
- What is trained on and measured on is refused. So is one folder in two classes. Single files in two classes are reported: tools that join
  equal files leave them so.
"""

import os
from array import array
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from iwm_data.files import FolderImages


class Found(NamedTuple):
    """The images of a split.

    Attributes:
        images: these.
        which: of each which file it is, as `iwm_data.walk.walk` tells it.
    """

    images: "FolderImages"
    which: array


def check_once(train: Found, held: Found, validation: str | None) -> tuple[str, ...]:
    """What is to be told of images that have two names.

    Args:
        train, held: what is trained on and what is measured on.
        validation: the folder of the latter; None where they are held out of the former's.

    Raises:
        ValueError: an image is in both splits, or a folder in two classes.
    """
    count = len(train.which)
    which = np.concatenate([np.frombuffer(found.which, dtype=np.int64) for found in (train, held)])
    order = np.argsort(which, kind="stable")
    again = np.flatnonzero(np.diff(which[order]) == 0)
    several = []
    for place in again.tolist():
        one, other = int(order[place]), int(order[place + 1])
        ends = [(train, index) if index < count else (held, index - count) for index in (one, other)]
        labels = {found.images.label(index) for found, index in ends}
        leaks, differ = one < count <= other, len(labels) == 2 and -1 not in labels
        paths = [found.images.file(index) for found, index in ends]
        if not (leaks or differ) or not os.path.samefile(*paths):  # noqa: PTH121 - as in folder.py
            continue
        whole = highest(*paths)
        if leaks and validation is not None:
            raise ValueError(
                f"{whole[1]} is {whole[0]}: validate on images that are not trained on; without {validation}, some are held out"
            )
        if differ and whole != tuple(paths):
            raise ValueError(f"{whole[0]} and {whole[1]} are one folder, its images in two classes: take one of the two out of data.path")
        if leaks:
            raise ValueError(f"{whole[1]} is {whole[0]}, of which one is trained on and one held out: take one of the two out of data.path")
        several.append(paths)
    such = f"such as {several[0][0]}, which is {several[0][1]}" if several else ""
    return (f"images of two classes: {len(several)}, {such}",) if several else ()


def highest(one: str, other: str) -> tuple[str, str]:
    """The highest folders by which two names of a file differ: themselves, where those that they lie in are not the same by two names."""
    above = os.path.dirname(one), os.path.dirname(other)  # noqa: PTH120
    return (one, other) if above[0] == above[1] or not os.path.samefile(*above) else highest(*above)  # noqa: PTH121
