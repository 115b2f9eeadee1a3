"""Component `shards`: images in tar shards of WebDataset's layout, here or wherever fsspec reaches.

Decisions:
- Any image is read by itself, at its place in a shard (`iwm_data.tar_index`): so the order of the data stays a function of the seed, as
  with files, and a run that goes on needs to remember nothing. WebDataset itself reads shards from end to end and mixes what is near.
- Which shards are the splits: `iwm_data.shard_names`. Without any for validation, a hash of each image's name decides, as of `folder`.
- Class names belong to training: the labels that it has, numbers in their order, then words in theirs, as of `hub`.
- Parquet is read by `hub`, which makes a copy of it as a table: a parquet file keeps images in groups that can only be read whole.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from iwm_core.interfaces import NOT_COUNTED, DataSource, option
from iwm_data.classes import called_alike, unknown_to_training
from iwm_data.decode import white_note
from iwm_data.indexing import indexes_of
from iwm_data.kept import Found
from iwm_data.masks import check_mask_classes
from iwm_data.places import Place
from iwm_data.shard_images import ShardImages
from iwm_data.shard_names import split_shards
from iwm_data.splits import listed
from iwm_data.tar_index import Wanted

TEXTS = ("txt", "json")


@dataclass(kw_only=True)
class Shards(DataSource):
    """Tar shards of WebDataset's layout (key.jpg, key.cls), local or remote."""

    name: ClassVar[str] = "shards"
    path: str = option(
        doc="the shards: a folder, a file, names with braces or stars, typed \"data.path='DATA/train-{0000..0146}.tar'\", or a URL of "
        "fsspec",
        path=True,
    )
    validation_path: str | None = option(None, "those to validate on, named likewise; found by their names where not given", path=True)
    extensions: list[str] = option(
        ["jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff", "ppm", "pgm", "avif"],
        "which members are images, by what follows the first dot of their names",
    )
    label: str | None = option(None, "member that holds the label, such as cls, txt or, with a field, json.label; cls where not given")
    mask: str | None = option(None, "member that holds the segmentation mask, such as seg.png: an image of one channel")
    mask_classes: list[str] = option([], "names of the values of masks, from 0 on, without those of mask_ignore")
    mask_ignore: list[int] = option([NOT_COUNTED], "values of masks whose pixels do not count, such as [0,255]")
    white: float | None = option(
        None, "value of white in images of 16 or 32 bits a colour, such as 4095; null: the end of the range of bits of each image", low=1e-6
    )
    holdout: float = option(0.1, "share of the images kept for validation where there are no shards for it", low=0, high=1)
    index: str | None = option(None, "folder where the indexes of the shards are kept; the user's cache where not given", path=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ValueError("data.path is empty: name the shards (a folder, or DATA/{0000..0010}.tar)")
        if not self.extensions:
            raise ValueError("data.extensions is empty: name at least one, such as jpg")
        if self.label is not None and (not self.label or self.label.endswith(".") or self.label.split(".")[-1] == "json"):
            raise ValueError(f"data.label={self.label} names no field: write data.label=cls, or data.label=json.FIELD")
        check_mask_classes(self.mask_classes, self.mask, "mask", self.mask_ignore)
        if self.mask is not None and self.mask.lower().lstrip(".") in self.wanted.images:
            raise ValueError(f"data.mask={self.mask} is an ending of images, too: take it out of data.extensions")

    @property
    def wanted(self) -> Wanted:
        """What of a sample counts."""
        images = tuple(dict.fromkeys(extension.lower().lstrip(".") for extension in self.extensions))
        mask = None if self.mask is None else self.mask.lower().lstrip(".")
        return Wanted(images, (self.label or "cls").lstrip("."), mask)

    def open(self, split: str) -> ShardImages:
        """The images of ``train`` or ``validation``.

        Raises:
            ValueError: there are no such shards, one is damaged or compressed, or there are no images for this split; the text names
                the fix.
        """
        if split not in ("train", "validation"):
            raise ValueError(f"shards have the splits train and validation, not {split}")
        train, held, notes = split_shards(self.path, self.validation_path)
        images = self._indexed(train)
        classes, strange = in_order(images.labels_known), ()
        self._check_labels(images)
        if held is not None:
            others = self._indexed(held)
            strange = strangers(others, classes)
            images = others if split == "validation" else images
        else:
            out = images.hash < self.holdout * 2**32
            images.rows = images.rows[out if split == "validation" else ~out]
        if not len(images):
            raise ValueError(self._why_empty(images, split, held is not None))
        images.labels_of(classes)
        images.white = self.white
        if self.mask is not None:
            images.masks, images.mask_classes, images.mask_ignore = True, tuple(self.mask_classes), tuple(self.mask_ignore)
            self._check_masks(images)
        images.notes = notes + images.notes + called_alike(classes) + strange
        images.notes += white_note(images, images.content) if self.white is None else ()
        return images

    def _indexed(self, places: Sequence[Place]) -> ShardImages:
        stamps, indexes, notes = indexes_of(places, self.wanted, self.index)
        images = ShardImages(places, stamps, indexes)
        images.notes = notes + passed_over(places, indexes)
        if self.label is None and not images.labels_known and (texts := [one for one in TEXTS if one in images.endings]):
            how = "data.label=txt, or data.label=json.FIELD, says where labels are"
            images.notes += (f"no sample has a member cls, so there are no labels; there are {listed(texts)}: {how}",)
        return images

    def _check_labels(self, train: ShardImages) -> None:
        """Refuse a label that is named and that no training sample has."""
        if self.label is not None and not train.labels_known and len(train):
            there = listed(train.endings, 10)
            raise ValueError(f"no sample of {self.path} has a label in data.label={self.label}: name another; its members are {there}")

    def _check_masks(self, images: ShardImages) -> None:
        """Refuse images without a mask."""
        missing = np.flatnonzero(images.where["mask_size"][images.rows] == 0)
        if len(missing):
            first = images.describe(int(missing[0]))
            raise ValueError(
                f"{len(missing)} of {len(images)} images have no mask, such as {first}: no member {self.mask} has its key; check data.mask"
            )

    def _why_empty(self, images: ShardImages, split: str, apart: bool) -> str:
        if not apart and len(images.named):
            return f"data.holdout={self.holdout:g} leaves no image of {len(images.named)} for {split}: change it, or data.validation_path"
        there = f"; its members are {listed(images.endings, 10)}" if images.endings else ""
        return f"the shards for {split} hold no images ({', '.join(self.extensions)}){there}: check data.path, or set data.extensions"


def in_order(labels: Sequence[str]) -> tuple[str, ...]:
    """Names of classes: numbers by their size, then words."""
    return tuple(sorted(labels, key=lambda label: (0, int(label), "") if label.isdecimal() else (1, 0, label)))


def strangers(held: ShardImages, classes: tuple[str, ...]) -> tuple[str, ...]:
    """A note of validation images of classes that training lacks."""
    known = set(classes)
    numbers, counts = np.unique(held.named[held.named >= 0], return_counts=True)
    unknown = Counter({held.labels_known[number]: int(count) for number, count in zip(numbers, counts, strict=True)})
    unknown = Counter({label: count for label, count in unknown.items() if label not in known})
    return unknown_to_training(unknown, unknown.total(), len(held), classes) if classes else ()


def passed_over(places: Sequence[Place], indexes: Sequence[Found]) -> tuple[str, ...]:
    """Notes of what does not count in the shards."""
    notes = []
    for what, text in (
        ("skipped", "members of shards that are no files, or have no key, are passed over"),
        ("bare", "samples without an image are passed over"),
        ("unread", "labels cannot be read, so their images have none"),
    ):
        found = [(place.name, *index.record[what]) for place, index in zip(places, indexes, strict=True) if index.record[what][0]]
        if found:
            notes.append(f"{text}: {sum(count for _, count, _ in found)}, such as {found[0][2]} of {found[0][0]}")
    pairs = [*zip(places, indexes, strict=True)]
    if empty := [place.name for place, index in pairs if not len(index.arrays["offset"])]:
        notes.append(f"no image in {listed(empty)}")
    if open_ended := [place.name for place, index in pairs if not index.record["whole"]]:
        notes.append(f"without the blocks of zeros that end a tar, so perhaps cut short: {listed(open_ended)}")
    return tuple(notes)
