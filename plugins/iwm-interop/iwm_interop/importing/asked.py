"""Reads the command line of ``iwm import``."""

from pathlib import Path
from typing import NamedTuple

from iwm_core.cli.words import check_words
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.overrides import check_recipe
from iwm_core.run.files import exists
from iwm_core.run.lock import refuse_busy
from iwm_core.run.new_run import refuse_taken

USE = "iwm import ijepa FILE RUN [key=value …]"
FORMATS = ("ijepa",)
RECIPE = "import/ijepa"
"""What says all that the weights do not."""

TOLD = ("licence", "source")
"""What the user may tell of the weights besides settings."""
FROM_FILE = ("image_size", "encoder", "predictor")
"""What the weights decide on …"""
OPEN = ("encoder.heads", "encoder.drop_path", "predictor.heads")
"""… but for this."""


class Asked(NamedTuple):
    """A command line, read: the file, the directory of the new run, what is told of the weights, and settings of the recipe."""

    file: Path
    run: Path
    licence: str | None
    source: str | None
    overrides: list[str]


def read_arguments(arguments: list[str]) -> Asked:
    """The file, the new run and the settings.

    Raises:
        UserError: something is missing, cannot be read, or is what the weights decide on.
    """
    kind, words = arguments[0] if arguments else "", arguments[1:]
    if kind not in FORMATS:
        hint = did_you_mean(kind, FORMATS)
        raise UserError(f"{f'{kind!r} is nothing that can be imported' if kind else 'say what to import'}; {hint}write {USE}")
    places = [word for word in words if "=" not in word or exists(word)]
    if len(places) != 2 or any(place.startswith("-") for place in places):
        raise UserError(f"name one file and the directory of the new run, {len(places)} words name something; write {USE}")
    settings = [word for word in words if word not in places]
    told = {key: said(key, settings) for key in TOLD}
    overrides = [word for word in settings if word.partition("=")[0] not in TOLD]
    check_overrides(overrides)
    file, run = Path(places[0]), Path(places[1])
    if not file.is_file():
        raise UserError(f"{file} is {'no file' if exists(places[0]) else 'not there'}; name the checkpoint's file: {USE}")
    refuse_taken(run)
    refuse_busy(run)
    return Asked(file, run, told["licence"], told["source"], overrides)


def said(key: str, words: list[str]) -> str | None:
    """What ``key=TEXT`` says, where it is given.

    Raises:
        UserError: it is empty, or given twice.
    """
    found = [word.partition("=")[2].strip() for word in words if word.startswith(f"{key}=")]
    if len(found) > 1 or "" in found:
        raise UserError(f"{key}= takes one text, once: {key}='…'")
    return found[0] if found else None


def check_overrides(overrides: list[str]) -> None:
    """Check that overrides can be read and leave alone what the weights decide on.

    Raises:
        UserError: they do not.
    """
    check_words(overrides)
    for override in check_recipe(RECIPE, overrides):
        key = override.key_or_group
        if key == "run":
            raise UserError(f"the new run is named without run=; write {USE}")
        if key.split(".")[0] in FROM_FILE and key not in OPEN:
            raise UserError(f"the weights decide on {key}; leave it out (of the model, {', '.join(OPEN)} can be set)")
        if key == "train.epochs":
            raise UserError("the length of an imported run is given in steps, as its data need not be here yet; write train.steps=N")
