"""``iwm import ijepa``: a file of weights becomes a run whose checkpoint is of step 0, to be measured, tuned and trained on.

Decisions:
- The weights are compared with the model that the run's recipe builds, on no memory, before the run has a directory.
- A checkpoint of step 0 has no moments: `iwm resume` begins with new ones.
- The weights are there before there is a run: otherwise `iwm resume` would train it from new ones after a kill.
"""

from typing import Any

import torch

from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import build_model
from iwm_core.process.display import make_display
from iwm_core.process.shown import as_word
from iwm_core.recipe.compose import compose
from iwm_core.recipe.config import Recipe
from iwm_core.recipe.thaw import thaw
from iwm_core.run.checkpoint import save_checkpoint
from iwm_core.run.directory import Run
from iwm_core.run.files import cause, remedy, write_record
from iwm_core.run.new_run import new_run
from iwm_core.training.fits import check_fit
from iwm_core.training.optimisation import make_optimizer
from iwm_interop.importing.asked import RECIPE, Asked
from iwm_interop.importing.ijepa import LEFT_OUT, PARTS, Shape, encoder_keys, predictor_keys, shape_of
from iwm_interop.importing.keys import Taken
from iwm_interop.sums import sha256_of
from iwm_interop.tensors import read_file, weights_of

LICENCE = "CC BY-NC 4.0"
"""Of the published weights of I-JEPA: not for commercial use."""
SOURCE = "https://github.com/facebookresearch/ijepa"


def import_ijepa(asked: Asked) -> int:
    """Make the run; returns the exit status.

    Raises:
        UserError: the file is no such checkpoint, the settings do not fit, or the run cannot be written.
    """
    display = make_display()
    content = read_file(asked.file)
    config, recipe, taken, notes = understood(content, asked.overrides)
    config.run = str(asked.run)
    provenance = {
        "format": 1,
        "of": "ijepa",
        "file": asked.file.name,
        "sha256": sha256_of(asked.file),
        "licence": asked.licence or LICENCE,
        "source": asked.source or SOURCE,
        "keys": taken.report,
    }
    with torch.random.fork_rng(devices=[]):
        model = build_model(recipe, restored=True)
    model.load_state_dict(taken.weights)

    def fill(run: Run) -> None:
        write_record(run.path / "import.json", provenance, run.path / "config.yaml")
        optimizer = make_optimizer(model, recipe.train)
        try:
            save_checkpoint(run.checkpoints, 0, model, optimizer, {"steps": recipe.train.steps, "seconds": 0.0}, recipe.train.keep)
        except UserError as error:
            why = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise UserError(f"cannot keep the weights in {asked.run}: {cause(why)}; {remedy(why)}, then the same command again") from error

    with new_run(config, "import", display.warn, fill) as run:
        display.say(str(run.path))  # alone on the first line, for scripts
        for note in notes:
            display.warn(note)
    left = [line["key"] for line in taken.report if "left_out" in line]
    display.say(f"taken: {len(taken.weights)} tensors, each told in import.json; left out: {', '.join(left) or 'nothing'}")
    display.say(f"licence: {provenance['licence']}, from {provenance['source']}; another is told by licence= and source=")
    display.say(f"next: iwm eval {as_word(run.path)}")
    return 0


def understood(content: dict[str, Any], overrides: list[str]) -> tuple[Any, Recipe, Taken, list[str]]:
    """What a reference checkpoint becomes: the config and recipe of a run, its weights, and notes for the user.

    Raises:
        UserError: a key is missing, unknown or of another shape, or the settings do not fit.
    """
    found = {place: weights_of(content, place) for place in PARTS.values()}
    shape = shape_of(found["encoder"], found["predictor"])
    config, notes = compose(RECIPE, [*settings(shape, overrides), *overrides])
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
