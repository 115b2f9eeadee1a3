"""Small files that are read and written whole, and what to do where a write fails. Needs no torch, so that reports do not.

Decisions:
- Every write of a run and of the verbs goes through `writing`: the one place that turns the system's refusal into a line with its remedy.
- A write that is refused leaves nothing behind, and what was there before stays.
- Each writer has a partial file of its own, locked as `iwm_core.run.lock` does, so that a dead writer's is known.
"""

import errno
import fcntl
import itertools
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from iwm_core.interfaces.errors import UserError
from iwm_core.run.stored import owned, sealed

ELSEWHERE = "choose another place"

REMEDIES = {
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "your disk quota is used up: free some space, or ask for more",
    errno.EFBIG: "files of this size are not allowed here: see `ulimit -f`, or use another file system",
    errno.EIO: "the disk or the network failed: check it",
    errno.ESTALE: "the network file system lost the file: try again",
    errno.EMFILE: "too many files are open: raise `ulimit -n`, or use fewer data workers",
    errno.ENFILE: "too many files are open on this machine: close other programs",
    errno.EROFS: f"the file system is read-only: {ELSEWHERE}",
    errno.EACCES: f"change the permissions, or {ELSEWHERE}",
    errno.EPERM: f"change the permissions, or {ELSEWHERE}",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOENT: "the folder is not there: has it been moved or removed?",
    errno.ELOOP: "it is a symbolic link: remove it",
    errno.ENOTDIR: "a file is where a folder should be: move it away",
    errno.EISDIR: "a folder is where a file should be: move it away",
    errno.EEXIST: "something else has this name: move it away",
}
"""What to do about a failed write, by the reason that the system gives."""


OF_THE_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.EROFS}
"""Reasons that are no fault of the program, wherever they come from, such as a library's cache or a temporary file."""


def exists(path: str) -> bool:
    """Whether there is such a file or folder, as far as one may see."""
    return os.path.exists(path)  # noqa: PTH110 - a Path raises for a long name, and where a folder above may not be entered


def numbered(path: Path, ending: str = "") -> Iterator[Path]:
    """``runs/a``, ``runs/a-2``, ``runs/a-3`` …, each with an ending: the caller takes the first that is free."""
    yield path.with_name(f"{path.name}{ending}")
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}-{number}{ending}")


@contextmanager
def writing(path: Path | str, doing: str = "write", instead: str = "") -> Iterator[None]:
    """Turn the failure of a write into one line; ``instead`` says how to name another place, where that helps."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {doing} {path}: {cause(error)}; {remedy(error, instead)}") from error


def cause(error: Exception) -> str:
    """Why a write failed, in the system's words."""
    return getattr(error, "strerror", None) or " ".join(str(error).split())


def remedy(error: Exception, instead: str = "") -> str:
    """What to do about a failed write. Libraries that write by themselves tell the system's number in their text alone."""
    told = re.search(r"os error (\d+)", str(error))
    advice = REMEDIES.get(error.errno or 0 if isinstance(error, OSError) else int(told[1]) if told else 0, "")
    if instead and ELSEWHERE in advice:
        return advice.replace(ELSEWHERE, instead)
    return f"{advice}, or {instead}" if advice and instead else advice or instead or "fix that and try again"


def write_atomically(path: Path, content: str | bytes, instead: str = "") -> None:
    """Replace a small file in one step: a reader sees the old content or the new, whoever else writes it at the same time."""
    with writing(path, instead=instead):
        partial, file = new_partial(path)
        try:
            with file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
                partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        sync(path.parent)


def new_partial(path: Path) -> tuple[Path, BinaryIO]:
    """A file of this writer's own, which becomes another; what dead writers have left, which can be locked, is removed."""
    for left in path.parent.iterdir():  # but for this process's own: to close one would unlock it
        if is_partial(left.name, path.name) and f".{os.getpid()}-" not in left.name and left.is_file() and not left.is_symlink():
            with suppress(OSError), left.open("r+b") as file:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink()
    while True:
        partial = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
        file = partial.open("xb")
        with suppress(OSError):  # of a file system that cannot lock, where nothing is taken for a dead writer's either
            fcntl.lockf(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:  # else another has removed it before it was locked
            return partial, file
        file.close()


def is_partial(name: str, whole: str) -> bool:
    """Whether something of this name may be what a dead writer of a file has left; earlier versions left ``.config.yaml.partial``."""
    return name.startswith(f".{whole}.") and name.endswith(".partial")


def append(path: Path, *lines: dict[str, Any]) -> None:
    """Add lines of JSON to a log; the first one tells the checksum of the config.yaml of the run that it is of."""
    refuse_links(path)
    with writing(path), path.open("a", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line if file.tell() else owned(line, path.parent / "config.yaml")) + "\n")


def sync(path: Path) -> None:
    """Flush a file or directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_record(path: Path, content: dict[str, Any], config: Path | None = None) -> None:
    """Replace a record in JSON, with the checksum of its content and that of the config.yaml of the run that it is of."""
    write_atomically(path, json.dumps(sealed(content if config is None else owned(content, config)), indent=1))


def refuse_links(*paths: Path) -> None:
    """Refuse to write through a link that somebody has left in a run: it may lead anywhere; and into a FIFO, which waits for a reader."""
    for path in paths:
        if path.is_symlink():
            raise UserError(f"{path} is a link, and what is written there would land elsewhere; remove it")
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise UserError(f"{path} is not a regular file; remove it")
