"""Starting and resuming a run of any kind, and the part that one of several processes takes.

A run is composed once, frozen into its directory and read back from there; training, here or in several processes, starts from it.
"""

import shlex
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import RunKind
from iwm_core.plugins.kinds import kind_of, kind_with
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import Display, make_display
from iwm_core.process.launch import choose_device, starter
from iwm_core.process.launched import led
from iwm_core.process.shown import as_word
from iwm_core.process.signals import ending_in_a_line
from iwm_core.recipe.compose import compose
from iwm_core.recipe.overrides import ON_RESUME, checkpoint_in
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import Run
from iwm_core.run.lock import writer
from iwm_core.run.measuring import unmeasured
from iwm_core.run.new_run import new_run
from iwm_core.run.saved import read_state
from iwm_core.training.change import change
from iwm_core.training.mending import go_back, mend


def start(name: str, overrides: list[str]) -> int:
    """``iwm train``: train a recipe in a new run and measure it; what can be checked is checked before the directory is made."""
    config, notes = composed(name, overrides)
    kind_of(config).check(thaw(config))
    return begin(config, "train", notes, make_display())


def begin(config: Any, verb: str, notes: list[str], display: Display) -> int:
    """Freeze a composed config that is checked in a new run, train and measure it; returns the exit status."""
    decided = settle(config)
    with new_run(config, verb, display.warn) as run, ending_in_a_line(f"continue with `iwm resume {as_word(run.path)}`"):
        display.say(str(run.path))  # alone on the first line, for scripts
        if decided:
            display.say(decided)
        for note in notes:
            display.warn(note)
        return carry_on(run, thaw(run.config()), None, [], display)


def settle(config: Any) -> str:
    """Put what ``launch.precision=auto`` stands for here into a config, for all processes and resumes; returns what was decided."""
    if config.launch.precision != "auto":
        return ""
    device, kind = choose_device(config.launch.device), kind_of(config)
    timer = load_plugins().only("iwm_precisions", "launch.precision=auto times a pass of the model")
    config.launch.precision, why = timer.faster_precision(device, lambda: kind.trial(thaw(config), device))
    return f"launch.precision=auto: {config.launch.precision}, as {why}"


def composed(name: str, overrides: list[str]) -> tuple[Any, list[str]]:
    """A recipe that `iwm train` begins, with overrides applied, and notes for the user; a `UserError` where another verb begins it, or it
    cannot be composed."""
    config, notes = compose(name, overrides)
    begun_by = kind_of(config).begun_by
    if begun_by != RunKind.begun_by:
        raise UserError(f"the recipe {name!r} is one of {kind_of(config).name}, which is begun by: {begun_by.format(name)}")
    return config, notes


def check_anywhere(recipe: Any) -> None:
    """What `start` checks of a recipe, as far as it depends neither on this machine's devices nor on data; a `UserError` where its parts do
    not fit together."""
    launch = replace(recipe.launch, device="cpu", precision="fp32")
    kind_with(recipe).check_resumed(replace(recipe, launch=launch), restored=True)


def resume(path: str, overrides: list[str]) -> int:
    """``iwm resume``: go on with a run where its newest checkpoint is, or the one that is named; a finished run is left as it is."""
    display = make_display()
    named, overrides = checkpoint_in(overrides)
    overrides = [*(f"launch.processes={group.size}" for group in led), *overrides]  # a launcher's, not those of before
    run = Run.open(path)
    config = run.config()
    kind = kind_of(config)
    with nullcontext() if overrides else run.blamed():
        recipe = changed(config, overrides, ON_RESUME, "resume")
    display.say(str(run.path))  # alone on the first line, for scripts
    if (
        named is None
        and run.latest() is not None
        and run.read_newest(lambda newest: finished(run, kind, newest) and not unmeasured(run, recipe, newest))
    ):
        display.say(f"finished at step {run.newest().name.removeprefix('step_')}; nothing to do")
        return 0
    with writer(run.path, "resume", display.warn), ending_in_a_line(f"continue with `iwm resume {as_word(run.path)}`"):
        for note in [*(go_back(run, named) if named else []), *mend(run, kind.measures(recipe))]:
            display.warn(note)
        checkpoint = run.latest()  # once, for all that follows
        if not finished(run, kind, checkpoint):
            kind.check_resumed(recipe, restored=checkpoint is not None)
        display.say(f"continuing from {checkpoint.name if checkpoint else 'the start'}")
        if checkpoint and run.edited:
            display.warn(f"config.yaml was edited: what it says holds from {checkpoint.name} on, all before was made without it")
        return carry_on(run, recipe, checkpoint, overrides, display)


