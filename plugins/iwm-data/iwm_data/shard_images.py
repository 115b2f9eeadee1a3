"""The images of one split of tar shards."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Int, UInt8
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage, Images
from iwm_core.run.files import cause
from iwm_data.classes import not_in_training
from iwm_data.decode import check_size, decode
from iwm_data.kept import Found
from iwm_data.masks import decode_mask
from iwm_data.names import Names
from iwm_data.places import Place, Stamp, There, read_together

PLACES = ("offset", "size", "mask_offset", "mask_size")
"""What an index tells of each sample: where in the shard its image lies, and its mask."""


class ShardImages(Images):
    """Samples in the order of the shards, and within a shard in its order.

    Args:
        places: the shards.
        stamps: as they were when they were indexed.
        indexes: what is where in each (`iwm_data.tar_index.index_of`).

    Attributes:
        names: of the images' members, of all samples; `rows` are those of the split.
        labels_known: all labels that there are; `named` has the place among them of each sample's, -1 where it has none.
        endings: what kinds of members there are.
        hash: a number of each sample's own, below 2**32.
        masks: masks are asked for.
        mask_ignore: values of masks that do not count.
        white: what value is white in images of more than 8 bits; None: not told.
    """

    masks = False
    mask_ignore: tuple[int, ...] = (NOT_COUNTED,)
    white: float | None = None

    def __init__(self, places: Sequence[Place], stamps: Sequence[Stamp], indexes: Sequence[Found]) -> None:
        self.places, self.stamps = list(places), list(stamps)
        self.names = Names.joined([Names.unpacked(index.arrays["block"], index.arrays["ends"]) for index in indexes])
        self.shard = np.repeat(np.arange(len(places), dtype=np.int32), [len(index.arrays["offset"]) for index in indexes])
        self.where = {name: np.concatenate([index.arrays[name] for index in indexes]) for name in PLACES}
        self.hash = np.concatenate([index.arrays["hash"] for index in indexes])
        self.endings = [*dict.fromkeys(ending for index in indexes for ending in index.record["endings"])]
        self.labels_known = tuple(dict.fromkeys(label for index in indexes for label in index.record["labels"]))
        number = {label: place for place, label in enumerate(self.labels_known)}
        tables = [np.array([number[label] for label in index.record["labels"]] + [-1], np.int32) for index in indexes]
        self.named = np.concatenate([table[index.arrays["label"]] for table, index in zip(tables, indexes, strict=True)])
        self.rows = np.arange(len(self.named))
        self.labels_of(())

    def labels_of(self, classes: tuple[str, ...]) -> None:
        """Number the labels as training does."""
        number = {label: place for place, label in enumerate(classes)}
        self.classes = classes
        self.number = np.array([number.get(label, -1) for label in self.labels_known] + [-1], np.int32)

    def __len__(self) -> int:
        return len(self.rows)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return decode(self.content(index), self.white)

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        asked = [int(self.rows[index]) for index in indices.tolist()]
        far = {row: place for row in asked if isinstance(place := self.places[self.shard[row]], There)}
        small = [row for row in far if fault_of(int(self.where["size"][row])) is None]
        parts = [(far[row], int(self.where["offset"][row]), int(self.where["size"][row])) for row in small]
        fetched = dict(zip(small, read_together(parts), strict=True)) if parts else {}
        return self._decoded(asked, fetched)

    def _decoded(self, rows: list[int], fetched: dict[int, bytes]) -> Iterator[UInt8[Tensor, "3 h w"] | CorruptImage]:
        for row in rows:
            try:
                yield decode(fetched[row] if row in fetched else self._content(row), self.white)
            except CorruptImage as error:
                yield error

    def content(self, index: int) -> bytes:
        """The file of an image.

        Raises:
            CorruptImage: it is too large, or cannot be read.
        """
        return self._content(int(self.rows[index]))

    def _content(self, row: int, part: str = "") -> bytes:
        shard, size = self.shard[row], int(self.where[f"{part}size"][row])
        check_size(size)
        try:
            return self.places[shard].read(int(self.where[f"{part}offset"][row]), size, self.stamps[shard])
        except OSError as error:
            raise CorruptImage(f"cannot be read: {cause(error)}") from error

    def describe(self, index: int) -> str:
        row = int(self.rows[index])
        return f"{self.places[self.shard[row]].name}/{self.names[row]}"

    def label(self, index: int) -> int:
        return int(self.number[self.named[self.rows[index]]])

    def class_of(self, index: int) -> str | None:
        """The class that an image's label names; None: it has none."""
        named = int(self.named[self.rows[index]])
        return None if named < 0 else self.labels_known[named]

    def why_unlabelled(self, index: int) -> str:
        name = self.class_of(index)
        return "its label names no class" if name is None else not_in_training(name, self.classes) if self.label(index) < 0 else ""

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        if not self.masks:
            return None
        what = f"the mask of {self.describe(index)}"
        try:
            data = self._content(int(self.rows[index]), "mask_")
        except CorruptImage as error:
            raise CorruptImage(f"{what} {error}") from error
        return decode_mask(data, self.mask_classes, what, self.mask_ignore)


def fault_of(size: int) -> CorruptImage | None:
    """What is wrong with the size of an image's file."""
    try:
        check_size(size)
    except CorruptImage as error:
        return error
    return None
