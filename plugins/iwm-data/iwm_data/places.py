"""Where a shard lies and how its parts are read: a file of this machine, or what fsspec reaches (``http://``, ``s3://``, ``memory://``).

Decisions:
- Nothing is held open between two reads: an instance is a name, which can be pickled, and forked into data workers.
- A shard that has changed since it was indexed is refused, not read at places where other things lie now. Elsewhere than here, this is
  looked at as a run begins.
- What comes over a network is asked for again before it is given up: an image is not corrupt because a server was busy. Parts that are
  needed together are asked for together.
"""

import os
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from iwm_core.interfaces import UserError
from iwm_core.run.files import cause

WAITS = (1.0, 4.0)
"""Seconds before a part is asked for again."""

TELLING = ("etag", "contentmd5", "md5hash", "digest", "checksum", "generation", "lastmodified", "mtime", "updated", "created")
"""What file systems tell of a file that changes with its content, in small letters."""

T = TypeVar("T")
Stamp = list[Any]
"""What is compared to know that a file is the same; JSON can hold it."""


class Place(ABC):
    """A shard by its name."""

    name: str

    @abstractmethod
    def stamp(self) -> Stamp:
        """Its size, and what else tells that it has changed.

        Raises:
            ValueError: it cannot be had.
        """

    @abstractmethod
    def open(self) -> Any:
        """It, as a binary file for reading."""

    @abstractmethod
    def read(self, offset: int, size: int, stamp: Stamp) -> bytes:
        """A part of it.

        Raises:
            OSError: it cannot be read.
            UserError: it is not what it was when it had the ``stamp``, or cannot be reached.
        """


@dataclass(frozen=True)
class Here(Place):
    """A file of this machine."""

    name: str

    def stamp(self) -> Stamp:
        try:
            status = os.stat(self.name)  # noqa: PTH116
        except OSError as error:
            raise ValueError(f"{self.name} cannot be read ({cause(error)}): check data.path") from error
        if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for
            raise ValueError(f"{self.name} is no regular file: take it out of data.path")
        return list(stamp_of(status))

    def open(self) -> Any:
        return open(self.name, "rb")  # noqa: PTH123

    def read(self, offset: int, size: int, stamp: Stamp) -> bytes:
        try:
            descriptor = os.open(self.name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            raise UserError(f"{self.name} is gone: put it back, or change data.path, and go on with iwm resume") from None
        try:
            if stamp_of(os.fstat(descriptor)) != tuple(stamp):
                raise UserError(f"{self.name} has changed since it was indexed: start again, and it will be indexed anew")
            return os.pread(descriptor, size, offset)
        finally:
            os.close(descriptor)


def stamp_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class There(Place):
    """A file that fsspec reaches by a URL."""

    name: str

    def stamp(self) -> Stamp:
        about = reached(lambda: self._system().info(self._path()), self.name)
        if not isinstance(about.get("size"), int):
            raise ValueError(f"{self.name} does not tell its size, so that no part of it can be asked for: copy it to this machine")
        told = {"".join(filter(str.isalnum, key.lower())): value for key, value in about.items()}
        return [about["size"], *(str(told[key]) for key in TELLING if told.get(key))]

    def open(self) -> Any:
        return reached(lambda: self._system().open(self._path(), "rb"), self.name)

    def read(self, offset: int, size: int, stamp: Stamp) -> bytes:
        return read_together([(self, offset, size)])[0]

    def _system(self) -> Any:
        return fsspec.core.url_to_fs(self.name)[0]  # kept by fsspec for each process: what runs in threads does not survive a fork

    def _path(self) -> str:
        return fsspec.core.url_to_fs(self.name)[1]


def read_together(parts: Sequence[tuple[There, int, int]]) -> list[bytes]:
    """Parts of shards of one file system: place, offset and size of each.

    Raises:
        UserError: one of them cannot be had, or is not whole.
    """
    system = parts[0][0]._system()
    paths, starts, ends = [place._path() for place, *_ in parts], [start for _, start, _ in parts], [sum(part[1:]) for part in parts]
    found: list[Any] = []
    for wait in (*WAITS, None):
        found = system.cat_ranges(paths, starts, ends, on_error="return")
        failed = [error for error in found if isinstance(error, Exception)]
        if not failed or wait is None or all(isinstance(error, FileNotFoundError) for error in failed):
            break
        time.sleep(wait)
    for content, (place, _, size) in zip(found, parts, strict=True):
        if isinstance(content, Exception):
            raise UserError(f"{place.name} cannot be read ({first_line(content)}): go on with iwm resume once it can be reached")
        if len(content) != size:
            raise UserError(f"{place.name} gave {len(content)} bytes where {size} were asked for: its server must answer Range requests")
    return found


def reached(ask: Callable[[], T], name: str) -> T:
    """What a file system of fsspec answers.

    Raises:
        ValueError: it does not.
    """
    try:
        return ask()
    except Exception as error:  # the network, its libraries, what is not installed: kinds without a common base
        fix = "pip install what it names" if isinstance(error, ImportError) else "check data.path and the network"
        raise ValueError(f"{name} cannot be reached ({first_line(error)}): {fix}") from error


def first_line(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:150]


def is_url(path: str) -> bool:
    """Whether a path is not of this machine's file system."""
    return "://" in path or "::" in path


def place_of(path: str) -> Place:
    """The place of a path or a URL."""
    return There(path) if is_url(path) else Here(str(Path(path).expanduser()))
