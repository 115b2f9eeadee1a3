"""``iwm import``: a file of weights becomes a run whose checkpoint is of step 0, to be measured, tuned and trained on.

Decisions:
- The weights are compared with the model that the run's recipe builds, on no memory, before the run has a directory.
- A checkpoint of step 0 has no moments: `iwm resume` begins with new ones.
- The weights are there before there is a run: otherwise `iwm resume` would train it from new ones after a kill.
- A part of the world model that no file gives is new, from the recipe's seed, and the report says so.
"""

from pkgutil import resolve_name
from typing import Any

import torch
from torch import Tensor

from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import build_model
from iwm_core.process.display import make_display
from iwm_core.process.shown import as_word
from iwm_core.run.checkpoint import save_checkpoint
from iwm_core.run.directory import Run
from iwm_core.run.files import cause, remedy, write_record
from iwm_core.run.new_run import new_run
from iwm_core.training.optimisation import make_optimizer
from iwm_interop.importing.command_line import Asked
from iwm_interop.importing.encoders import origin
from iwm_interop.importing.ready import Ready

UNDERSTOOD = {
    "ijepa": "iwm_interop.importing.reference:ready",
    "timm": "iwm_interop.importing.encoder_run:ready",
    "transformers": "iwm_interop.importing.encoder_run:ready",
    "safetensors": "iwm_interop.importing.exported_run:ready",
}
"""What makes a run of each kind of file."""


def import_weights(asked: Asked) -> int:
    """Make the run; returns the exit status.

    Raises:
        UserError: the file is not what it should be, the settings do not fit, or the run cannot be written.
    """
    display = make_display()
    ready: Ready = resolve_name(UNDERSTOOD[asked.of])(asked)
    config, recipe = ready.config, ready.recipe
    config.run = str(asked.run)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.train.seed)
        model = build_model(recipe, restored=True)
    new = new_parts(model.state_dict(), ready.weights)
    model.load_state_dict({**model.state_dict(), **ready.weights})
    told = {**origin(ready.of, ready.file, ready.licence, ready.source, ready.report), "new": new}

    def fill(run: Run) -> None:
        write_record(run.path / "import.json", told, run.path / "config.yaml")
        optimizer = make_optimizer(model, recipe.train)
        try:
            save_checkpoint(run.checkpoints, 0, model, optimizer, {"steps": recipe.train.steps, "seconds": 0.0}, recipe.train.keep)
        except UserError as error:
            why = error.__cause__ if isinstance(error.__cause__, Exception) else error
            raise UserError(f"cannot keep the weights in {asked.run}: {cause(why)}; {remedy(why)}, then the same command again") from error

    with new_run(config, "import", display.warn, fill) as run:
        display.say(str(run.path))  # alone on the first line, for scripts
        for note in ready.notes:
            display.warn(note)
    left = [line["key"] for line in ready.report if "left_out" in line]
    taken = len(ready.report) - len(left)
    display.say(f"taken: {taken} tensors, each told in import.json; left out: {', '.join(left[:8]) or 'nothing'}{' …' if left[8:] else ''}")
    if asked.of != "ijepa":
        what = f"; its {' and '.join(new)}: new, from seed {recipe.train.seed}, to be trained by iwm resume" if new else ""
        display.say(f"student: the encoder of the file; teacher: its copy{what}")
    display.say(f"licence: {ready.licence}, from {ready.source}; another is told by licence= and source=")
    display.say(f"next: iwm {'resume' if new else 'eval'} {as_word(run.path)}")
    return 0


def new_parts(own: dict[str, Tensor], weights: dict[str, Tensor]) -> list[str]:
    """The parts of a model of which a file gives nothing; all others are there as a whole."""
    parts: dict[str, Any] = {name.partition(".")[0]: None for name in own}
    new = [part for part in parts if not any(name.startswith(f"{part}.") for name in weights)]
    lacking = [name for name in own if name not in weights and name.partition(".")[0] not in new]
    assert not lacking, "a part is there as a whole"
    assert not weights.keys() - own.keys(), "what the model has is what the keys are renamed to"
    return new
