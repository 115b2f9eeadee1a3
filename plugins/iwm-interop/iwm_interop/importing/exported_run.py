"""An export of ours as a run again: its encoder becomes student and teacher, its predictor the predictor, its recipe the recipe."""

import dataclasses
from typing import Any

import torch
from omegaconf import OmegaConf

from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import build_model
from iwm_core.recipe.config import Launch
from iwm_core.recipe.thaw import thaw
from iwm_core.run.plain import plain_yaml
from iwm_core.training.change import change
from iwm_core.training.fits import check_fit
from iwm_interop.exporting.origin import UNSTATED
from iwm_interop.importing.command_line import CHANGED, Asked
from iwm_interop.importing.described import described
from iwm_interop.importing.encoders import weights_file
from iwm_interop.importing.keys import Taken
from iwm_interop.importing.ready import Ready
from iwm_interop.tensors import checked, read_file

RECIPE = "recipe.yaml"
"""What an export keeps of its run's config."""
PARTS = {"student": "encoder", "teacher": "encoder", "predictor": "predictor"}


def ready(asked: Asked) -> Ready:
    """The run that an export becomes.

    Raises:
        UserError: it is no such export, or is damaged, or the settings do not fit.
    """
    file, config = weights_file(asked.file), exported_config(asked)
    recipe = thaw(config)
    check_fit(recipe, restored=True)
    with torch.device("meta"):
        wanted = build_model(recipe, restored=True).state_dict()
    weights, taken = checked(read_file(file), ""), Taken()
    known = {"encoder", "predictor"}
    if odd := sorted(key for key in weights if key.partition(".")[0] not in known):
        raise UserError(f"{file.name} has {odd[0]}, which nothing explains; `iwm export --format safetensors` does not write it")
    for part, place in PARTS.items():
        names = [name.removeprefix(f"{part}.") for name in wanted if name.startswith(f"{part}.")]
        found = {key.removeprefix(f"{place}."): tensor for key, tensor in weights.items() if key.startswith(f"{place}.")}
        taken.take(place, found, dict(zip(names, names, strict=True)), part, wanted)
    unknown = "the export does not tell where its images lay: give data.path=… to iwm eval and iwm resume"
    notes = [unknown] if "local" in dict(config.data).values() else []
    told = described(asked.file)
    licence, source = asked.licence or told.licence or UNSTATED, asked.source or told.source or UNSTATED
    return Ready("safetensors", file, config, recipe, taken.weights, taken.report, notes, licence, source)


def exported_config(asked: Asked) -> Any:
    """The config of the new run: that of the export's, with changes.

    Raises:
        UserError: there is none, it is damaged, or a change cannot be made.
    """
    path = asked.file / RECIPE
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UserError(f"{path} is no regular file; export the run again")
    if not path.is_file():
        raise UserError(f"{asked.file} has no {RECIPE} beside its weights; give the folder that `iwm export --format safetensors` made")
    try:
        plain = plain_yaml(path.read_text(encoding="utf-8"))
        if not isinstance(plain, dict):
            raise ValueError("it is empty" if plain is None else "it holds no settings by their names")
        own = {"kind": "pretraining", "run": None, "evaluators": {}, "launch": dataclasses.asdict(Launch())}
        config: Any = OmegaConf.create({**plain, **own})
    except Exception as error:  # whatever a damaged text makes of a parser
        raise UserError(f"{path} cannot be read ({' '.join(str(error).split())[:120]}); export the run again") from error
    if "world_model" in plain:
        raise UserError(f"{asked.file} is of a tuned model, and only world models are imported; export the run that it was tuned from")
    return change(config, asked.overrides, CHANGED, "import")
