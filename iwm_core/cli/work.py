"""What the verbs ``train``, ``resume`` and ``eval`` do, once the command line is read; ``tune`` begins in `iwm_tasks.tuning.work`.

A run is composed once, frozen into its directory and read back from there; training, here or in several processes, starts from it.
"""

import os
import shlex
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from iwm_tasks.tuning.cost import read_cost
from iwm_tasks.tuning.recipe import TuneRecipe
from iwm_tasks.tuning.tune import evaluate_tasks, tune

from iwm_core.data.loader import Schedule, parts_of
from iwm_core.data.training import open_split
from iwm_core.evaluation.evaluate import evaluate, missing_evaluations
from iwm_core.interfaces import Draws
from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import check_views, recipe_actions
from iwm_core.model.loading import load_tuned
from iwm_core.model.world_model import build_model
from iwm_core.process.display import Display, SilentDisplay, make_display
from iwm_core.process.launch import choose_device, spawn
from iwm_core.recipe.change import change
from iwm_core.recipe.compose import compose
from iwm_core.recipe.config import Launch, Recipe, steps_of
from iwm_core.recipe.overrides import ON_RESUME, allowed_to, checkpoint_in
from iwm_core.recipe.schema import TUNING, schema_of
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import Run
from iwm_core.run.lock import writer
from iwm_core.run.new_run import new_run
from iwm_core.run.saved import read_state
from iwm_core.training.mending import go_back, mend
from iwm_core.training.pretraining import train


def start(name: str, overrides: list[str]) -> int:
    """``iwm train``: train a recipe in a new run and measure it; what can be checked is checked before the directory is made."""
    display = make_display()
    config, notes = composed(name, overrides)
    recipe = thaw(config)
    check_fit(recipe)
    check_data(recipe)
    with new_run(config, "train", display.warn) as run:
        display.say(str(run.path))  # alone on the first line, for scripts
        for note in notes:
            display.warn(note)
        return carry_on(run, thaw(run.config()), None, [], display)


def composed(name: str, overrides: list[str]) -> tuple[Any, list[str]]:
    """A recipe that trains a world model, with overrides applied, and notes for the user.

    Raises:
        UserError: it tunes one, or cannot be composed.
    """
    config, notes = compose(name, overrides)
    if schema_of(config) is TUNING:
        raise UserError(f"the recipe {name!r} tunes a world model, which is a run: iwm tune RUN recipe={name}")
    return config, notes


def resume(path: str, overrides: list[str]) -> int:
    """``iwm resume``: go on with a run where its newest checkpoint is, or the one that is named; a finished run is left as it is."""
    display = make_display()
    named, overrides = checkpoint_in(overrides)
    run = Run.open(path)
    with nullcontext() if overrides else run.blamed():
        recipe = changed(run.config(), overrides, ON_RESUME, "resume")
    display.say(str(run.path))  # alone on the first line, for scripts
    if named is None and run.latest() is not None and run.read_newest(lambda newest: is_complete(run, recipe, newest)):
        display.say(f"finished at step {run.newest().name.removeprefix('step_')}; nothing to do")
        return 0
    with writer(run.path, "resume", display.warn):
        for note in [*(go_back(run, named) if named else []), *mend(run, measures(recipe))]:
            display.warn(note)
        checkpoint = run.latest()  # once, for all that follows
        if isinstance(recipe, Recipe) and not finished(run, recipe, checkpoint):
            check_fit(recipe, restored=checkpoint is not None)
        display.say(f"continuing from {checkpoint.name if checkpoint else 'the start'}")
        return carry_on(run, recipe, checkpoint, overrides, display)


def measure(path: str, overrides: list[str]) -> int:
    """``iwm eval``: run evaluators on a run's newest checkpoint, or on the one that is named."""
    display = make_display()
    checkpoint, overrides = checkpoint_in(overrides)
    run = Run.open(path, checkpoint)
    config = run.config()
    with nullcontext() if overrides else run.blamed():
        recipe = changed(config, overrides, allowed_to("eval", schema_of(config)), "eval")
    if isinstance(recipe, Recipe) and not recipe.evaluators:
        raise UserError("the recipe has no evaluators; add evaluators=[NAME], `iwm components evaluator` lists what is installed")
    measure_run(run, recipe, display, measures(recipe), own=thaw(config))
    tell_next(run, recipe, display)
    return 0


def changed(config: Any, overrides: list[str], allowed: tuple[str, ...], verb: str) -> Any:
    """The recipe of a run's frozen config after overrides.

    Raises:
        UserError: they cannot be applied, or are of data that shows another action than the model was trained with.
    """
    recipe = thaw(change(config, overrides, allowed, verb))
    if isinstance(recipe, Recipe) and any(word.startswith("data") for word in overrides):
        before, now = (source.observed for source in (thaw(config).data, recipe.data))
        if (before and before.labels) != (now and now.labels):
            has = f"shows {', '.join(now.labels)}" if now else "shows none"
            raise UserError(
                f"this model was trained {'with' if before else 'without'} an observed action"
                f"{' (' + ', '.join(before.labels) + ')' if before else ''}, and data={recipe.data.name} {has}; "
                f"iwm {verb} needs data of the same kind, `iwm tune` takes any"
            )
    return recipe


