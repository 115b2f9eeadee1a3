"""What a sweep has made so far, kept in a folder of its own, such as ``runs/quickstart-sweep``: by it, the same command goes on.

Decisions:
- A sweep that has not finished goes on by the same command; one that has, or still runs, is left alone, and the command begins another.
- What one job says, where several run at a time, lies in the folder, too.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from iwm_core.run.files import numbered, write_record, writing
from iwm_core.run.lock import Taken, writer
from iwm_core.run.stored import read_record

FILE, HERE = "sweep.json", "start from a folder that can be written"


@dataclass
class Sweep:
    """A sweep's jobs; what is said of each stands at its place.

    Attributes:
        recipe: that all train.
        words: their overrides.
        runs: the directories that they write to; empty where they have not begun.
        done: whether they have finished.
    """

    recipe: str
    words: list[list[str]]
    runs: list[str]
    done: list[bool]

    def write(self, folder: Path) -> None:
        """Keep it."""
        write_record(folder / FILE, asdict(self))

    def begun(self) -> list[Path]:
        """The runs that are there."""
        return [Path(run) for run in self.runs if run and (Path(run) / "config.yaml").exists()]


@contextmanager
def unfinished(recipe: str, words: list[list[str]], warn: Callable[[str], None]) -> Iterator[tuple[Path, Sweep]]:
    """The sweep of these jobs that has not finished, or a new one, and its folder, of which this process is the one writer."""
    for folder in numbered(Path("runs") / f"{recipe}-sweep"):
        if not goes_on(folder, words):
            continue
        with ExitStack() as lock:
            with writing(folder, "make the folder", HERE):
                folder.mkdir(parents=True, exist_ok=True)
            try:
                lock.enter_context(writer(folder, "train -m", warn, HERE))
            except Taken:
                continue
            if goes_on(folder, words):  # by now, another may have been here
                yield folder, read(folder) or Sweep(recipe, words, [""] * len(words), [False] * len(words))
                return


def goes_on(folder: Path, words: list[list[str]]) -> bool:
    """Whether a folder is free, or holds a sweep of these jobs that has not finished."""
    sweep = read(folder)
    if sweep is None:
        return not folder.exists() or (folder.is_dir() and not any(folder.glob("[!.]*")))
    return sweep.words == words and not all(sweep.done)


def read(folder: Path) -> Sweep | None:
    """The sweep in a folder; None where there is none.

    Raises:
        Damaged: it cannot be read.
    """
    file = folder / FILE
    return read_record(file, Sweep, f"remove {file} to begin anew") if file.exists() or file.is_symlink() else None
