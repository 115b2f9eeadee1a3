"""Several processes of one machine, started here: what ``launch.processes`` asks for.

Decisions:
- They meet by a file and speak by the loopback interface: torch's usual meeting place listens to the network.
- They are started with the environment that torchrun would give them, not by torchrun: so a signal reaches the training, which ends with
  a checkpoint, and a user's mistake ends in one line.
"""

import json
import os
import signal
import tempfile
from pathlib import Path
from subprocess import PIPE

from iwm_cluster.children import Children, loopback, python
from iwm_core.interfaces.errors import Stopped
from iwm_core.process.shown import as_word
from iwm_core.process.signals import named


def spawn(folder: Path, overrides: list[str], processes: int) -> int:
    """Run the training of ``folder`` in several processes; when one fails, so do all.

    Returns:
        The exit status: 0, or that of a process that has crashed and shown why.

    Raises:
        Stopped: a signal or a user's mistake ended the training.
    """
    environment = {**os.environ, **loopback(), "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    environment.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // processes, 1)))
    with tempfile.TemporaryDirectory() as temporary, Children() as children:
        files = [Path(temporary) / str(rank) for rank in range(processes)]
        for rank, file in enumerate(files):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "IWM_OUTCOME": str(file), "IWM_MEETING": f"{temporary}/meeting"}
            children.start([*python("iwm_cluster.worker"), str(folder), *overrides], env=environment | own, stdin=PIPE)
        while True:
            running, statuses = children.watch(), children.statuses()
            told = outcomes(files)  # after the statuses: a process tells first, then ends
            crashes = [status for rank, status in enumerate(statuses) if status and rank not in told]
            if not running or crashes or any(status == 2 for status, _ in told.values()):
                break
    if crashes:
        return crashed(folder, crashes[0], children.received)
    if told:
        status, text = min(told.values())  # a mistake, 2, before a stop, 130 or 143
        raise Stopped(text, status)
    return 0


def outcomes(files: list[Path]) -> dict[int, tuple[int, str]]:
    """Status and text of the processes that have told how they ended, by rank."""
    return {rank: tuple(json.loads(file.read_text(encoding="utf-8"))) for rank, file in enumerate(files) if file.exists()}


def crashed(folder: Path, status: int, received: int) -> int:
    """The exit status where a process has not told how it ended; a signal leaves no traceback, so it gets a line."""
    if status > 0:
        return status
    what = f"interrupted by {named(received)}" if received else f"a process was killed by {signal.Signals(-status).name}"
    raise Stopped(f"{what}; continue with `iwm resume {as_word(folder)}`", 128 + (received or -status))
