"""Files of tables from outside, looked at before they are read: each belongs to one split, and none would fill the memory."""

import re
import stat
from pathlib import Path

from pyarrow import parquet

MOST_ROWS, MOST_GROUP = 1_000_000_000, 8_000_000_000
"""Rows of a parquet file, and bytes of a group of them, unpacked, that are read at most."""


def check_shards(shards: dict[str, list[str]], kind: str) -> None:
    """Refuse files of which a part would fill the memory, and one that two splits have.

    Raises:
        ValueError: there is such a file.
    """
    owner: dict[tuple[int, int], str] = {}
    for split, names in shards.items():
        for name in (re.sub(r"\[(.)\]", r"\1", name) for name in names):  # as glob escapes them
            status = Path(name).stat()
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{name} is no regular file: take it out of data.path")
            if owner.setdefault((status.st_dev, status.st_ino), split) != split:
                raise ValueError(f"{name} is a file of another split, too, by a link: validate on images that are not trained on")
            if kind == "parquet":
                check_parquet(name)


def check_parquet(name: str) -> None:
    """Refuse a parquet file whose rows, unpacked, would fill the memory. One that cannot be read is reported by who reads it."""
    try:
        about = parquet.read_metadata(name)
    except (OSError, ValueError):
        return
    largest = max((about.row_group(number).total_byte_size for number in range(about.num_row_groups)), default=0)
    if about.num_rows > MOST_ROWS or largest > MOST_GROUP:
        raise ValueError(
            f"{name} has {about.num_rows:,} rows, in groups of up to {largest / 1e9:,.1f} GB; {MOST_ROWS:,} and {MOST_GROUP / 1e9:g} GB "
            "are read at most: write it in smaller row groups"
        )
