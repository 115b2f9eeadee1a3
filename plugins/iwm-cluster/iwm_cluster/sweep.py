"""``iwm train -m``: a run for each combination of values, each in a process of its own and a directory named by what differs."""

import hashlib
import itertools
import math
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from iwm_cluster.jobs import Job, at, go_on, places_for, reserve, run_jobs
from iwm_cluster.swept import Sweep, unfinished
from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.events import SweepEnd
from iwm_core.plugins.kinds import kind_of
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import find_recipe
from iwm_core.process.shown import tell
from iwm_core.recipe.overrides import ENDLESS, parse
from iwm_core.recipe.thaw import thaw
from iwm_core.training.starting import composed

MANY = 10_000
"""Jobs of a sweep."""

LONGEST = 120
"""Characters of a run's name, with its recipe's."""


def sweep(name: str, overrides: list[str], at_once: int = 1) -> int:
    """``iwm train -m``: one process for each combination of ``key=a,b`` values, ``at_once`` at a time; plugins hear of the end."""
    words, asked = expand(overrides), list[str]()
    taken: set[str] = set()
    for job in words:  # a mistake in the last job is found before the first one runs
        config = composed(name, job)[0]
        recipe = thaw(config)
        kind_of(config).check(recipe)
        if recipe.run in taken:
            raise UserError(f"several jobs would write to run={recipe.run}; leave it out, or name what differs: run='r${{train.seed}}'")
        taken |= {recipe.run} if recipe.run else set()
        asked.append(str(config.run or ""))
    beside = places_for(at_once)
    with unfinished(find_recipe(name).name, words, tell) as (folder, swept):
        if any(swept.runs):
            tell(f"going on with {folder}")
        failed: dict[str, str] = {}
        try:
            status = run_all(name, swept, asked, folder, beside, failed)
        finally:  # also on what is there when a job fails
            load_plugins().tell("iwm_sweep_end", SweepEnd(swept.recipe, swept.begun()))
    again = ["train", "-m", *(["--jobs", str(at_once)] if at_once > 1 else []), f"recipe={name}", *map(shlex.quote, overrides)]
    for line in go_on(again, failed):
        tell(line)
    return status


def run_all(name: str, swept: Sweep, asked: list[str], folder: Path, beside: list[dict[str, str]], failed: dict[str, str]) -> int:
    """Run the jobs of a sweep that are left, and note which fail, and how; returns the first status that is not 0."""
    status = 0
    for job, ended in run_jobs(left(name, swept, asked, folder), beside):
        number = int(job.name) - 1
        path = Path(swept.runs[number])
        swept.done[number] = ended.status == 0
        if swept.runs[number] and path.is_dir() and not any(path.iterdir()):
            path.rmdir()
            swept.runs[number] = ""
        swept.write(folder)
        how = f"status {ended.status}{f', {path}' if swept.runs[number] else ''}{f'; it says why in {job.log}' if job.log else ''}"
        if job.log:
            tell(f"job {job.name} of {len(swept.words)}: {how if ended.status else f'done, {path}'}")
        if ended.status:
            failed[" ".join(swept.words[number])] = how
        status = 128 + ended.received if ended.received else status or ended.status
    if status and (rest := sum(not done for done in swept.done) - len(failed)):
        failed[f"{rest} more"] = "not begun"
    return status


def left(name: str, swept: Sweep, asked: list[str], folder: Path) -> Iterator[Job]:
    """The jobs of a sweep that have not finished, each once its turn comes; where it writes, which may be ``asked`` for, is noted."""
    named = directories(swept.recipe, swept.words)
    for number, (words, run) in enumerate(zip(swept.words, asked, strict=True)):
        known = swept.runs[number]
        shown = " ".join(f"run={run}" if word.startswith("run=") else word for word in words)
        tell(f"job {number + 1} of {len(swept.words)}: {shown}{f': done already, {known}' if swept.done[number] else ''}")
        if swept.done[number]:
            continue
        path = Path(known or run) if known or run else reserve(named[number])  # made here, so that it is known here
        there = (path / "config.yaml").exists()
        if known or not there:  # what is there and no part of this sweep, the job refuses
            swept.runs[number] = str(path)
            swept.write(folder)
        begin = ["train", f"recipe={name}", *(word for word in words if not word.startswith("run=")), at(path)]
        yield Job(str(number + 1), ["resume", str(path)] if known and there else begin, folder / f"job-{number + 1}.log")


def expand(overrides: list[str]) -> list[list[str]]:
    """The overrides of each job of a sweep: one for each combination of ``key=a,b`` values.

    Raises:
        UserError: an override cannot be parsed, or its values are not written out.
    """
    choices = []
    for override in parse(overrides):
        if override.value_type in ENDLESS:
            raise UserError(f"cannot sweep {override.input_line!r}: write the values out, key=a,b")
        if override.is_sweep_override():
            values = itertools.islice(override.sweep_string_iterator(), MANY + 1)
            choices.append([f"{override.get_key_element()}={value}" for value in values])
        else:
            choices.append([override.input_line])
    if math.prod(map(len, choices)) > MANY:
        raise UserError(f"that sweep has over {MANY:,} jobs; write fewer values")
    return [list(job) for job in itertools.product(*choices)]


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
