"""What the words of ``iwm import`` ask for."""

from pathlib import Path
from typing import NamedTuple

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.advice import advise
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.overrides import check_recipe
from iwm_core.run.files import exists
from iwm_core.run.lock import refuse_busy
from iwm_core.run.new_run import refuse_taken

FORMATS = ("ijepa", "timm", "transformers", "safetensors")
USE = f"iwm import {'|'.join(FORMATS)} FILE RUN [key=value …]"
WHOLE, ENCODER = "import/ijepa", "import/encoder"
"""The recipes that say all that the weights do not: of a whole world model, and of an encoder."""

TOLD = ("licence", "source", "recipe")
"""What the user may tell besides settings."""
FROM_FILE = ("image_size", "encoder", "predictor")
"""What the weights of a whole world model decide on …"""
OPEN = ("encoder.heads", "encoder.drop_path", "encoder.frozen", "encoder.lr_scale", "predictor.heads")
"""… but for this."""
CHANGED = ("evaluators", "data", "train", "view", "launch")
"""What may be changed of a recipe that an export brings."""


class Asked(NamedTuple):
    """A command line, read: whose weights, the file or folder, the new run, what is told of the weights, and recipe and settings."""

    of: str
    file: Path
    run: Path
    licence: str | None
    source: str | None
    recipe: str
    overrides: list[str]


def read_arguments(arguments: list[str]) -> Asked:
    """The file, the new run and the settings.

    Raises:
        UserError: something is missing, cannot be read, or is what the weights decide on.
    """
    of, words = arguments[0] if arguments else "", arguments[1:]
    if of not in FORMATS:
        programs = "its program has no named weights; import another export of the run; " if of in ("torch", "onnx") else ""
        hint = programs or did_you_mean(of, FORMATS)
        raise UserError(f"{f'{of!r} is nothing that can be imported' if of else 'say what to import'}; {hint}write {USE}")
    places = [word for word in words if "=" not in word or exists(word)]
    if len(places) != 2:
        raise UserError(f"name one file and the directory of the new run, {len(places)} words name something; write {USE}")
    settings = [word for word in words if word not in places]
    told = {key: said(key, settings) for key in TOLD}
    overrides = [word for word in settings if word.partition("=")[0] not in TOLD]
    recipe = check_overrides(of, told["recipe"], overrides)
    file, run = Path(places[0]), Path(places[1])
    if not (file.is_file() or (file.is_dir() and of != "ijepa")):
        what = "no file" if exists(places[0]) else "not there"
        raise UserError(f"{file} is {what}; name the file of weights{'' if of == 'ijepa' else ', or its folder'}: {USE}")
    refuse_taken(run)
    refuse_busy(run)
    return Asked(of, file, run, told["licence"], told["source"], recipe, overrides)


def said(key: str, words: list[str]) -> str | None:
    """What ``key=TEXT`` says, where it is given.

    Raises:
        UserError: it is empty, or given twice.
    """
    found = [word.partition("=")[2].strip() for word in words if word.startswith(f"{key}=")]
    if len(found) > 1 or "" in found:
        raise UserError(f"{key}= takes one text, once: {key}='…'")
    return found[0] if found else None


def check_overrides(of: str, recipe: str | None, overrides: list[str]) -> str:
    """Check that overrides can be read and leave alone what the weights decide on; returns the recipe's name.

    Raises:
        UserError: they do not.
    """
    advise("check_words", overrides)
    if recipe is not None and of in ("ijepa", "safetensors"):
        brings = "import/ijepa is that of its training" if of == "ijepa" else "the export brings its own"
        raise UserError(f"iwm import {of} takes no recipe=: {brings}; give single settings, such as data=NAME")
    if of == "safetensors":
        return ""
    name = recipe or (WHOLE if of == "ijepa" else ENCODER)
    for override in check_recipe(name, overrides)[2]:
        key = override.key_or_group
        if key == "run":
            raise UserError(f"the new run is named without run=; write {USE}")
        if of == "ijepa" and key.split(".")[0] in FROM_FILE and key not in OPEN:
            raise UserError(f"the weights decide on {key}; leave it out (of the model, {', '.join(OPEN)} can be set)")
        if key == "encoder.weights":
            raise UserError(f"the weights are FILE: leave encoder.weights out; write {USE}")
        if key == "train.epochs":
            raise UserError("the length of an imported run is given in steps, as its data need not be here yet; write train.steps=N")
    return name
