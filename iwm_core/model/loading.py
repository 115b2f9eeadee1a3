"""From a run on disk, or an address, to a model that can be used: its newest checkpoint, frozen."""

from pathlib import Path
from typing import Any

import torch

from iwm_core.model.frozen import FrozenModel
from iwm_core.model.world_model import build_model
from iwm_core.plugins.kinds import kind_of
from iwm_core.plugins.sources import fetched
from iwm_core.process.launch import choose_device
from iwm_core.recipe.config import Recipe
from iwm_core.recipe.thaw import thaw
from iwm_core.run.checkpoint import load_weights
from iwm_core.run.directory import Run
from iwm_core.run.saved import read_state


def load_run(path: str, device: str, checkpoint: str | None = None) -> Any:
    """The model of a run, as its kind gives it: a world model, or one that was tuned for tasks."""
    run = Run.open(fetched(path), checkpoint)
    with run.blamed():
        config = run.config()
        recipe = thaw(config)
    return kind_of(config).load(run, recipe, device)


def load_world_model(run: Run, recipe: Recipe, device: str, checkpoint: Path | None = None) -> FrozenModel:
    """The world model of a run whose recipe is thawed already, as it is in a checkpoint, or in the newest; a `UserError` where it has no
    checkpoint, or one that cannot be read."""
    place = choose_device(device)

    def read(checkpoint: Path) -> FrozenModel:
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers do not depend on how often it loads
            model = build_model(recipe, restored=True)
        load_weights(checkpoint, model)
        return FrozenModel(recipe, model.eval().requires_grad_(False).to(place), checkpoint, read_state(checkpoint)["step"], place)

    return read(checkpoint) if checkpoint is not None else run.read_newest(read)
