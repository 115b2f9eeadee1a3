"""One writer at a time: locks on a folder, which the kernel frees when their holder dies.

Decisions:
- POSIX record locks (`fcntl.lockf`): they end with the process, however it ends; forked children, such as data workers, do not inherit
  them; they work over NFS. ``flock``, which the library filelock uses, is inherited: a worker that outlives its parent would keep the run.
- They do not exclude within a process, and closing any descriptor of the file frees them. So this module notes what its process holds,
  and nothing else opens these files.
- The files stay: were they removed, two processes could lock two files of one name. Their text tells who holds them.
- Who writes a run holds ``.lock`` for its whole time. Results are put in place under ``.placing``, by evaluations and reports beside a
  training as well. Who only reads takes none.
"""

import errno
import fcntl
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.run.files import cause, writing

WRITER, PLACING = ".lock", ".placing"
PATIENCE = 1.0
"""Seconds that a writer waits: a process that was killed may take a moment to end."""
COPY = "copy the run to where it can be written"
PLACED_WITHIN = 30.0
"""Seconds that files take to be put in place, at most."""

held: set[tuple[int, Path]] = set()
"""What is locked here, by process: forked children have a copy of this set, and hold nothing."""
noting = threading.Lock()


class Taken(UserError):
    """Somebody else writes into the folder."""


def writer(folder: Path, verb: str, warn: Callable[[str], None], instead: str = COPY) -> AbstractContextManager[None]:
    """Be the one writer of a folder that exists, such as a run's; `Taken` where there is another, whom its line names.

    Others who come are told the ``verb`` of the command line; ``warn`` is told where the file system cannot lock, and ``instead`` says what
    to do where the folder cannot be written.
    """
    return locked(folder / WRITER, verb, PATIENCE, warn, instead)


def placing(folder: Path, verb: str, warn: Callable[[str], None], instead: str = COPY) -> AbstractContextManager[None]:
    """Put finished files in place in a run that may be in training; waits for others who do, half a minute at most, and says so. `Taken`
    where they do not end, a `UserError` where the folder cannot be written."""
    return locked(folder / PLACING, verb, PLACED_WITHIN, warn, instead)


@contextmanager
def locked(file: Path, verb: str, patience: float, warn: Callable[[str], None], instead: str) -> Iterator[None]:
    key, begun, told = (os.getpid(), file.parent.resolve() / file.name), time.monotonic(), False
    with writing(file, instead=instead):
        while (descriptor := attempt(key, warn)) is None:
            waited = time.monotonic() - begun
            if waited > patience:
                raise Taken(f"{file.parent} is in use by {holder(file)}; wait until that ends, or choose another")
            if waited > PATIENCE and not told:
                told = True
                warn(f"waiting for {holder(file)}, to put files in place in {file.parent}")
            time.sleep(0.05)
    try:
        with suppress(OSError):  # a full disk takes no text: it is locked all the same
            os.ftruncate(descriptor, 0)
            since = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
            os.pwrite(descriptor, f"iwm {verb}, process {os.getpid()} on {socket.gethostname()}, since {since}".encode(), 0)
        yield
    finally:
        with noting:
            os.close(descriptor)
            held.discard(key)


def attempt(key: tuple[int, Path], warn: Callable[[str], None]) -> int | None:
    """The descriptor of the locked file, or None where somebody holds it."""
    with noting:
        if key in held:
            return None
        descriptor = os.open(key[1], os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                os.close(descriptor)
                return None
            warn(f"the file system of {key[1].parent} cannot lock ({cause(error)}): see to it that nothing else writes there meanwhile")
        held.add(key)
        return descriptor


def holder(file: Path) -> str:
    """Who holds a lock, in the holder's own words."""
    with noting:
        if (os.getpid(), file.parent.resolve() / file.name) in held:  # to open it here would free it
            return f"this process, {os.getpid()}"
        with suppress(OSError):
            return "".join(c for c in file.read_text(encoding="utf-8", errors="replace")[:200] if c.isprintable()) or "another process"
    return "another process"


def refuse_busy(folder: Path) -> None:
    """Refuse a folder that somebody writes into before the work begins, which `writer` would refuse then; `Taken` where there is such a
    one, and does not end within a moment."""
    begun = time.monotonic()
    while busy := writer_of(folder):
        if time.monotonic() - begun > PATIENCE:
            raise Taken(f"{folder} is in use by {busy}; wait until that ends, or choose another")
        time.sleep(0.05)


def writer_of(folder: Path) -> str | None:
    """Who writes into a folder now; None where nobody does, or this user cannot tell."""
    file = folder / WRITER
    with noting:
        if (os.getpid(), folder.resolve() / WRITER) not in held:
            try:
                descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError:
                return None
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return None
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EAGAIN):
                    return None
            finally:
                os.close(descriptor)
    return holder(file)
