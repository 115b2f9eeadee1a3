"""``iwm train -m``: a run for each combination of values, each in a process of its own and a directory named by what differs."""

import hashlib
import re
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.events import SweepEnd
from iwm_core.plugins.kinds import kind_of
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import find_recipe
from iwm_core.process.jobs import at, python, run_job
from iwm_core.process.shown import tell
from iwm_core.recipe.compose import compose
from iwm_core.recipe.overrides import expand
from iwm_core.recipe.thaw import thaw
from iwm_core.run.new_run import reserve
from iwm_core.training.course import composed

LONGEST = 120
"""Characters of a run's name, with its recipe's."""


def sweep(name: str, overrides: list[str]) -> int:
    """``iwm train -m``: one process for each combination of ``key=a,b`` values, one after the other; plugins hear of the end."""
    jobs = expand(overrides)
    taken: set[str] = set()
    for job in jobs:  # a mistake in the last job is found before the first one runs
        config = composed(name, job)[0]
        recipe = thaw(config)
        kind_of(config).check(recipe)
        if recipe.run in taken:
            raise UserError(f"several jobs would write to run={recipe.run}; leave it out, or name what differs: run='r${{train.seed}}'")
        taken |= {recipe.run} if recipe.run else set()
    runs: list[Path] = []
    try:
        return run_jobs(name, jobs, runs)
    finally:  # also on what is there when a job fails
        load_plugins().tell("iwm_sweep_end", SweepEnd(find_recipe(name).name, runs))


def directories(recipe: str, jobs: list[list[str]]) -> list[str]:
    """The name of each job's run: the recipe's, and what of the job's settings differs, as ``quickstart-predictor-none-seed-1``.

    Keys are shortened as far as they stay apart; signs that a shell would read become ``-``; a long name ends in a digest.
    """
    differing = [words for words in zip(*jobs, strict=True) if len(set(words)) > 1]
    keys = [words[0].partition("=")[0].lstrip("+") for words in differing]
    ends = [[".".join(key.split(".")[-count:]) for count in range(1, key.count(".") + 2)] for key in keys]
    shown = [next((end for end in own if sum(end in other for other in ends) == 1), own[-1]) for own in ends]
    names = []
    for job in zip(*differing, strict=True) if differing else [()] * len(jobs):
        parts = [part for key, word in zip(shown, job, strict=True) for part in (key, word.partition("=")[2])]
        name = "-".join([recipe, *(re.sub(r"[^A-Za-z0-9_.-]+", "-", part).strip("-") or "none" for part in parts)])
        names.append(name if len(name) <= LONGEST else f"{name[: LONGEST - 9]}-{hashlib.sha256(' '.join(job).encode()).hexdigest()[:8]}")
    return names


def run_jobs(name: str, jobs: list[list[str]], runs: list[Path]) -> int:
    """Run the jobs of a sweep and add the directory of each run that has begun to ``runs``; returns the first status that is not 0."""
    named = directories(find_recipe(name).name, jobs)
    for number, job in enumerate(jobs, 1):
        config = compose(name, job)[0]
        tell(f"job {number} of {len(jobs)}: {' '.join(f'run={config.run}' if word.startswith('run=') else word for word in job)}")
        path = Path(str(config.run)) if config.run else reserve(named[number - 1])  # made here, so that it is known here
        own = [] if config.run else [at(path)]
        old = (path / "config.yaml").exists()
        ended = run_job([*python("iwm_core.cli"), "train", f"recipe={name}", *job, *own])
        if (path / "config.yaml").exists() and not old:
            runs.append(path)
        elif own and not any(path.iterdir()):
            path.rmdir()
        if ended.received:
            return 128 + ended.received
        if ended.status:
            return ended.status
    return 0
