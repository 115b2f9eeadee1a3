"""What was once found out about data and takes long to find out, kept for the next time: listings of folders, indexes of shards.

Decisions:
- It lies in the user's cache (``$XDG_CACHE_HOME/iwm``, else ``~/.cache/iwm``), or in a folder that is named: never among the data unasked,
  which may be somebody else's, or read-only.
- A file tells in full what it is of; its name is a digest of that. It is a zip of NumPy's arrays and a record in JSON: reading checks the
  checksums, and runs no code.
- It is written under another name and renamed, so that a reader finds the old file or the new one; where two write at once, the last stays.
- One that cannot be read is made again, one that cannot be written is done without. Both are told in a line.
"""

import fcntl
import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from iwm_core.run.files import cause, remedy

FORMAT = 1
DAMAGES = (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error, NotImplementedError)
"""What reading a damaged file ends in."""


class Found(NamedTuple):
    """What was found out: a record, which JSON can hold, and arrays."""

    record: dict[str, Any]
    arrays: dict[str, np.ndarray]


def user_cache() -> Path:
    """The user's folder for what can be made again."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(named) if os.path.isabs(named) else Path("~/.cache").expanduser()) / "iwm"  # noqa: PTH117


class Kept:
    """A folder of kept files.

    Args:
        folder: need not exist yet.

    Attributes:
        notes: what could not be read or written, a line each.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.notes = folder, list[str]()

    def find(self, of: Mapping[str, Any]) -> Found | None:
        """What is kept of this; None where there is nothing, or nothing that can be read."""
        place = self._place(of)
        try:
            with place.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            content = json.loads(arrays.pop("record").tobytes())
            if content["of"] != described(of) or content["arrays"] != [*arrays]:
                raise ValueError("it is of something else")
            return Found(content["record"], arrays)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DAMAGES as error:
            self.notes.append(f"{place} cannot be read ({cause(error)[:100]}): made again")
            return None

    def keep(self, of: Mapping[str, Any], found: Found) -> None:
        """Keep this for the next time."""
        content = json.dumps({"of": described(of), "record": found.record, "arrays": [*found.arrays]}).encode()
        partial = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", suffix=".partial", delete=False) as file:
                partial = Path(file.name)
                np.savez(file, record=np.frombuffer(content, np.uint8), **found.arrays)  # pyright: ignore[reportArgumentType]
            partial.replace(self._place(of))
        except OSError as error:
            line = f"nothing can be kept in {self.folder} ({cause(error)}), and it will be made again: {remedy(error)}"
            self.notes += [line] if line not in self.notes else []
            self._remove(partial)
        except BaseException:
            self._remove(partial)
            raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While entered, whoever comes to make the same waits, as far as the folder can be locked: processes of a run begin together."""
        lock = None
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / ".lock").open("a")
            fcntl.lockf(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if lock:
                lock.close()

    def _place(self, of: Mapping[str, Any]) -> Path:
        return self.folder / f"{hashlib.blake2s(json.dumps(described(of)).encode(), digest_size=16).hexdigest()}.npz"

    @staticmethod
    def _remove(partial: Path | None) -> None:
        if partial:
            with suppress(OSError):
                partial.unlink()


def described(of: Mapping[str, Any]) -> dict[str, Any]:
    """What a file is of, as JSON gives it back."""
    return json.loads(json.dumps({"format": FORMAT, **of}))
