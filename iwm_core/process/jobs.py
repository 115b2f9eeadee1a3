"""One command after another, each in a process of its own, as sweeps and comparisons run them."""

import os
import sys
from pathlib import Path
from subprocess import PIPE
from typing import NamedTuple

from iwm_core.process.signals import Children
from iwm_core.recipe.overrides import quoted


def python(module: str) -> list[str]:
    """What runs a module of ours in a process of its own, and nothing of the current folder, which may be anybody's."""
    return [sys.executable, "-P", "-m", module]


def at(path: Path) -> str:
    """The override that lets a job write its run to ``path``, whatever signs are in it."""
    return f"run={quoted(str(path))}"


class Ended(NamedTuple):
    """How a job ended: its exit status, 0 where all went well; and the signal that came to us meanwhile, 0 for none."""

    status: int
    received: int


def run_job(command: list[str]) -> Ended:
    """Run a command to its end; signals are passed on to it."""
    with Children() as children:
        children.start(command, stdin=PIPE, env={**os.environ, "IWM_JOB": "1"})  # it ends with us, and its standard input tells it when
        while children.watch():
            pass
    (status,) = children.statuses()
    assert status is not None, "it has ended"
    return Ended(128 - status if status < 0 else status, children.received)  # killed by a signal: as a shell tells it
