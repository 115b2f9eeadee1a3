"""Whether the parts of a pretraining fit together, to this machine and to the data: found before a run has a directory."""

import warnings

import torch

from iwm_core.data.order import Schedule, parts_of
from iwm_core.data.reading import open_split
from iwm_core.data.training import open_training
from iwm_core.interfaces import Draws
from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import check_views, recipe_actions
from iwm_core.model.world_model import build_model
from iwm_core.process.launch import check_devices, processes_of
from iwm_core.recipe.config import Recipe, steps_of
from iwm_core.run.measuring import measurer


def check_fit(recipe: Recipe, restored: bool = False) -> None:
    """Build the model without memory and try selector and actions, to find a misfit before a run begins, or goes on (``restored``)."""
    check_devices(recipe.launch)
    check_views(recipe)
    parts_of(recipe.train.batch_size, processes_of(recipe.launch), recipe.launch.accumulate)
    with torch.device("meta"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "for .*: copying from a non-meta parameter")  # pretrained weights have no place to go here
        model = build_model(recipe, restored)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError(f"nothing is trained: the encoder is frozen, and predictor={recipe.predictor.name} has no weights; choose another")
    draws = Draws(0, 0, torch.arange(2))
    side = recipe.view.canvas or recipe.image_size
    try:
        for name, evaluator in recipe.evaluators.items():
            steps_of(evaluator.every, 1, f"evaluators.{name}.every")
        recipe.targets.select(draws, model.student.grid)
        actions = recipe_actions(recipe)
        views = actions.views(torch.zeros(2, 3, side, side), actions.sample(draws), recipe.view.source_from)
    except ValueError as error:
        raise UserError(str(error)) from error
    for made in {tuple(view.shape[2:]) for view in (views.source, views.target)} - {(recipe.image_size, recipe.image_size)}:
        raise UserError(
            f"the actions make images of {made[0]} x {made[1]} pixels, but image_size is {recipe.image_size}; "
            f"set the cropping action's size to it (actions.crop.size={recipe.image_size}), or view.canvas"
        )


def check_data(recipe: Recipe) -> None:
    """Open what the run will read, so that a wrong path is found before a run exists; a `UserError` where a split cannot be opened, is
    smaller than a batch, or no installed plugin measures what is to be measured."""
    images = open_training(recipe.data)
    if recipe.evaluators:
        measurer()
        open_split(recipe.data, "validation")
    Schedule(recipe.train.seed, len(images), recipe.train.batch_size, processes_of(recipe.launch) * recipe.launch.accumulate)
