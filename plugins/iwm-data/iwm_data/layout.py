"""What is in a folder of images: its splits, its classes, its files, and what lies beside them; read, or kept from the last time.

A large folder's is kept (`iwm_data.listing`): of 1.3 million files, reading it takes tens of seconds, and over a network minutes.
"""

import os
from array import array
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from iwm_data import kept
from iwm_data.files import FolderImages
from iwm_data.listing import Looked, kept_listing
from iwm_data.masks import check_apart, check_no_masks
from iwm_data.names import Names
from iwm_data.overlap import Found
from iwm_data.splits import SPLIT_OF, check_below, held_out, left_out, listed, split_folders
from iwm_data.walk import entries, identity_of, is_folder, walk

SPLITS = ("train", "validation")


class Layout(NamedTuple):
    """What is in a folder.

    Attributes:
        train, validation: names of the folders of the splits; the root itself is ``""``, no validation folder is None.
        classes: names of the folders of classes.
        empty: folders among them that hold no image.
        beside: what lies beside the splits and is left out, in words; empty where there is nothing.
        both: the images of the splits.
    """

    train: str
    validation: str | None
    classes: tuple[str, ...]
    empty: tuple[str, ...]
    beside: str
    both: dict[str, Found]


@dataclass(frozen=True)
class Reading:
    """How a folder is read.

    Attributes:
        root: the folder.
        extensions: which files are images, by the end of their names.
        holdout: share of the images that is kept for validation where no folder is.
        masks: a folder of masks, which are not left out where they lie beside the splits.
    """

    root: str
    extensions: tuple[str, ...]
    holdout: float
    masks: str | None

    def layout(self) -> tuple[Layout, tuple[str, ...]]:
        """What is in the folder, and what is to be told of keeping it.

        Raises:
            ValueError: no such folder, an ambiguous or unreadable one; the text names the fix.
        """
        of = {"kind": "folder", **asdict(self), "place": os.path.abspath(self.root)}  # noqa: PTH100
        found, notes = kept_listing(of, lambda looked: packed(self.read(looked)))
        return self.unpacked(found), notes

    def read(self, looked: Looked | None = None) -> Layout:
        """What is in the folder, as it is now; ``looked`` takes note of each folder that is read for it."""
        train, validation = split_folders(self.root, looked)
        base = f"{self.root}/{train}".rstrip("/")
        folders = [entry.name for entry in entries(base, looked) if is_folder(entry)]
        classes = tuple(name for name in folders if self._has_image(base, name, looked))
        check_no_masks(base, classes) if self.masks is None else check_apart(self.masks, [base, f"{self.root}/{validation or train}"])
        empty = tuple(name for name in folders if name not in {*classes})
        beside = self._beside(train, validation, looked)
        return Layout(train, validation, classes, empty, beside, self._scan(train, validation, classes, looked))

    def _has_image(self, folder: str, name: str, looked: Looked | None) -> bool:
        """Whether there is an image in one of a folder's folders, or in those below it: by a link back to the folder there is none."""
        found = walk(folder, name, frozenset({identity_of(folder)}), looked=looked)
        return any(file is not None and self._is_image(path) for path, file in found)

    def _beside(self, train: str, validation: str | None, looked: Looked | None) -> str:
        """What images lie in neither of the splits' folders; masks do not count."""
        root = self.root
        there = entries(root, looked) if train else []
        loose = [entry.name for entry in there if not is_folder(entry) and self._is_image(entry.name)]
        folders = left_out([entry.name for entry in there if is_folder(entry)], train, validation)
        masks = Path(self.masks).expanduser().resolve() if self.masks is not None else None
        folders = [name for name in folders if not (masks and masks.is_relative_to(Path(root, name).resolve()))]
        folders = [name for name in folders if self._has_image(root, name, looked)]
        what = [f"the images in {listed(folders)}"] if folders else []
        what += [f"{len(loose)} images such as {loose[0]}" if len(loose) > 1 else f"the image {loose[0]}"] if loose else []
        beside = f"{train} and {validation}" if validation else train
        return f"left out, beside {beside} in {root}: {', '.join(what)}" if what else ""

    def _is_image(self, path: str) -> bool:
        """Whether a file is an image by its name."""
        ending = os.path.splitext(path)[1].lower().lstrip(".")  # noqa: PTH122 - a million Path objects take seconds
        return any(ending == extension.lower().lstrip(".") for extension in self.extensions)

    def _scan(self, train: str, validation: str | None, classes: tuple[str, ...], looked: Looked | None) -> dict[str, Found]:
        """The images of both splits: of the two folders below the root, or parted by the holdout."""
        both = {
            split: FolderImages(self.root, below if below is not None else train, classes)
            for split, below in (("train", train), ("validation", validation))
        }
        which = {split: array("q") for split in both}
        for below, split in ((train, None),) if validation is None else ((train, "train"), (validation, "validation")):
            deeper: set[tuple[str, str]] = set()
            start = len(f"{below}/") if below else 0
            for path, file in walk(self.root, below, looked=looked):
                side = split or ("validation" if held_out(path, self.holdout) else "train")
                if file is not None and self._is_image(path):
                    both[side].add(path)
                    which[side].append(file)
                    folders = path[start:].split("/", 2)[:-1]
                    if len(folders) > 1 and folders[1].casefold() in SPLIT_OF:
                        deeper.add((folders[0], folders[1]))
                else:
                    for one in both if split is None else (split,):
                        both[one].skip(path)
            check_below(f"{self.root}/{below}".rstrip("/"), deeper)
        return {split: Found(images, which[split]) for split, images in both.items()}

    def unpacked(self, found: kept.Found) -> Layout:
        """What `packed` gave."""
        told, both = found.record, {}
        for split in SPLITS:
            about, arrays = told["both"][split], {name: found.arrays[f"{split}_{name}"] for name in ARRAYS}
            images = FolderImages(self.root, about["below"], tuple(told["classes"]))
            images.names = Names.unpacked(arrays["block"], arrays["ends"])
            images.numbers = array("i", arrays["numbers"].tobytes())
            images.skipped, images.skipped_count, images.unplaced = about["skipped"], about["skipped_count"], about["unplaced"]
            images.unknown = Counter(about["unknown"])
            both[split] = Found(images, array("q", arrays["which"].tobytes()))
        return Layout(told["train"], told["validation"], tuple(told["classes"]), tuple(told["empty"]), told["beside"], both)


ARRAYS = ("block", "ends", "numbers", "which")
"""What of each split is kept in arrays: names and labels of its images, and which file each is."""


def packed(layout: Layout) -> kept.Found:
    """A layout as it is kept."""
    arrays, both = dict[str, np.ndarray](), dict[str, object]()
    for split, (images, which) in layout.both.items():
        parts = (*images.names.packed(), np.frombuffer(images.numbers, np.int32), np.frombuffer(which, np.int64))
        arrays |= {f"{split}_{name}": part for name, part in zip(ARRAYS, parts, strict=True)}
        both[split] = {name: getattr(images, name) for name in ("below", "skipped", "skipped_count", "unplaced", "unknown")}
    return kept.Found({**layout._asdict(), "both": both}, arrays)
