"""An encoder that others have published as a run: student and teacher are its weights, the predictor is new.

Decisions:
- What the file does not tell comes from ``recipe=``, by default ``import/encoder``; the encoder is the file's, whatever the recipe has.
- The image size is the file's own, so that nothing is resampled, unless another is asked for.
"""

import math
from typing import Any

import torch

from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.compose import compose
from iwm_core.recipe.overrides import quoted
from iwm_core.recipe.thaw import thaw
from iwm_core.training.fits import check_fit
from iwm_interop.importing.command_line import Asked
from iwm_interop.importing.described import described
from iwm_interop.importing.encoders import read_encoder, weights_file
from iwm_interop.importing.fitting import fit
from iwm_interop.importing.layouts import Found
from iwm_interop.importing.ready import Ready
from iwm_interop.published import Published

CHOOSE = "say encoder=NAME, such as dinov2_vits14 or mae_vitb16"
MOST = 16
"""Prefix tokens that may have positions."""


def ready(asked: Asked) -> Ready:
    """The run that an encoder becomes.

    Raises:
        UserError: the file is no such encoder, its architecture is not told, or the settings do not fit.
    """
    found = read_encoder(asked.file)
    if found.layout != asked.of:
        raise UserError(f"{asked.file} has the names of {found.layout}, not of {asked.of}; write iwm import {found.layout} …")
    told = described(asked.file)
    given = {override.partition("=")[0].lstrip("+"): override for override in asked.overrides}
    settings = dict(told.settings)
    if "encoder" in given:  # a ready-made choice has the whole architecture
        settings = {key: value for key, value in settings.items() if not key.startswith("encoder.architecture.")}
    elif not settings and "encoder.architecture.model" not in given:
        raise UserError(f"{asked.file} does not tell its architecture; {CHOOSE}, or encoder.architecture.model=NAME by timm's name")
    settings["image_size"] = settings.get("image_size") or own_size(found)
    for key in ("licence", "source"):
        if value := getattr(asked, key) or getattr(told, key):
            settings[f"encoder.{key}"] = value
    words = [f"{key}={word(value)}" for key, value in settings.items() if key not in given]
    config, notes = compose(asked.recipe, [*([] if "encoder" in given else ["encoder=published"]), *words, *asked.overrides])
    recipe = thaw(config)
    if not isinstance(recipe.encoder, Published):
        raise UserError(f"encoder={recipe.encoder.name} takes no published weights; {CHOOSE}, or encoder=published")
    if recipe.train.steps is None:
        why = "its length in epochs, of data that need not be here yet"
        raise UserError(f"recipe={asked.recipe} gives {why}; write train.steps=N train.epochs=null")
    check_fit(recipe, restored=True)
    with torch.device("meta"):
        encoder = recipe.encoder.rebuild(recipe.image_size)
    fitted = fit(found, encoder, recipe.encoder.interpolate)
    weights = {f"{part}.{name}": tensor for part in ("student", "teacher") for name, tensor in fitted.weights.items()}
    licence, source, file = recipe.encoder.licence, recipe.encoder.source, weights_file(asked.file)
    return Ready(asked.of, file, config, recipe, weights, fitted.report, notes, licence, source)


def own_size(found: Found) -> int:
    """The side of the images that an encoder was made for, by its positions and patches.

    Raises:
        UserError: they do not tell.
    """
    positions, patches = found.weights.get("pos_embed"), found.weights.get("patch_embed.proj.weight")
    if positions is not None and patches is not None and positions.ndim == 3 and patches.ndim == 4:
        sides = {prefix: math.isqrt(max(positions.shape[1] - prefix, 0)) for prefix in range(MOST)}
        if side := next((side for prefix, side in sides.items() if side and side * side + prefix == positions.shape[1]), 0):
            return side * patches.shape[-1]
    raise UserError("the file does not tell its image size; say image_size=N")


def word(value: Any) -> str:
    """A value as an override has it."""
    return quoted(value) if isinstance(value, str) else f"[{','.join(map(word, value))}]" if isinstance(value, list) else str(value)
