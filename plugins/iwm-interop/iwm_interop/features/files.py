"""Tables of features, written row by row as they come: parquet, or a plain array with the rows' names beside it.

Decisions:
- Memory is bounded: rows go to disk about `BUFFER` bytes at a time. They wait in one block: many small arrays that live long would keep the
  memory of the large ones between them from being given back.
- A file has its own name from the start and is never one that was there. As long as it is not whole, no reader takes it: parquet has its
  index at its end, and an array says in its head how many rows it will have.
- What cannot be finished is removed, unless it was the user who ended it: then the rows that are there are closed as a whole file.
- A spreadsheet takes a cell for a formula by its first sign: names in a CSV have ``./`` before such a one, labels an apostrophe.
"""

import csv
import io
import json
import os
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from iwm_core.run.files import sync, writing

BUFFER = 32_000_000
HEAD = 128
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What a formula may begin with."""
ELSEWHERE = "choose another out=FILE"


class Rows(ABC):
    """A table of features in the making.

    Args:
        shape: of the features of an image, ``(d,)`` or ``(n, d)``; in a table, each row has them flat.
        about: what they are, kept where the format has room for it.
        paths: of its files, none of which exists.

    Raises:
        UserError: they cannot be written.
    """

    def __init__(self, shape: tuple[int, ...], about: dict[str, Any], *paths: Path) -> None:
        self.shape, self.about, self.paths, self.count, self.files = shape, about, paths, 0, list[Any]()
        try:
            with writing(paths[0], instead=ELSEWHERE):
                paths[0].parent.mkdir(parents=True, exist_ok=True)
                for path in paths:
                    self.files.append(path.open("xb"))
                self.begin()
        except BaseException:
            self.discard()
            raise

    @abstractmethod
    def begin(self) -> None:
        """Write what stands before the rows."""

    @abstractmethod
    def put(self, names: Sequence[str], splits: Sequence[str], labels: Sequence[str | None], features: Float[np.ndarray, "b ..."]) -> None:
        """Write rows."""

    @abstractmethod
    def end(self) -> None:
        """Write what stands behind the rows."""

    def add(self, names: Sequence[str], splits: Sequence[str], labels: Sequence[str | None], features: Float[np.ndarray, "b ..."]) -> None:
        """Write rows.

        Raises:
            UserError: they cannot be written.
        """
        with writing(self.paths[0], instead=ELSEWHERE):
            self.put(names, splits, labels, features)
        self.count += len(names)

    def close(self) -> None:
        """Make the files whole.

        Raises:
            UserError: they cannot be written.
        """
        with writing(self.paths[0], instead=ELSEWHERE):
            self.end()
            for file, path in zip(self.files, self.paths, strict=True):
                file.close()
                sync(path)

    def discard(self) -> None:
        """Remove the files that were made here."""
        for file, path in zip(self.files, self.paths, strict=False):
            with suppress(OSError):
                path.unlink()
            with suppress(OSError):  # what a full disk has not taken
                file.close()


class Parquet(Rows):
    """A table: name, split, label and features, as pandas, polars, DuckDB and `datasets` read it."""

    def begin(self) -> None:
        width = int(np.prod(self.shape))
        fields = [("name", pa.string()), ("split", pa.string()), ("label", pa.string()), ("features", pa.list_(pa.float32(), width))]
        self.schema = pa.schema(fields, metadata={"iwm": json.dumps({**self.about, "shape": self.shape})})
        columns: Any = {"use_dictionary": ["split", "label"], "write_statistics": ["name", "label"]}  # neither is of use for features
        self.writer = pq.ParquetWriter(self.files[0], self.schema, **columns)
        self.block = np.empty((max(BUFFER // (4 * width), 1), width), np.float32)
        self.texts: tuple[list[str | None], ...] = ([], [], [])

    def put(self, names: Sequence[str], splits: Sequence[str], labels: Sequence[str | None], features: Float[np.ndarray, "b ..."]) -> None:
        for row, *texts in zip(features.reshape(len(features), -1), names, splits, labels, strict=True):
            self.block[len(self.texts[0])] = row
            for column, text in zip(self.texts, texts, strict=True):
                column.append(text)
            if len(self.texts[0]) == len(self.block):
                self.flush()

    def flush(self) -> None:
        """Write the rows that wait, as a group."""
        count = len(self.texts[0])
        if count:
            features = pa.FixedSizeListArray.from_arrays(pa.array(self.block[:count].reshape(-1)), type=self.schema.field("features").type)
            columns = [*(pa.array(column, pa.string()) for column in self.texts), features]
            self.writer.write_table(pa.Table.from_arrays(columns, schema=self.schema), row_group_size=count)
            self.texts = ([], [], [])

    def end(self) -> None:
        self.flush()
        self.writer.close()

    def discard(self) -> None:
        if hasattr(self, "writer"):
            self.writer.is_open = False  # else it writes its index when it is forgotten, to a file that is closed
        super().discard()


class Array(Rows):
    """A float32 array of numpy, [images, …], and a CSV with a row for each: name, split, label."""

    def begin(self) -> None:
        self.files[0].write(self.head(self.about["images"]))
        self.files[1].write(b"name,split,label\n")

    def head(self, rows: int) -> bytes:
        """The head of a .npy file of version 1.0, always as long."""
        text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {(rows, *self.shape)}, }}".encode("ascii")
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", HEAD - 10) + text.ljust(HEAD - 11) + b"\n"

    def put(self, names: Sequence[str], splits: Sequence[str], labels: Sequence[str | None], features: Float[np.ndarray, "b ..."]) -> None:
        self.files[0].write(np.ascontiguousarray(features, "<f4").data)
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        for name, split, label in zip(names, splits, labels, strict=True):
            rows.writerow(
                [f"./{name}" if name.startswith(FORMULA) else name, split, f"'{label}" if (label or "").startswith(FORMULA) else label]
            )
        self.files[1].write(text.getvalue().encode("utf-8", "replace"))

    def end(self) -> None:
        self.files[0].seek(0)
        self.files[0].write(self.head(self.count))
        for file in self.files:
            file.flush()
            os.fsync(file.fileno())
