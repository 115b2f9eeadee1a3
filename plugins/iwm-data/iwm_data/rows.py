"""The images of one split of a table: what a row says of its image, its label or labels, and its mask.

Cells are handed over undecoded: `iwm_data.decode` treats them like any file.
"""

from typing import Any

import numpy as np
import torch
from datasets import Dataset, Image
from jaxtyping import Bool, UInt8
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage, Images
from iwm_data.classes import not_in_training
from iwm_data.decode import decode, decode_file, file_content
from iwm_data.masks import decode_mask


class HubImages(Images):
    """Rows of one split.

    Args:
        table: the split, its image column undecoded.
        split: its name.
        column: the image column.
        rows: which rows of the table, in order.
        white: what value is white in images of more than 8 bits; None: not told.

    Attributes:
        mask_ignore: values of masks that do not count.
        known: the label of each row of the table, or the several labels of each; None where there are none.
        unknown: the class of each row of the table whose class is not among training's.
        masks: the column of masks, undecoded; None where there is none.
    """

    def __init__(self, table: Dataset, split: str, column: str, rows: np.ndarray, white: float | None = None) -> None:
        self.white = white
        self.mask_ignore: tuple[int, ...] = (NOT_COUNTED,)
        self._table, self._split, self._column, self._rows = undecoded(table, column), split, column, rows
        self.known: np.ndarray | list[np.ndarray | None] | None = None
        self.unknown: dict[int, str] = {}
        self.masks: Dataset | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        data, path = self._cell(index)
        if data is not None:
            return decode(data, self.white)
        if path is not None:
            return decode_file(path, self.white)
        raise CorruptImage("the row holds no image")

    def describe(self, index: int) -> str:
        _, path = self._cell(index)
        return f"{self._split} row {self._rows[index]}" + (f" ({path})" if path else "")

    def label(self, index: int) -> int:
        return int(self.known[self._rows[index]]) if isinstance(self.known, np.ndarray) else -1

    def why_unlabelled(self, index: int) -> str:
        name = self.unknown.get(int(self._rows[index]))
        return "" if name is None else not_in_training(name, self.classes)

    def labels(self, index: int) -> Bool[Tensor, "c"] | None:
        shown = self.known[self._rows[index]] if isinstance(self.known, list) else None
        if shown is None:
            return None
        several = torch.zeros(len(self.classes), dtype=torch.bool)
        several[shown.tolist()] = True
        return several

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        if self.masks is None:
            return None
        what, column = f"the mask of {self.describe(index)}", self.masks.column_names[0]
        data, path = content(self.masks[int(self._rows[index])][column])
        if data is None and path is not None:
            try:
                data = file_content(path)
            except FileNotFoundError:
                raise ValueError(f"{what} is missing: there is no file {path}; add it, or take the row out") from None
            except OSError as error:
                raise CorruptImage(f"{what} cannot be read: {error.strerror}") from error
        if data is None:
            raise ValueError(f"{what} is missing: the column {column} is empty there; give it one, or take the row out")
        return decode_mask(data, self.mask_classes, what, self.mask_ignore)

    def file(self, index: int) -> bytes | str | None:
        """The content of an image's file; its path where only that is told."""
        data, path = self._cell(index)
        return path if data is None else data

    def _cell(self, index: int) -> tuple[bytes | None, str | None]:
        """The image's bytes and the name of its file, None where they are not told."""
        return content(self._table[int(self._rows[index])][self._column])


def content(cell: Any) -> tuple[bytes | None, str | None]:
    """The bytes in a cell and the name of their file, None where they are not told."""
    return (cell.get("bytes"), cell.get("path")) if isinstance(cell, dict) else (cell, None)


def undecoded(table: Dataset, column: str) -> Dataset:
    """One column of a table, images in it left as files."""
    table = table.select_columns([column])
    return table.cast_column(column, Image(decode=False)) if isinstance(table.features[column], Image) else table
