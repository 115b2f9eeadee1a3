"""What data workers make, in order, whatever becomes of the workers.

Decisions:
- Where a worker dies, or finds no shared memory, all that is left is made in this process: what is made of a part depends on
  nothing else, so that not a bit changes. Who asked is told why, and a training ends after its step with a checkpoint.
- Torch tells of a dead worker by an exception out of a signal handler, wherever the program is, such as within an optimizer's step. The
  handler is put away again: the loader also looks, every five seconds, while it waits.
- Workers move what they made to shared memory themselves. Left to the thread that sends it, a full ``/dev/shm`` ends in a traceback of that
  thread and a loader that waits for ever.
"""

import pickle
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from iwm_core.interfaces.errors import UserError
from iwm_core.run.files import cause
from iwm_data.lending import Lending

NO_ROOM = "data workers find too little shared memory (/dev/shm): use launch.workers=0, or give a container more (docker: --shm-size=8g)"


class WorkersLost(Exception):
    """Workers cannot go on, for a reason that the text tells, with its remedy."""


class Refused(NamedTuple):
    """What a worker gives instead of what it made: why it cannot."""

    why: str
    mistake: bool
    """Of the user's: an exception would arrive with the worker's traceback."""


def made_in_order(make: Any, parts: Iterable[Any], workers: int, lost: Callable[[str], None], pin: bool, ahead: int) -> Iterator[Any]:
    """See `iwm_core.data.workers.made_in_order`."""
    left, drawn = iter(parts), deque[Any]()

    def drawing() -> Iterator[Any]:
        for part in left:
            drawn.append(part)
            yield part

    try:
        for made in made_by_loader(make, drawing(), workers, pin, ahead):
            drawn.popleft()
            yield made
        return
    except WorkersLost as error:
        lost(str(error))
    yield from map(make, chain(drawn, left))


def made_by_loader(make: Any, parts: Iterator[Any], workers: int, pin: bool, ahead: int) -> Iterator[Any]:
    """The same, as long as the workers live.

    Raises:
        WorkersLost: they do not, or cannot be started.
    """
    lending = Lending(workers, ahead + 3)  # those made ahead, and two or three that are read
    loader = DataLoader(
        Makes(make),  # pyright: ignore[reportArgumentType]
        batch_size=None,
        sampler=map(pickle.dumps, parts) if workers else parts,  # pyright: ignore[reportArgumentType]
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=ahead if workers else None,
        collate_fn=partial(into_shared_memory, lending) if workers else lambda made: made,  # by itself, torch makes lists of tuples
        generator=torch.Generator(),  # else the global one is asked for a seed
    )
    before = signal.getsignal(signal.SIGCHLD)
    try:
        items: Any = iter(loader)
    except OSError as error:
        for frame, _ in traceback.walk_tb(error.__traceback__):  # torch's half-made iterator lacks what it looks for when it is deleted
            if isinstance(half := frame.f_locals.get("self"), _BaseDataLoaderIter):
                half._shutdown = True  # pyright: ignore[reportAttributeAccessIssue]
        raise WorkersLost(f"data workers cannot be started ({cause(error)}): use launch.workers=0") from error
    if workers and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, before or signal.SIG_DFL)
    while True:
        try:
            made = lending.take(next(items))
        except StopIteration:
            return
        except (RuntimeError, OSError, EOFError) as error:
            died = how_it_died(items) if workers else ""
            if not died:
                raise
            raise WorkersLost(died) from error
        if isinstance(made, Refused):
            del items, loader  # whose workers would live as long as the error
            raise UserError(made.why) if made.mistake else WorkersLost(made.why)
        yield made


class Makes:
    """A function as the dataset of a loader. To workers, parts go as bytes: a tensor has a connection of its own, which shows a traceback
    where a worker is killed."""

    def __init__(self, make: Any) -> None:
        self.make = make

    def __getitem__(self, part: Any) -> Any:
        try:
            return self.make(pickle.loads(part) if isinstance(part, bytes) else part)
        except UserError as error:
            return Refused(str(error), mistake=True)


def into_shared_memory(lending: Lending, made: Any) -> Any:
    """In a worker: what it made, where the main process can read it."""
    try:
        return lending.lend(made)
    except RuntimeError as error:
        if not any(words in str(error) for words in ("shared memory", "unable to resize file")):
            raise
        return Refused(NO_ROOM, mistake=False)


def how_it_died(items: Any) -> str:
    """How one of a loader's workers died, and what to do about it; nothing where all live."""
    until = time.monotonic() + 1  # its connections may be closed a moment before it is known to have ended
    while not (codes := [worker.exitcode for worker in items._workers if worker.exitcode]):
        if time.monotonic() > until:
            return ""
        time.sleep(0.05)
    if codes[0] == -signal.SIGBUS:
        return NO_ROOM
    if codes[0] == -signal.SIGKILL:
        return "a data worker was killed, often for want of memory: use fewer launch.workers"
    how = f"was ended by {signal.Signals(-codes[0]).name}" if codes[0] < 0 else f"ended with status {codes[0]}"
    return f"a data worker {how}: use launch.workers=0, which tells why"
