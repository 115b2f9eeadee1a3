"""What the verbs ``train``, ``resume`` and ``eval`` do, once the command line is read.

A run is composed once, frozen into its directory and read back from there; training, here or in several processes, starts from it.
"""

import shlex
import sys
import warnings
from pathlib import Path

import torch

from iwm_core.actions import ActionSequence
from iwm_core.change import change
from iwm_core.checkpoint import read_state
from iwm_core.compose import compose, expand
from iwm_core.config import Recipe, steps_of
from iwm_core.data.loader import Schedule, parts_of
from iwm_core.data.training import open_split
from iwm_core.display import Display, SilentDisplay, make_display
from iwm_core.errors import UserError
from iwm_core.evaluate import evaluate, missing_evaluations
from iwm_core.interfaces import Draws
from iwm_core.launch import choose_device, spawn
from iwm_core.report import write_report
from iwm_core.report.naming import common_folder
from iwm_core.run import Run, free_directory
from iwm_core.signals import Children
from iwm_core.thaw import thaw
from iwm_core.train import train
from iwm_core.world_model import build_model

ON_RESUME = ("launch", "data")
"""What may change when a run goes on: how it is computed, and where its images lie now."""


def start(name: str, overrides: list[str]) -> int:
    """``iwm train``: train a recipe in a new run and measure it; what can be checked is checked before the directory is made."""
    display = make_display()
    config, notes = compose(name, overrides)
    recipe = thaw(config)
    check_fit(recipe)
    check_data(recipe)
    run = Run.create(config)
    display.say(str(run.path))  # alone on the first line, for scripts
    for note in notes:
        display.warn(note)
    return carry_on(run, thaw(run.config()), [], display)


def resume(path: str, overrides: list[str]) -> int:
    """``iwm resume``: go on with a run where its newest checkpoint is; a finished run is left as it is."""
    display = make_display()
    run = Run.open(path)
    recipe = thaw(change(run.config(), overrides, ON_RESUME, "resume"))
    display.say(str(run.path))  # alone on the first line, for scripts
    checkpoint = run.latest()
    if checkpoint is not None and finished(run) and not missing_evaluations(run, recipe):
        display.say(f"finished at step {read_state(checkpoint)['step']}; nothing to do")
        return 0
    if not finished(run):
        check_fit(recipe, restored=checkpoint is not None)
    display.say(f"continuing from {checkpoint.name if checkpoint else 'the start'}")
    return carry_on(run, recipe, overrides, display)


def measure(path: str, overrides: list[str]) -> int:
    """``iwm eval``: run evaluators on a run's newest checkpoint."""
    display = make_display()
    run = Run.open(path)
    recipe = thaw(change(run.config(), overrides, ("evaluators", "data", "launch"), "eval"))
    if not recipe.evaluators:
        raise UserError("the recipe has no evaluators; add evaluators=[NAME], `iwm components evaluator` lists what is installed")
    evaluate(run, recipe, display)
    tell_next(run, display)
    return 0


def sweep(name: str, overrides: list[str]) -> int:
    """``iwm train -m``: one process for each combination of ``key=a,b`` values, one after the other, and a report on all of them."""
    jobs = expand(overrides)
    taken: set[str] = set()
    for job in jobs:  # a mistake in the last job is found before the first one runs
        recipe = thaw(compose(name, job)[0])
        check_fit(recipe)
        if recipe.run in taken:
            raise UserError(f"several jobs would write to run={recipe.run}; leave it out, or name what differs: run='r${{train.seed}}'")
        taken |= {recipe.run} if recipe.run else set()
    runs: list[Path] = []
    try:
        return run_jobs(name, jobs, runs)
    finally:  # also on what is there when a job fails
        report_sweep(name, runs)


def run_jobs(name: str, jobs: list[list[str]], runs: list[Path]) -> int:
    """Run the jobs of a sweep and add the directory of each run that has begun to ``runs``; returns the first status that is not 0."""
    for number, job in enumerate(jobs, 1):
        print(f"job {number} of {len(jobs)}: {' '.join(job)}", flush=True)
        config = compose(name, job)[0]
        path = Path(config.run) if config.run else free_directory(config)  # made here, so that it is known here
        own = [] if config.run else ["run='" + str(path).replace("'", "\\'") + "'"]
        old = (path / "config.yaml").exists()
        with Children() as children:
            children.start([sys.executable, "-m", "iwm_core.cli", "train", f"recipe={name}", *job, *own])
            while children.watch():
                pass
        (status,) = children.statuses()
        if (path / "config.yaml").exists() and not old:
            runs.append(path)
        elif own and not any(path.iterdir()):
            path.rmdir()
        if children.received:
            return 128 + children.received
        if status:
            return status
    return 0


