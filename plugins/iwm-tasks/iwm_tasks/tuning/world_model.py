"""The world model that is tuned: where it comes from, and its parts."""

from functools import partial
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import recipe_actions
from iwm_core.model.world_model import build_model
from iwm_core.recipe.shapes import fitting
from iwm_core.recipe.thaw import thaw
from iwm_core.run.checkpoint import load_weights
from iwm_core.run.saved import step_of
from iwm_tasks.interfaces import WorldModelParts
from iwm_tasks.tuning.begun_from import Source, check_same


def world_model_parts(source: dict[str, Any], restored: bool) -> WorldModelParts:
    """The parts of a world model; without its weights where a checkpoint's follow (``restored``).

    Raises:
        UserError: its weights cannot be read, or are no longer those that the tuning has begun from.
    """
    try:
        kept: Source = fitting(source, Source, "world_model")
        if step_of(kept["checkpoint"]) < 0:
            raise ValueError(f"world_model.checkpoint is {kept['checkpoint'][:60]!r}, not step_N")
    except ValueError as error:
        raise UserError(f"the recipe does not know a world model: {error}") from error
    try:
        recipe = thaw(kept["config"])
    except UserError as error:
        raise UserError(f"the world model {kept['run']}, by its config.yaml: {error}") from error
    model = build_model(recipe, restored=True)
    if not restored:
        load_weights(check_same(kept), model)
    action = len(recipe_actions(recipe).labels)
    fresh = partial(recipe.predictor.build, model.teacher.width, model.teacher.grid, action)
    return WorldModelParts(model.teacher, model.predictor, fresh, action, recipe.image_size)
