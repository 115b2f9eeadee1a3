"""Commands in processes of their own, one after another or several at a time, as sweeps and comparisons run them.

Decisions:
- A job that fails does not stop the others; a signal ends all of them, each with what it saves. One that comes while none runs is told of
  the next, which does not begin; after the last, it acts as if there had been no jobs.
- Jobs that run at a time have a device each, or share the processor's cores evenly; what each says goes to a file of its own.
- `elsewhere` has all that is written in terms of `run_jobs` run on other machines; who writes such a verb need not know of it.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import NamedTuple

from iwm_cluster.children import Children, python
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.overrides import quoted
from iwm_core.run.files import numbered
from iwm_core.run.new_run import make


def at(path: Path) -> str:
    """The override that lets a job write its run to ``path``, whatever signs are in it."""
    return f"run={quoted(str(path))}"


class Job(NamedTuple):
    """A command line of ``iwm``.

    Attributes:
        name: unlike those of the other jobs.
        words: after ``iwm``.
        log: where it says what it says, where others run at the same time; None for one that has ended and said it here.
    """

    name: str
    words: list[str]
    log: Path | None


class Ended(NamedTuple):
    """How a job ended: its exit status, 0 where all went well; and the signal that came to us meanwhile, 0 for none."""

    status: int
    received: int


Runner = Callable[[Iterable[Job]], Iterator[tuple[Job, Ended]]]
other: ContextVar[Runner | None] = ContextVar("other", default=None)


@contextmanager
def elsewhere(run: Runner) -> Iterator[None]:
    """While entered, `run_jobs` leaves its jobs to ``run``."""
    token = other.set(run)
    try:
        yield
    finally:
        other.reset(token)


def run_jobs(jobs: Iterable[Job], places: list[dict[str, str]]) -> Iterator[tuple[Job, Ended]]:
    """Run jobs to their ends, as many at a time as there are places; each as it ends. Signals are passed on, and then no other begins.

    Args:
        jobs: asked for one by one, when there is a place.
        places: what each place adds to the environment, as of `places_for`.

    Raises:
        UserError: this is one of several processes that a launcher has started.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UserError("this command starts processes of its own: start it without torchrun, accelerate launch or srun")
    if run := other.get():
        yield from run(jobs)
        return
    left, free, running = iter(jobs), list(range(len(places))), dict[int, tuple[Job, int]]()
    heard = False  # whether a job has told of a signal
    with Children() as children, ExitStack() as logs:
        while True:
            while free and not children.received and (job := next(left, None)) is not None:
                place, job = free.pop(0), job if len(places) > 1 else job._replace(log=None)
                running[len(children.all)] = job, place
                told = {"stdout": logs.enter_context(job.log.open("ab")), "stderr": STDOUT} if job.log else {}
                # It ends with us, and its standard input tells it when.
                environment = {**os.environ, **places[place], "IWM_JOB": "1"}
                children.start([*python("iwm_core.cli"), *job.words], stdin=PIPE, env=environment, **told)
            if not running:
                break
            children.watch()
            for number, status in enumerate(children.statuses()):
                if status is not None and number in running:
                    job, place = running.pop(number)
                    free, heard = sorted([*free, place]), heard or bool(children.received)
                    yield job, Ended(128 - status if status < 0 else status, children.received)  # killed by a signal: as a shell tells it
    if (received := children.received) and not heard:
        if (job := next(left, None)) is not None:
            yield job._replace(log=None), Ended(128 + received, received)
        else:
            signal.raise_signal(received)


def places_for(count: int) -> list[dict[str, str]]:
    """What jobs that run at a time add to their environments: each has a device of its own, or its share of the processor's cores.

    Raises:
        UserError: there are fewer devices.
    """
    if count == 1:
        return [{}]
    import torch

    if not torch.cuda.is_available():
        return [{"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // count, 1)))}] * count
    there = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count())))).split(",")
    if count > len(there):
        raise UserError(f"--jobs {count} needs a device for each, but there are {len(there)}; use --jobs {len(there)}")
    return [{"CUDA_VISIBLE_DEVICES": one} for one in there[:count]]


def go_on(words: list[str], failed: dict[str, str]) -> list[str]:
    """What to say at the end of jobs: which have not finished, and why, and the command that goes on with them."""
    return [*(f"not finished: {name}: {why}" for name, why in failed.items()), f"go on with: iwm {' '.join(words)}"] if failed else []


def reserve(name: str) -> Path:
    """Make the directory of a run that another process will begin; numbered, where the name is taken."""
    return next(path for path in numbered(Path("runs") / name) if make(path))