def report_sweep(name: str, runs: list[Path]) -> None:
    """Write the report of a sweep beside its runs, where it has any, and tell its path."""
    if not runs:
        return
    first = common_folder(runs) / f"{Path(name).name}-sweep.html"
    out, number = first, 1
    while out.exists():
        number += 1
        out = first.with_stem(f"{first.stem}-{number}")
    print(f"wrote {write_report(runs, out)}")


def check_fit(recipe: Recipe, restored: bool = False) -> None:
    """Build the model without memory and try selector and actions, to find a misfit before a run begins, or goes on (``restored``).

    Raises:
        UserError: parts of the recipe do not fit together, or to this machine.
    """
    device = choose_device(recipe.launch.device)
    if device.type != "cpu" and recipe.launch.processes > torch.accelerator.device_count():
        raise UserError(
            f"launch.processes={recipe.launch.processes} needs a device for each, but there are {torch.accelerator.device_count()}; "
            f"use launch.processes={torch.accelerator.device_count()}"
        )
    parts_of(recipe.train.batch_size, recipe.launch.processes, recipe.launch.accumulate)
    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "for .*: copying from a non-meta parameter")  # pretrained weights have no place to go here
        grid = build_model(recipe, restored).student.grid
    draws = Draws(0, 0, torch.arange(2))
    side = recipe.view.canvas or recipe.image_size
    try:
        for name, evaluator in recipe.evaluators.items():
            steps_of(evaluator.every, 1, f"evaluators.{name}.every")
        recipe.targets.select(draws, grid)
        actions = ActionSequence(recipe.actions)
        views = actions.views(torch.zeros(2, 3, side, side), actions.sample(draws), recipe.view.source_from)
    except ValueError as error:
        raise UserError(str(error)) from error
    for made in {tuple(view.shape[2:]) for view in (views.source, views.target)} - {(recipe.image_size, recipe.image_size)}:
        raise UserError(
            f"the actions make images of {made[0]} x {made[1]} pixels, but image_size is {recipe.image_size}; "
            f"set the cropping action's size to it (actions.crop.size={recipe.image_size}), or view.canvas"
        )


def check_data(recipe: Recipe) -> None:
    """Open what the run will read, so that a wrong path is found before a run exists.

    Raises:
        UserError: a split cannot be opened, or is smaller than a batch.
    """
    Schedule(recipe.train.seed, len(open_split(recipe.data, "train")), recipe.train.batch_size)
    if recipe.evaluators:
        open_split(recipe.data, "validation")


def carry_on(run: Run, recipe: Recipe, overrides: list[str], display: Display) -> int:
    """Train a run to its end, here or in several processes, and measure it; ``overrides`` are those on its frozen config."""
    if not finished(run):
        if recipe.launch.processes > 1:
            status = spawn(run.path, overrides, recipe.launch.processes)
            if status:
                return status
        else:
            train_here(run, recipe, display)
    missing = missing_evaluations(run, recipe)
    if missing:
        evaluate(run, recipe, display, missing)
    display.say(f"done: {run.path}")
    tell_next(run, display)
    return 0


def tell_next(run: Run, display: Display) -> None:
    """What a user wants to do once a run is measured."""
    display.say(f"next: {shlex.join(['iwm', 'report', str(run.path)])}")


def train_here(run: Run, recipe: Recipe, display: Display) -> None:
    """`train`, where a device whose memory does not suffice is the user's to mend."""
    try:
        train(run, recipe, display)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"the device has too little memory ({str(error).splitlines()[0][:120]}); compute fewer images at once with a larger "
            f"launch.accumulate (now {recipe.launch.accumulate}), or keep them elsewhere (data.cache), then iwm resume {run.path}"
        ) from error


def finished(run: Run) -> bool:
    """Whether the run's newest checkpoint is its last."""
    checkpoint = run.latest()
    if checkpoint is None:
        return False
    state = read_state(checkpoint)
    return state["step"] >= state["steps"]


def work_here(path: str, overrides: list[str], quiet: bool) -> int:
    """The training of one of several processes."""
    run = Run.open(path)
    recipe = thaw(change(run.config(), overrides, ON_RESUME, "resume"))
    train_here(run, recipe, SilentDisplay() if quiet else make_display())
    return 0
