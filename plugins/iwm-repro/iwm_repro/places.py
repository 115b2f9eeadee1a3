"""Where the runs of claims lie, ``runs/repro/<scale>/<what is run>-s<seed>``, and how far each has come. Needs no torch.

Decisions:
- A directory's name is made of what is run, in words and in a digest: claims that ask for the same find the same runs, and a claim
  that is edited asks for others.
- A run counts once its training and all of its measurements are through; whatever is missing, `iwm resume` makes up for.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

from iwm_evals.measuring.notes import not_applicable
from iwm_evals.measuring.scorecard import read_result

from iwm_core.interfaces.errors import UserError
from iwm_core.run.directory import Run
from iwm_core.run.saved import read_state
from iwm_core.run.stored import Damaged
from iwm_repro.claim import Size, Work

RUNS = Path("runs") / "repro"
LONGEST = 60
"""Characters of the words in a directory's name."""


class Job(NamedTuple):
    """A work with one seed."""

    work: Work
    seed: int
    path: Path
    source: Path | None

    @property
    def words(self) -> list[str]:
        """What begins it, or goes on with it, after ``iwm``."""
        if (self.path / "config.yaml").exists():
            return ["resume", str(self.path)]
        from iwm_cluster.jobs import at  # which knows Hydra's grammar, and reports do not need it

        begin = ["train"] if self.source is None else ["tune", str(self.source)]
        return [*begin, f"recipe={self.work.recipe}", f"train.seed={self.seed}", at(self.path), *self.work.overrides]


def job_of(work: Work, seed: int, scale: str) -> Job:
    """A work with one seed at its place."""
    folder = RUNS / scale
    source = folder / f"{name_of(work.of)}-s{seed}" if work.of else None
    return Job(work, seed, folder / f"{name_of(work)}-s{seed}", source)


def jobs_of(size: Size, seeds: tuple[int, ...], scale: str) -> list[Job]:
    """The jobs of a claim in the order in which they are run: all works with one seed before the next."""
    return [job_of(work, seed, scale) for seed in seeds for work in size.works]


def name_of(work: Work) -> str:
    """The name of a work's directories, without the seed."""
    whole = [[one.recipe, *one.overrides] for one in (work, work.of) if one]
    key = hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:8]
    words = [*work.of.overrides, work.recipe] if work.of else [work.recipe.rpartition("/")[2]]
    settings = (word.partition("=") for word in [*words, *work.overrides])
    told = [re.sub(r"[^A-Za-z0-9_.]+", "-", f"{key.rpartition('.')[2]}-{value}").strip("-") for key, _, value in settings]
    return f"{'-'.join(told)[:LONGEST].rstrip('-.')}-{key}"


def finished(path: Path) -> bool:
    """Whether a run is trained and measured to its end.

    Raises:
        UserError: a file of it is damaged.
    """
    if not (path / "config.yaml").exists():
        return False
    run = Run(path)
    checkpoint = run.latest()
    if checkpoint is None:
        return False
    state, config = read_state(checkpoint), run.plain_config()
    if state["step"] < state["steps"]:
        return False
    without = not_applicable(run)
    return all(
        step_of(path / "eval" / f"{name}.json") == state["step"] or without.get(name, {}).get("step") == state["step"]
        for name in config.get("evaluators") or config.get("tasks") or {}
    )


def has_finished(path: Path) -> bool:
    """The same; of what cannot be read, False."""
    try:
        return finished(path)
    except (UserError, OSError):
        return False


def step_of(file: Path) -> int | None:
    """The step that a result was measured at; None where there is none that can be read, which `iwm resume` then measures."""
    if not file.exists():
        return None
    try:
        return read_result(file).get("step")
    except (Damaged, ValueError, KeyError, TypeError, AttributeError):
        return None


def seconds_of(path: Path) -> tuple[float, str]:
    """The seconds that a finished run was trained for, over all resumes, and on what."""
    checkpoint = Run(path).newest()
    state = read_state(checkpoint)
    return state.get("seconds", 0.0), state.get("device", "")


def minutes_of(jobs: list[Job]) -> float:
    """What jobs are estimated to take."""
    return sum(job.work.minutes for job in jobs)
