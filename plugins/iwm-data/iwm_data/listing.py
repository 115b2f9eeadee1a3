"""The listing of a large folder, kept, and made again where any of its folders has changed.

Decisions:
- A file that comes, goes or is renamed changes the time of its folder: a listing fits as long as each folder that was read for it is the
  one that it was and has the times that it had, of its entries and of itself, which no tool sets back. All are asked at each start: for
  the 1.3 million files of ImageNet, a thousand folders.
- Where this does not hold, nothing is kept: where files are links, since what they lead to may change unseen; on file systems that are not
  known to keep these times (object stores through FUSE, SMB), or where links lead to another; and where a folder has changed in the last
  seconds, as its clock may not tell a further change. In a large folder, a line says so.
- Small folders are listed each time.
"""

import os
import time
from array import array
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import psutil

from iwm_data.kept import Found, Kept, user_cache
from iwm_data.names import Names

MANY = 20_000
"""Entries of folders from which on a listing is kept."""
TICK = 2.0
"""Seconds that the coarsest of clocks of file systems takes for a step."""
KEEPERS = {
    *["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "apfs"],
    *["nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph"],
}
"""File systems whose folders have the time of the last change of their entries."""

Stamp = tuple[int, int, int]


class Looked:
    """Takes note of each folder that is read, as it is at that moment.

    Attributes:
        count: entries so far.
        doubt: why the listing could go out of date unseen; empty where nothing is known of it.
    """

    def __init__(self) -> None:
        self.folders, self.stamps = Names(), array("q")
        self.count, self.doubt, self._devices = 0, "", set[int]()

    def folder(self, path: str) -> None:
        """A folder that is about to be read."""
        status = os.stat(path)  # noqa: PTH116
        self.folders.append(os.path.abspath(path))  # noqa: PTH100
        self.stamps.extend(stamp_of(status))
        self._devices.add(status.st_dev)
        if len(self._devices) > 1:
            self.doubt = "its folders lie on several file systems"
        if not time.time() - max(status.st_mtime, status.st_ctime) > TICK:
            self.doubt = self.doubt or f"{path} has just changed"

    def entries(self, found: list[os.DirEntry[str]]) -> None:
        """What was in it."""
        self.count += len(found)
        link = next((entry for entry in found if entry.is_symlink() and not leads_to_folder(entry)), None)
        if link is not None:
            self.doubt = f"{link.path} is a link"


def stamp_of(status: os.stat_result) -> Stamp:
    """Which folder it is, and when its entries and itself last changed."""
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def kept_listing(of: Mapping[str, Any], read: Callable[[Looked], Found]) -> tuple[Found, tuple[str, ...]]:
    """A listing, from the last time where nothing has changed since, and what is to be told of keeping it.

    Args:
        of: what it is of, with the folder as ``place``.
        read: makes it, and tells of each folder that it reads.
    """
    kept, root = Kept(user_cache() / "listings"), str(of["place"])
    if (found := kept.find(of)) and unchanged(found):
        return found, ()
    looked = Looked()
    found = read(looked)
    if looked.count < MANY:
        return found, tuple(kept.notes)
    kind = file_system(root)
    if doubt := looked.doubt or ("" if kind in KEEPERS else f"the file system {kind} may not tell of changes"):
        return found, (*kept.notes, f"{root}, of {looked.count:,} entries, is listed anew at the next start, too: {doubt}")
    block, ends = looked.folders.packed()
    stamps = np.frombuffer(looked.stamps, np.int64)
    kept.keep(of, Found(found.record, {**found.arrays, "folders": block, "folder_ends": ends, "stamps": stamps}))
    return found, tuple(kept.notes)


def unchanged(found: Found) -> bool:
    """Whether all folders that were read for a listing are as they were."""
    folders = Names.unpacked(found.arrays["folders"], found.arrays["folder_ends"])
    stamps = found.arrays["stamps"].reshape(-1, 3).tolist()
    try:
        return all(stamp_of(os.stat(path)) == tuple(stamp) for path, stamp in zip(folders, stamps, strict=True))  # noqa: PTH116
    except OSError:
        return False


def file_system(path: str) -> str:
    """What file system a path lies in."""
    there, found = os.path.realpath(path), {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    above = [point for point in found if there == point or there.startswith(f"{point.rstrip('/')}/")]
    return found[max(above, key=len)] if above else "unknown"
