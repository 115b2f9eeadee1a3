"""``iwm explore``: from a run to a page.

Decisions:
- What is wrong with the run is told before Gradio is imported.
- A run whose data cannot be read here is explored with one's own images.
- A small model answers faster by one thread than by many, which wait for each other: both are tried, and the faster one stays.
"""

import secrets
import time
import webbrowser
from html import escape
from pathlib import Path
from socket import socket

import torch
from iwm_evals.questions.corruption import at_rest

from iwm_core.interfaces.errors import UserError
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.loading import load_world_model
from iwm_core.process.display import Display, make_display
from iwm_core.process.shown import as_word, tell
from iwm_core.recipe.config import Recipe
from iwm_core.recipe.overrides import ON_RESUME
from iwm_core.recipe.thaw import thaw
from iwm_core.training.change import change
from iwm_explore.command_line import Asked
from iwm_explore.explorer import Explorer
from iwm_explore.figures import note
from iwm_explore.handlers import Handlers
from iwm_explore.images import MOST_BYTES, DataImages
from iwm_explore.serving import HOST, app_of, bound, private, serve

TRIES = 3


def explore(asked: Asked) -> int:
    """Carry out ``iwm explore``; returns the exit status.

    Raises:
        UserError: the run is no world model, has nothing to ask, or the port is taken.
    """
    display, run = make_display(), asked.run
    with run.blamed():
        recipe = thaw(run.config())
    if not isinstance(recipe, Recipe):
        raise UserError(f"{run.path} is tuned, and a world model is explored; name the run that it was tuned from")
    with bound(asked.port) as taken:
        changed: Recipe = thaw(change(run.config(), asked.overrides, ON_RESUME, "explore"))
        model = load_world_model(run, recipe, changed.launch.device)
        try:
            explorer, data, notes = prepared(model, changed)
        except ValueError as error:
            raise UserError(str(error)) from error
        for text in notes:
            display.warn(text)
        size = recipe.view.canvas or recipe.image_size
        show(Handlers(explorer, data, size), header(model, notes), asked, taken, display)
    return 0


def prepared(model: FrozenModel, recipe: Recipe) -> tuple[Explorer, DataImages | None, list[str]]:
    """A model to be asked, images to choose from, and what should not be missed."""
    data, others, notes = None, None, list[str]()
    try:
        data = DataImages(recipe, model.device)
        others = at_rest(model, data.page(0).images)
    except UserError as error:
        data = None
        notes.append(f"the run's images cannot be read here: {error}; drop one of your own, or write data=folder data.path=FOLDER")
    explorer = Explorer(model, others)
    if model.step == 0:
        word = as_word(model.run or "RUN")
        notes.append(f"the predictor of this run is not trained yet: what it imagines means nothing; train it: iwm resume {word}")
    elif not explorer.is_told:
        name = model.recipe.predictor.name
        notes.append(f"predictor={name} is not told the action: this model imagines the same for every action")
    if explorer.decoder is None:
        notes.append(f"no imagined pictures, only the nearest real image: {explorer.why_no_decoder}")
    if data is not None:
        choose_threads(explorer, data)
    return explorer, data, notes


def choose_threads(explorer: Explorer, data: DataImages) -> None:
    """As many threads as answer fastest: all, or one."""
    if explorer.model.device.type != "cpu":
        return
    chosen = explorer.pair(data.page(0), "")
    many, took = torch.get_num_threads(), {}
    for threads in (many, 1):
        torch.set_num_threads(threads)
        explorer.see(chosen, explorer.at_rest)
        begun = time.perf_counter()
        for _ in range(TRIES):
            explorer.see(chosen, explorer.at_rest)
        took[threads] = time.perf_counter() - begun
    torch.set_num_threads(min(took, key=lambda threads: took[threads]))


def header(model: FrozenModel, notes: list[str]) -> str:
    """What the page says of the model."""
    recipe = model.recipe
    facts = (
        f"{recipe.recipe} · step {model.step:,} · encoder {recipe.encoder.name}, predictor {recipe.predictor.name} · {model.image_size} px"
    )
    where = escape(model.run.name if model.run else "")
    lines = "".join(note(f"{text[:1].upper()}{text[1:]}.") for text in notes)
    decoder = " Imagined pictures are predictions, decoded; the decoder was trained afterwards and is no part of the world model."
    return f"<h1>{where}</h1><p class='facts'>{escape(facts)}.{decoder}</p>{lines}"


def show(handlers: Handlers, head: str, asked: Asked, taken: socket, display: Display) -> None:
    """Serve the page until Ctrl-C."""
    port, token = taken.getsockname()[1], secrets.token_urlsafe(24)
    address = f"http://{HOST}:{port}/?token={token}"

    with private() as folder:
        from iwm_explore.page import CSS, build, theme  # imports gradio, which reads its settings from the environment

        def ready() -> None:
            tell(address)
            display.say("Ctrl-C ends it")
            if asked.open:
                webbrowser.open(doorway(address, folder).as_uri())

        page = build(handlers, head, f"{asked.run.path.name} · iwm explore", folder)
        app = app_of(page, port, token, folder, {"theme": theme(), "css_paths": CSS}, MOST_BYTES)
        serve(app, taken, ready, folder)


def doorway(address: str, folder: Path) -> Path:
    """A file that leads a browser to the page: other accounts can read what a browser is started with, but not what lies here."""
    file = folder / "open.html"
    file.write_text(f'<meta http-equiv="refresh" content="0; url={address}">', encoding="utf-8")
    return file
