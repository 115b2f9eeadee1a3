"""From a tuned run on disk to a model that answers."""

from pathlib import Path

import torch
from iwm_data.folder import Folder
from iwm_data.hub import Hub

from iwm_core.interfaces.errors import UserError
from iwm_core.process.launch import choose_device
from iwm_core.run.checkpoint import load_weights
from iwm_core.run.directory import Run
from iwm_core.run.saved import read_state
from iwm_tasks.tuning.model import Lesson, build_tuned
from iwm_tasks.tuning.recipe import TuneRecipe
from iwm_tasks.tuning.tuned import Tuned
from iwm_tasks.tuning.world_model import world_model_parts


def load_tuned(run: Run, recipe: TuneRecipe, device: str, checkpoint: Path | None = None) -> Tuned:
    """The tuned model of a run whose recipe is thawed already, as it is in a checkpoint, or in the newest.

    Raises:
        UserError: it has no checkpoint, or one that cannot be read.
    """

    def read(checkpoint: Path) -> Tuned:
        state = read_state(checkpoint, outputs=dict[str, list[str]])
        for name in recipe.tasks:
            if name not in state["outputs"]:
                raise UserError(f"{checkpoint / 'state.json'} knows no task {name}; put back the config.yaml it was trained with")
        learned = {name: Lesson(task, tuple(state["outputs"][name])) for name, task in recipe.tasks.items()}
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)  # whatever the caller computes with besides
        try:
            with torch.random.fork_rng(devices=[]):
                model = build_tuned(recipe.protocol, recipe.heads, learned, world_model_parts(recipe.world_model, restored=True))
        finally:
            torch.set_default_dtype(default)
        load_weights(checkpoint, model)
        white = recipe.data.white if isinstance(recipe.data, Folder | Hub) else None  # so that files look as those that were learned from
        return Tuned(model, learned, model.image_size, checkpoint, state["step"], choose_device(device), white)

    return read(checkpoint) if checkpoint is not None else run.read_newest(read)
