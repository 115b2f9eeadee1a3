"""What is reported of classes: those that validation images have and training does not know, and those that are called alike.

Decisions:
- Class names belong to training, so that a validation image of another class has no label, and no evaluator measures it: how many there
  are is reported, by class. A class that training has in another spelling is named beside it, as this is the usual cause.
- Names that differ in case, in spaces or in how Unicode composes their letters alone are two classes, as on disk; this is reported.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from iwm_data.splits import listed

if TYPE_CHECKING:
    from iwm_data.files import FolderImages


def alike(name: str) -> str:
    """What names have in common that a reader would take for one."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def called_alike(classes: Sequence[str]) -> tuple[str, ...]:
    """A note of classes with names that a reader would take for one."""
    spellings: dict[str, list[str]] = {}
    for name in classes:
        spellings.setdefault(alike(name), []).append(name)
    found = [" and ".join(map(repr, names)) for names in spellings.values() if len(names) > 1]
    return (f"classes whose names differ only in case, spaces or Unicode form: {listed(found)}",) if found else ()


def unknown_to_training(counts: Mapping[str, int], such: int, images: int, classes: Sequence[str]) -> tuple[str, ...]:
    """A note of validation images of classes that training does not know.

    Args:
        counts: how many images each such class has.
        such: how many images have one.
        images: how many validation images there are.
        classes: those of training.
    """
    spelled = {alike(name): name for name in classes}
    found = [
        f"{name} ({count}{f'; training has {spelled[alike(name)]}' if alike(name) in spelled else ''})"
        for name, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
    what = f"{such} of {images} validation images are of classes that training lacks"
    return (f"{what}, so they have no label: {listed(found)}",) if found else ()


def labels_told(train: "FolderImages", validation: "FolderImages") -> tuple[str, ...]:
    """Notes of the images in both folders that have no label, where there are classes."""
    if not train.classes:
        return ()
    notes = unknown_to_training(validation.unknown, validation.unknown.total(), len(validation), train.classes)
    for split, images in ("training", train), ("validation", validation):
        if images.unplaced:
            notes += (f"{images.unplaced} of {len(images)} {split} images are in no class folder, so they have no label",)
    return notes


def not_in_training(name: str, classes: Sequence[str]) -> str:
    """Why an image of this class has no label."""
    return f"training has no class {name}, but {listed(classes) or 'none'}"
