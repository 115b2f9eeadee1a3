"""What the verb ``tune`` does, once the command line is read."""

from typing import Any

import torch

from iwm_core.data.order import Schedule, parts_of
from iwm_core.data.reading import open_split
from iwm_core.data.training import open_training
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import kind_of
from iwm_core.process.display import make_display
from iwm_core.process.launch import check_devices, processes_of
from iwm_core.recipe.compose import compose
from iwm_core.recipe.overrides import checkpoint_in
from iwm_core.recipe.thaw import thaw
from iwm_core.training.starting import begin
from iwm_tasks.tuning.augment import check_augment, check_shares
from iwm_tasks.tuning.batches import check_targets, part_of
from iwm_tasks.tuning.begun_from import source_of
from iwm_tasks.tuning.kind import WORLD_MODEL, Tuning
from iwm_tasks.tuning.model import lessons
from iwm_tasks.tuning.recipe import TuneRecipe
from iwm_tasks.tuning.tune import build, check_outputs


def start(path: str, name: str, overrides: list[str]) -> int:
    """``iwm tune``: tune a world model in a new run and measure it; what can be checked is checked before the directory is made."""
    display = make_display()
    checkpoint, overrides = checkpoint_in(overrides)
    config, notes = check(path, name, overrides, checkpoint)
    return begin(config, "tune", notes, display)


def check(path: str, name: str, overrides: list[str], checkpoint: str | None = None) -> tuple[Any, list[str]]:
    """The config of a tuning of the run at ``path`` by a recipe, checked as far as can be without training; and notes for the user.

    Raises:
        UserError: something does not fit.
    """
    source, data = source_of(path, checkpoint)
    config, notes = compose(name, overrides, {"data": {WORLD_MODEL: data}})
    if kind_of(config).name != Tuning.name:
        raise UserError(f"the recipe {name!r} trains a world model: iwm train recipe={name}; to tune one, choose such as tune/predictor")
    config.world_model = source
    recipe: TuneRecipe = thaw(config)
    check_devices(recipe.launch)
    if recipe.launch.shard != "none":
        raise UserError("iwm tune keeps the whole model in each process; use launch.shard=none, and launch.checkpoint_activations=true")
    parts = parts_of(recipe.train.batch_size, processes_of(recipe.launch), recipe.launch.accumulate)
    check_shares(recipe.augment, recipe.tasks, recipe.train.batch_size // parts)
    images = part_of(open_training(recipe.data), recipe.train.train_images)
    validation = open_split(recipe.data, "validation")
    with torch.random.fork_rng(devices=[]):
        model, learned = build(recipe, images, restored=False)
    check_augment(recipe.augment, recipe.tasks, model.image_size)
    outputs = {task: lesson.outputs for task, lesson in learned.items()}
    notes += check_targets(images, recipe.tasks, outputs, "train")
    check_outputs(outputs, lessons(recipe.tasks, validation))
    notes += check_targets(validation, recipe.tasks, outputs, "validation")
    notes += [note for note in validation.notes if note not in images.notes]  # training tells those of its images
    Schedule(recipe.train.seed, len(images), recipe.train.batch_size, parts)  # last: a batch is mended more easily than data is
    return config, notes
