"""The directory of a new run: found, locked, and its config frozen in it.

Decisions:
- What the start of a run leaves when it is killed before there is a config.yaml counts as nothing: the next start takes the directory.
- Paths of data are frozen absolute: a relative one would be other images, or none, once a run goes on from another folder. Where they
  have moved, on another machine, say, ``data.path=`` of `iwm resume` and its like says so.
- Without ``run``, ``runs/<recipe>``, with a number where that is taken; whoever makes the directory first has it.
"""

import functools
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from packaging.requirements import InvalidRequirement, Requirement

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.shown import as_word
from iwm_core.recipe.overrides import parse
from iwm_core.run.anchor import anchor
from iwm_core.run.directory import Run, frozen
from iwm_core.run.files import is_partial, numbered, write_atomically, write_record, writing
from iwm_core.run.lock import WRITER, Taken, refuse_busy, writer, writer_of

DRAFT = ".draft"
LEFT = {WRITER, DRAFT, "env.json"}
"""What a start that was killed may leave."""
ELSEWHERE = "choose another directory with run=PATH"


@contextmanager
def new_run(config: DictConfig, verb: str, warn: Callable[[str], None], fill: Callable[[Run], None] | None = None) -> Iterator[Run]:
    """A new run, its config frozen in its directory, of which this process is the one writer.

    ``fill`` writes what it begins with, such as weights from elsewhere: without them there is no run, whenever this ends.

    Raises:
        UserError: the directory is taken, or cannot be written.
    """
    anchor(config)
    with ExitStack() as lock:
        path = Path(os.path.expanduser(str(config.run))) if config.run is not None else None  # noqa: PTH111 - a number, in run=7
        if path is not None:
            refuse_taken(path)
            with writing(path, "make the run directory", ELSEWHERE):
                path.mkdir(parents=True, exist_ok=True)
            lock.enter_context(writer(path, verb, warn, ELSEWHERE))
            refuse_taken(path)  # another start may have been quicker
        else:
            path = next(free for free in numbered(Path("runs") / config.recipe) if take(free, verb, warn, lock))
        config.run = str(path)
        text, seal = frozen(config)
        write_record(path / "env.json", {**environment(config.train.seed), "config": seal})
        shutil.rmtree(path / DRAFT, ignore_errors=True)
        if fill is not None:
            begin(path, text, fill)
        # Last: a directory with a config.yaml is a run.
        write_atomically(path / "config.yaml", text)
        yield Run(path)


def begin(path: Path, text: str, fill: Callable[[Run], None]) -> None:
    """Fill a draft of a run, which has its config, and put what is in it into the run's directory, which has none yet."""
    draft = path / DRAFT
    try:
        draft.mkdir()
        write_atomically(draft / "config.yaml", text)
        fill(Run(draft))
        (draft / "config.yaml").unlink()
        for file in draft.iterdir():
            file.rename(path / file.name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def refuse_named(overrides: list[str]) -> None:
    """Refuse the directory that ``run=PATH`` names as `new_run` would, before torch is imported, which takes seconds."""
    for override in parse(overrides):
        if override.key_or_group == "run" and not override.is_delete() and override.value():
            path = Path(str(override.value()))
            refuse_taken(path)
            refuse_busy(path)


def refuse_taken(path: Path) -> None:
    """Refuse a directory that holds anything that is not left by a killed start."""
    with writing(path, "look into", ELSEWHERE):
        if (path / "config.yaml").exists():
            busy = writer_of(path)
            if busy:
                raise Taken(f"{path} is in use by {busy}; {ELSEWHERE}")
            raise UserError(f"the run {path} exists; continue it with `iwm resume {as_word(path)}`, or {ELSEWHERE}")
        if path.is_file():
            raise UserError(f"run={path} is a file; {ELSEWHERE}")
        if path.is_dir() and not left_behind(path):
            raise UserError(f"run={path} is not empty and no run; {ELSEWHERE}")


def left_behind(path: Path) -> bool:
    """Whether a directory holds nothing but what a killed start may leave."""
    return all(file.name in LEFT or any(is_partial(file.name, one) for one in ("env.json", "config.yaml")) for file in path.iterdir())


def make(path: Path) -> bool:
    """Make a directory; False where there is something already."""
    try:
        with writing(path, "make the run directory", ELSEWHERE):
            path.mkdir(parents=True)
    except UserError as error:
        if isinstance(error.__cause__, FileExistsError):
            return False
        raise
    return True


def take(path: Path, verb: str, warn: Callable[[str], None], lock: ExitStack) -> bool:
    """Make a directory, or take over what a killed start left there, and lock it; False where it is taken."""
    made, doubts = make(path), list[str]()
    # One without a lock file was made a moment ago, by a sweep or a start that is about to lock it.
    if not made and not (path.is_dir() and (path / WRITER).exists() and left_behind(path)):
        return False
    try:
        with ExitStack() as attempt:
            attempt.enter_context(writer(path, verb, warn if made else doubts.append, ELSEWHERE))
            if left_behind(path) and not doubts:  # where nothing can be locked, it is its maker's
                lock.push(attempt.pop_all())
                return True
    except Taken:
        pass
    return False


def environment(seed: int) -> dict[str, Any]:
    """Versions of what computes a run: of plugins, and of what they require."""
    versions = {plugin.distribution: plugin.version for plugin in load_plugins().plugins}
    for name in list(versions):
        versions |= needed_by(name)
    return {
        "versions": dict(sorted(versions.items())),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git_commit": git_commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "command": sys.argv,
    }


@functools.cache
def needed_by(distribution: str) -> dict[str, str]:
    """What a distribution requires, with the versions installed, read once in this process; nothing of one whose metadata is broken."""
    with suppress(PackageNotFoundError, InvalidRequirement):
        needed = [one for one in map(Requirement, requires(distribution) or ()) if not one.marker or one.marker.evaluate({"extra": ""})]
        return {one.name: version(one.name) for one in needed}
    return {}


def git_commit() -> str | None:
    """The commit of the working directory's repository, if it is one."""
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return found.stdout.strip() or None
