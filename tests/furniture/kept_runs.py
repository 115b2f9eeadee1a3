"""Runs that tests begin from: each command line is carried out once for all processes of a session, and copied for every test that asks.

Decisions:
- A test gets a copy, which it may damage. What is kept stays as it was trained: the end of the session checks it (`unchanged`).
- What was said meanwhile is not shown: whether a test is the first to ask must make no difference to it.
- A test file with plugins of its own has runs of its own, whatever it calls its plugins.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from iwm_core.cli.main import dispatch
from iwm_core.plugins.loader import load_plugins

LISTING = "listing.json"


class KeptRuns:
    """Runs on disk by their command lines, made where the tiny plugin is installed; processes of one session share the folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def original(self, *words: str, owner: str = "") -> Path:
        """The run of a command line that names it relatively (``run=``): to be read only."""
        run = next(word.removeprefix("run=") for word in words if word.startswith("run="))
        key = hashlib.sha256(json.dumps([owner, *words]).encode()).hexdigest()[:16]
        kept = self.folder / key
        with FileLock(self.folder / f"{key}.lock"):
            if not (kept / LISTING).exists():
                shutil.rmtree(kept, ignore_errors=True)  # of a test that was ended meanwhile
                kept.mkdir()
                with contextlib.chdir(kept), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                    assert dispatch(list(words)) == 0
                (kept / LISTING).write_text(json.dumps(listing(kept)))
        return kept / run

    def copy(self, *words: str, owner: str = "") -> Path:
        """A copy of the run, where its command line puts it."""
        run = self.original(*words, owner=owner)
        own = Path(next(word.removeprefix("run=") for word in words if word.startswith("run=")))
        shutil.copytree(run, own)
        return own

    def unchanged(self) -> None:
        """Check that no test has changed what all of them share."""
        for kept in self.folder.glob(f"*/{LISTING}"):
            assert listing(kept.parent) == json.loads(kept.read_text()), f"a test has changed {kept.parent}, which others begin from"


def listing(folder: Path) -> dict[str, list[int]]:
    """Sizes and times of all files but the listing."""
    files = {path.relative_to(folder).as_posix(): path.stat() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in files.items() if name != LISTING}


@contextlib.contextmanager
def kept_runs(base: Path) -> Iterator[KeptRuns]:
    """Those of a session; ``base`` is pytest's own folder of this process, which lies in one of the session's under xdist."""
    runs = KeptRuns((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kept")
    yield runs
    runs.unchanged()


def owner_of(test: Path) -> str:
    """A test file, where there are plugins beyond the installed ones and the tiny one."""
    usual = {plugin.distribution for plugin in load_plugins().plugins if plugin.distribution.startswith("iwm")} | {"tiny-plugin"}
    return str(test) if {plugin.distribution for plugin in load_plugins().plugins} - usual else ""