def check_fit(recipe: Recipe, restored: bool = False) -> None:
    """Build the model without memory and try selector and actions, to find a misfit before a run begins, or goes on (``restored``).

    Raises:
        UserError: parts of the recipe do not fit together, or to this machine.
    """
    check_devices(recipe.launch)
    check_views(recipe)
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
        actions = recipe_actions(recipe)
        views = actions.views(torch.zeros(2, 3, side, side), actions.sample(draws), recipe.view.source_from)
    except ValueError as error:
        raise UserError(str(error)) from error
    for made in {tuple(view.shape[2:]) for view in (views.source, views.target)} - {(recipe.image_size, recipe.image_size)}:
        raise UserError(
            f"the actions make images of {made[0]} x {made[1]} pixels, but image_size is {recipe.image_size}; "
            f"set the cropping action's size to it (actions.crop.size={recipe.image_size}), or view.canvas"
        )


def check_devices(launch: Launch) -> None:
    """Check that there is the device that is asked for, or one for each process.

    Raises:
        UserError: there is not.
    """
    device = choose_device(launch.device)
    if device.type != "cpu" and launch.processes > torch.accelerator.device_count():
        raise UserError(
            f"launch.processes={launch.processes} needs a device for each, but there are {torch.accelerator.device_count()}; "
            f"use launch.processes={torch.accelerator.device_count()}"
        )


def check_data(recipe: Recipe) -> None:
    """Open what the run will read, so that a wrong path is found before a run exists.

    Raises:
        UserError: a split cannot be opened, or is smaller than a batch.
    """
    Schedule(recipe.train.seed, len(open_split(recipe.data, "train")), recipe.train.batch_size)
    if recipe.evaluators:
        open_split(recipe.data, "validation")


def carry_on(run: Run, recipe: Recipe | TuneRecipe, checkpoint: Path | None, overrides: list[str], display: Display) -> int:
    """Train a run from a checkpoint (None: the start) to its end, here or in several processes, and measure it.

    ``overrides`` are those on its frozen config. The caller is the run's one writer.
    """
    if not finished(run, recipe, checkpoint):
        if recipe.launch.processes > 1:
            status = spawn(run.path, [*overrides, *([f"checkpoint={checkpoint.name}"] if checkpoint else [])], recipe.launch.processes)
            if status:
                return status
        else:
            train_here(run, recipe, checkpoint, display)
        checkpoint = run.newest()
    assert checkpoint is not None, "training ends with one"
    missing = missing_evaluations(run, recipe, measures(recipe), checkpoint)
    if missing:
        measure_run(run, recipe, display, missing, checkpoint)
    display.say(f"done: {run.path}")
    tell_next(run, recipe, display)
    return 0


def measure_run(
    run: Run, recipe: Recipe | TuneRecipe, display: Display, names: list[str], checkpoint: Path | None = None, own: Any = None
) -> None:
    """Measure a checkpoint of a run, or its newest: a world model with the evaluators of these names, a tuned one on all of its tasks.

    ``own``: the recipe as the run has it, where ``recipe`` may differ.
    """
    if isinstance(recipe, TuneRecipe):
        evaluate_tasks(run, recipe, load_tuned(run, recipe, recipe.launch.device, checkpoint), display, own)
    else:
        evaluate(run, recipe, display, names, checkpoint, own)


def measures(recipe: Recipe | TuneRecipe) -> list[str]:
    """By what a run is measured at its end: evaluators or tasks."""
    return list(recipe.tasks if isinstance(recipe, TuneRecipe) else recipe.evaluators)


def tell_next(run: Run, recipe: Recipe | TuneRecipe, display: Display) -> None:
    """What a user wants to do once a run is measured."""
    words = ["predict", str(run.path), "IMAGES"] if isinstance(recipe, TuneRecipe) else ["report", str(run.path)]
    display.say(f"next: {shlex.join(['iwm', *words])}")


def train_here(run: Run, recipe: Recipe | TuneRecipe, checkpoint: Path | None, display: Display) -> None:
    """Pretrain or tune, where a device whose memory does not suffice is the user's to mend."""
    try:
        tune(run, recipe, checkpoint, display) if isinstance(recipe, TuneRecipe) else train(run, recipe, checkpoint, display)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"the device has too little memory ({str(error).splitlines()[0][:120]}); compute fewer images at once with a larger "
            f"launch.accumulate (now {recipe.launch.accumulate}), or keep them elsewhere (data.cache), then iwm resume {run.path}"
        ) from error


def is_complete(run: Run, recipe: Recipe | TuneRecipe, checkpoint: Path) -> bool:
    """Whether nothing is left to train or to measure."""
    return finished(run, recipe, checkpoint) and not missing_evaluations(run, recipe, measures(recipe), checkpoint)


def finished(run: Run, recipe: Recipe | TuneRecipe, checkpoint: Path | None) -> bool:
    """Whether a run's newest checkpoint is its last; of a tuning, also whether its cost is written, which comes after it."""
    if checkpoint is None:
        return False
    state = read_state(checkpoint)
    return state["step"] >= state["steps"] and not (isinstance(recipe, TuneRecipe) and read_cost(run.path) is None)


def work_here(path: str, overrides: list[str], quiet: bool) -> int:
    """The training of one of several processes."""
    run, display = Run.open(path), SilentDisplay() if quiet else make_display()
    named, overrides = checkpoint_in(overrides)
    recipe = changed(run.config(), overrides, ON_RESUME, "resume")
    locks = "IWM_OUTCOME" not in os.environ and not quiet  # started by torchrun: else the parent has the lock
    with writer(run.path, "train", display.warn) if locks else nullcontext():
        checkpoint = run.checkpoints / named if named else run.latest()
        train_here(run, recipe, checkpoint, display)
    return 0
