"""From a run on disk to a model that can be used: its newest checkpoint, frozen."""

from pathlib import Path

import torch
from iwm_data.folder import Folder
from iwm_data.hub import Hub
from iwm_tasks.tuning.model import Lesson, build_tuned
from iwm_tasks.tuning.recipe import TuneRecipe
from iwm_tasks.tuning.source import world_model_parts
from iwm_tasks.tuning.tuned import Tuned

from iwm_core.interfaces.errors import UserError
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.world_model import build_model
from iwm_core.process.launch import choose_device
from iwm_core.recipe.config import Recipe
from iwm_core.recipe.thaw import thaw
from iwm_core.run.checkpoint import load_weights
from iwm_core.run.directory import Run
from iwm_core.run.saved import read_state


def load_run(path: str, device: str, checkpoint: str | None = None) -> FrozenModel | Tuned:
    """The model of a run: a world model, or one that was tuned for tasks."""
    run = Run.open(path, checkpoint)
    with run.blamed():
        recipe = thaw(run.config())
    return load_tuned(run, recipe, device) if isinstance(recipe, TuneRecipe) else load_world_model(run, recipe, device)


def load_world_model(run: Run, recipe: Recipe, device: str, checkpoint: Path | None = None) -> FrozenModel:
    """The world model of a run whose recipe is thawed already, as it is in a checkpoint, or in the newest.

    Raises:
        UserError: it has no checkpoint, or one that cannot be read.
    """
    place = choose_device(device)

    def read(checkpoint: Path) -> FrozenModel:
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers do not depend on how often it loads
            model = build_model(recipe, restored=True)
        load_weights(checkpoint, model)
        return FrozenModel(recipe, model.eval().requires_grad_(False).to(place), checkpoint, read_state(checkpoint)["step"], place)

    return read(checkpoint) if checkpoint is not None else run.read_newest(read)


def load_tuned(run: Run, recipe: TuneRecipe, device: str, checkpoint: Path | None = None) -> Tuned:
    """The tuned model of a run whose recipe is thawed already, as it is in a checkpoint, or in the newest.

    Raises:
        UserError: it has no checkpoint, or one that cannot be read.
    """

    def read(checkpoint: Path) -> Tuned:
        state = read_state(checkpoint, "outputs")
        for name in recipe.tasks:
            if name not in state["outputs"]:
                raise UserError(f"{checkpoint / 'state.json'} knows no task {name}; put back the config.yaml it was trained with")
        learned = {name: Lesson(task, tuple(state["outputs"][name])) for name, task in recipe.tasks.items()}
        with torch.random.fork_rng(devices=[]):
            model = build_tuned(recipe.protocol, recipe.heads, learned, world_model_parts(recipe.world_model, restored=True))
        load_weights(checkpoint, model)
        white = recipe.data.white if isinstance(recipe.data, Folder | Hub) else None  # so that files look as those that were learned from
        return Tuned(model, learned, model.image_size, checkpoint, state["step"], choose_device(device), white)

    return read(checkpoint) if checkpoint is not None else run.read_newest(read)