def changed(config: Any, overrides: list[str], allowed: tuple[str, ...], verb: str) -> Any:
    """The recipe of a run's frozen config after overrides; a `UserError` where they cannot be applied, or are of data that means something
    else."""
    recipe = thaw(change(config, overrides, allowed, verb))
    if recipe.launch.precision == "auto":
        raise UserError(f"launch.precision=auto is decided when a run starts; for iwm {verb}, write launch.precision=fp32 or bf16")
    kind_of(config).check_change(thaw(config), recipe, verb)
    return recipe


def carry_on(run: Run, recipe: Any, checkpoint: Path | None, overrides: list[str], display: Display) -> int:
    """Train a run from a checkpoint (None: the start) to its end, here or in several processes, and measure it.

    ``overrides`` are those on its frozen config. The caller is the run's one writer.
    """
    kind = kind_with(recipe)
    if not finished(run, kind, checkpoint):
        words = [*overrides, *([f"checkpoint={checkpoint.name}"] if checkpoint else [])]
        for group in led:
            group.announce(str(run.path.absolute()), words)
        if led or recipe.launch.processes == 1:
            train_here(run, recipe, checkpoint, display)
        elif status := starter().spawn(run.path, words, recipe.launch.processes):
            return status
        checkpoint = run.newest()
    assert checkpoint is not None, "training ends with one"
    if missing := unmeasured(run, recipe, checkpoint):
        kind.measure(run, recipe, missing, display, checkpoint)
    display.say(f"done: {run.path}")
    tell_next(run, kind, display)
    return 0


def tell_next(run: Run, kind: RunKind, display: Display) -> None:
    """What a user wants to do once a run is measured."""
    words = (as_word(word) if word == str(run.path) else shlex.quote(word) for word in kind.next_words(run))
    display.say(f"next: iwm {' '.join(words)}")


def train_here(run: Run, recipe: Any, checkpoint: Path | None, display: Display) -> None:
    """Train in this process, where a device whose memory does not suffice is the user's to mend."""
    try:
        kind_with(recipe).train(run, recipe, checkpoint, display)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"the device has too little memory ({str(error).splitlines()[0][:120]}); compute fewer images at once with a larger "
            f"launch.accumulate (now {recipe.launch.accumulate}), or keep them elsewhere (data.cache), then iwm resume {as_word(run.path)}"
        ) from error


def finished(run: Run, kind: RunKind, checkpoint: Path | None) -> bool:
    """Whether a run's newest checkpoint is its last, as far as an unchanged config tells, and what its kind does after that is done."""
    if checkpoint is None:
        return False
    state = read_state(checkpoint)
    return state["step"] >= state["steps"] and not run.edited and kind.finished(run)


def work_here(path: str, overrides: list[str], quiet: bool) -> int:
    """The training of one of several processes, of which another is the run's writer."""
    run, display = Run.open(path), Display() if quiet else make_display()
    named, overrides = checkpoint_in(overrides)
    recipe = changed(run.config(), overrides, ON_RESUME, "resume")
    train_here(run, recipe, run.checkpoints / named if named else run.latest(), display)
    return 0
