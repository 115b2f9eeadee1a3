"""I-JEPA's reference checkpoints as runs: student, teacher and predictor are all in the file."""

from typing import Any

import torch

from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import build_model
from iwm_core.recipe.compose import compose
from iwm_core.recipe.config import Recipe
from iwm_core.recipe.thaw import thaw
from iwm_core.training.fits import check_fit
from iwm_interop.importing.command_line import WHOLE, Asked
from iwm_interop.importing.ijepa import LEFT_OUT, PARTS, Shape, encoder_keys, predictor_keys, shape_of
from iwm_interop.importing.keys import Taken
from iwm_interop.importing.ready import Ready
from iwm_interop.tensors import read_file, weights_of

LICENCE = "CC BY-NC 4.0"
"""Of the published weights of I-JEPA: not for commercial use."""
SOURCE = "https://github.com/facebookresearch/ijepa"


def ready(asked: Asked) -> Ready:
    """The run that a checkpoint becomes.

    Raises:
        UserError: the file is no such checkpoint, or the settings do not fit.
    """
    config, recipe, taken, notes = understood(read_file(asked.file), asked.overrides)
    return Ready("ijepa", asked.file, config, recipe, taken.weights, taken.report, notes, asked.licence or LICENCE, asked.source or SOURCE)


def understood(content: dict[str, Any], overrides: list[str]) -> tuple[Any, Recipe, Taken, list[str]]:
    """What a reference checkpoint becomes: the config and recipe of a run, its weights, and notes for the user.

    Raises:
        UserError: a key is missing, unknown or of another shape, or the settings do not fit.
    """
    found = {place: weights_of(content, place) for place in PARTS.values()}
    shape = shape_of(found["encoder"], found["predictor"])
    config, notes = compose(WHOLE, [*settings(shape, overrides), *overrides])
    recipe = thaw(config)
    check_fit(recipe, restored=True)
    with torch.device("meta"):
        wanted = build_model(recipe, restored=True).state_dict()
    taken = Taken()
    for part, place in PARTS.items():
        names = predictor_keys(shape.predictor_depth) if part == "predictor" else encoder_keys(shape.depth)
        taken.take(place, found[place], names, part, wanted)
    assert taken.weights.keys() == wanted.keys(), "what the model has is what the keys are renamed to"
    taken.leave_out(content, set(PARTS.values()), LEFT_OUT)
    return config, recipe, taken, notes


def settings(shape: Shape, overrides: list[str]) -> list[str]:
    """The overrides that make a recipe's model that of the weights.

    Raises:
        UserError: its heads are not known.
    """
    given = {key: value for key, _, value in (override.partition("=") for override in overrides)}
    heads = given.get("encoder.heads", shape.heads)
    if heads is None:
        raise UserError(
            f"an encoder of width {shape.width} with {shape.depth} blocks is none of the published ones, and weights do not tell "
            "the number of attention heads; say encoder.heads=N"
        )
    known = {**shape.settings(), "encoder.heads": heads, "predictor.heads": heads}
    return [f"{key}={value}" for key, value in known.items() if key not in given]
