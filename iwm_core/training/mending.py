"""What `iwm resume` mends before a run goes on, each said in a line: nothing is dropped without a copy kept beside it.

Decisions:
- Of a log, the lines that can be read are kept; a measurement that cannot be read is made again. Neither changes what is trained.
- Weights, state and config are never mended: a run that cannot go on as it was is refused.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from iwm_core.data.quarantine import Corrupt
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.run.directory import Run
from iwm_core.run.files import numbered, write_atomically, writing
from iwm_core.run.saved import Logged, read_state, saved_steps, step_of
from iwm_core.run.stored import Damaged, read_log

LOGS = {"metrics.jsonl": Logged, "quarantine.jsonl": Corrupt}


def mend(run: Run, names: Iterable[str]) -> list[str]:
    """Mend the logs of a run, and its measurements by these evaluators or tasks; returns what was done, a line each."""
    done = [mended_log(run.path / name, shape) for name, shape in LOGS.items()]
    for measurer in load_plugins().modules("iwm_measurers"):
        done += measurer.mended(run, names)
    if (run.checkpoints / "latest").is_dir():  # which is written anew with the next checkpoint, over anything but this
        done.append(f"{run.checkpoints / 'latest'} is a directory, not a file; it is kept as {set_aside(run.checkpoints / 'latest').name}")
    return [line for line in done if line]


def mended_log(path: Path, shape: Any) -> str:
    """Keep the lines of a log that can be read; returns what was done, or nothing."""
    try:
        log = read_log(path, shape, path.parent / "config.yaml")
        if not log.bad:
            return ""
        kept, problem = log.lines, f"holds {log.bad} lines that cannot be read" if log.bad > 1 else "holds a line that cannot be read"
    except Damaged as error:
        kept, problem = [], error.problem
    aside = set_aside(path)
    with writing(path):
        write_atomically(path, "".join(f"{line}\n" for line in kept))
    return f"{path} {problem}; {f'the other {len(kept)} are kept' if kept else 'it starts over'}; the damaged file is kept as {aside.name}"


def go_back(run: Run, name: str) -> list[str]:
    """Make a checkpoint the newest: later ones are set aside; returns what was done, a line each. A `UserError` where there is no such
    checkpoint, or it is damaged itself."""
    read_state(run.checkpoint(name))
    done = []
    for step in saved_steps(run.checkpoints):
        if step > step_of(name):
            newer = run.checkpoints / f"step_{step}"
            done.append(f"{newer} is set aside as {set_aside(newer, 'aside').name}; remove it when it is of no use")
    return done


def set_aside(path: Path, ending: str = "damaged") -> Path:
    """Rename a file or folder to the first free ``NAME.damaged``, ``NAME.damaged-2``, …"""
    place = next(free for free in numbered(path.with_name(f"{path.name}.{ending}")) if not (free.exists() or free.is_symlink()))
    try:
        path.rename(place)
    except OSError as error:
        raise UserError(f"cannot rename {path} to {place.name}: {error.strerror}; mend or remove it yourself") from error
    return place
