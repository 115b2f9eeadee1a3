"""``iwm push``: a run, written without what is local, becomes a repository on the Hub."""

import tempfile
from pathlib import Path

import iwm_core
from iwm_core.interfaces.errors import UserError
from iwm_core.model.loading import load_world_model
from iwm_core.process.display import make_display
from iwm_core.recipe.config import Recipe
from iwm_core.recipe.thaw import thaw
from iwm_interop.exporting.origin import origin_of
from iwm_interop.sharing.command_line import Asked
from iwm_interop.sharing.hub import SCHEME, upload
from iwm_interop.sharing.shared_run import Shared, share


def push(asked: Asked) -> int:
    """Push a run; returns the exit status.

    Raises:
        UserError: it is no world model, cannot be loaded, or the Hub refuses it.
    """
    display = make_display()
    origin = origin_of(asked.run.path, asked.licence)
    with asked.run.blamed():
        recipe = thaw(asked.run.config())
    if not isinstance(recipe, Recipe):
        raise UserError(f"{asked.run.path} is tuned, and only world models are pushed; name the run that it was tuned from")
    step = load_world_model(asked.run, recipe, "cpu").step  # what cannot be loaded is not pushed
    with tempfile.TemporaryDirectory() as made:
        files = share(Shared(asked.run, origin, f"{SCHEME}{asked.name}"), Path(made))["files"]
        display.say(f"pushing {len(files)} files; no path, host, user or command line of this machine is among them")
        address = upload(Path(made), asked.name, asked.public, f"{recipe.recipe} at step {step}, by iwm {iwm_core.__version__}")
    display.say(address)
    display.say(f"licence: {origin.licence or 'not stated; say it with licence=TEXT'}; {'public' if asked.public else 'private'}")
    display.say(f'load it: iwm_core.load("{SCHEME}{asked.name}"), or this version alone: iwm_core.load("{address}")')
    return 0
