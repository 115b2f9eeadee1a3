"""The page: Gradio's components around `Handlers`.

Decisions:
- What changes with a slider is one piece of HTML with its pictures in it (`figures`): one message, and no file.
- Sliders answer while they move; of those that come faster than answers, the last one counts.
- Fonts are the system's, and colours the report's: nothing is asked of any other host.
- Events are plain requests, without Gradio's queue, whose streams outlive their events; none is a public API.
"""

import inspect
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.themes import Base
from gradio.themes.utils.colors import Color

from iwm_core.interfaces import Action
from iwm_core.interfaces.errors import UserError
from iwm_explore.controls import OBSERVED, SOURCE, Control
from iwm_explore.handlers import ANOTHER, MADE, Handlers

CSS = Path(__file__).parent / "page.css"
FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Liberation Sans", "sans-serif"]
MONO = ["ui-monospace", "Cascadia Mono", "DejaVu Sans Mono", "monospace"]
DROP = "Your own image: drop it here, or click"
QUICK: Any = {"queue": False, "show_progress": "hidden", "trigger_mode": "always_last", "api_visibility": "private"}
SLOW: Any = {**QUICK, "show_progress": "minimal", "trigger_mode": "once"}


def theme() -> Base:
    """The report's colours, with enough contrast in light and in dark."""
    blue = Color(*("#eef6fc", "#d6eaf8", "#aed5f1", "#7cc0f0", "#4fa3dc", "#0072b2", "#00629b", "#005080", "#003e63", "#002c47", "#001b2c"))
    base = Base(primary_hue=blue, secondary_hue=blue, neutral_hue="gray", font=FONTS, font_mono=MONO)
    return base.set(
        body_background_fill="#ffffff",
        body_background_fill_dark="#15181c",
        body_text_color="#1c1f22",
        body_text_color_dark="#e8eaec",
        body_text_color_subdued="#5d646b",
        body_text_color_subdued_dark="#a3abb3",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1e2227",
        background_fill_secondary="#f5f6f7",
        background_fill_secondary_dark="#1e2227",
        border_color_primary="#d9dde1",
        border_color_primary_dark="#373d44",
        input_background_fill_dark="#15181c",
        button_secondary_background_fill="#eceef0",
        button_secondary_background_fill_dark="#2a2f35",
        button_primary_background_fill="#00629b",
        button_primary_background_fill_dark="#00629b",
        button_primary_text_color="#ffffff",
        color_accent="#00629b",
        slider_color="#00629b",
        slider_color_dark="#7cc0f0",
    )


def build(handlers: Handlers, header: str, title: str, folder: Path) -> gr.Blocks:
    """The page of some handlers; ``header`` is HTML about the model, ``folder`` where dropped files lie."""
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as page:
        gr.HTML(header)
        chosen, goal, turn = gr.State(None), gr.State(None), gr.State(0)
        with gr.Row(elem_id="explore"):
            with gr.Column(elem_id="images"):
                gallery, more, file, said = images_of(handlers, "Image")
            with gr.Column(elem_id="answer"), gr.Tabs():
                with gr.Tab("Imagine"):
                    seen = gr.HTML(elem_id="seen")
                with gr.Tab("Plan"):
                    gr.HTML(
                        "<p>A is the image you chose. Shown A and B, the model looks for an action that leads from one to the other.</p>"
                    )
                    how = gr.Radio([MADE, ANOTHER], value=MADE, label="B is")
                    with gr.Column(visible=False) as other:
                        goal_gallery, goal_more, goal_file, goal_said = images_of(handlers, "Image B")
                    go = gr.Button("Let the model plan", variant="primary")
                    planned = gr.HTML(elem_id="planned")
            with gr.Column(elem_id="controls"):
                inputs = list(controls_of(handlers))
                with gr.Row():
                    reset, draw = gr.Button("Reset", size="sm"), gr.Button("As training draws", size="sm")

        values, asked = handlers.explorer.at_rest, [chosen, *inputs]

        def see(one: Any, *now: float) -> str:
            return handlers.see(one, numbers(now))

        def take(one: Any, *now: float) -> tuple[Any, ...]:
            found = handlers.values_for(one, numbers(now))
            return one, handlers.see(one, found), *found

        def from_gallery(turned: int, place: int) -> Any:
            try:
                return handlers.from_data(turned, place)
            except UserError as error:
                raise gr.Error(str(error), print_exception=False) from error

        def pick(turned: int, event: gr.SelectData, *now: float) -> tuple[Any, ...]:
            return *take(from_gallery(turned, event.index), *now), ""

        def pick_goal(turned: int, event: gr.SelectData) -> tuple[Any, str]:
            return from_gallery(turned, event.index), ""

        def drop(path: str, one: Any, *now: float) -> tuple[Any, ...]:
            new, line = handlers.from_file(path, folder)
            return *take(new if new is not None else one, *now), line, None

        def start(*now: float) -> tuple[Any, ...]:
            return take(handlers.from_data(0, 0), *now) if handlers.data else (None, handlers.see(None, values), *numbers(now))

        def turn_over(turned: int) -> tuple[int, list[Any]]:
            return turned + 1, handlers.thumbnails(turned + 1)

        page.load(start, inputs, [chosen, seen, *inputs], **QUICK)
        gallery.select(pick, [turn, *inputs], [chosen, seen, *inputs, said], **QUICK)
        more.click(turn_over, turn, [turn, gallery], **QUICK)
        file.upload(drop, [file, *asked], [chosen, seen, *inputs, said, file], **SLOW)
        for one in inputs:
            one.input(see, asked, seen, **QUICK)
        reset.click(lambda one: (*values, handlers.see(one, values)), chosen, [*inputs, seen], **QUICK)
        draw.click(lambda one: (*(new := handlers.draw()), handlers.see(one, new)), chosen, [*inputs, seen], **QUICK)

        how.change(lambda word: gr.Column(visible=word == ANOTHER), how, other, **QUICK)
        goal_turn = gr.State(0)
        goal_gallery.select(pick_goal, goal_turn, [goal, goal_said], **QUICK)
        goal_more.click(turn_over, goal_turn, [goal_turn, goal_gallery], **QUICK)
        goal_file.upload(lambda path: (*handlers.from_file(path, folder), None), goal_file, [goal, goal_said, goal_file], **SLOW)
        go.click(lambda one, end, word, *now: handlers.plan(one, end, word, numbers(now)), [chosen, goal, how, *inputs], planned, **SLOW)
    return page


def images_of(handlers: Handlers, label: str) -> tuple[gr.Gallery, gr.Button, gr.File, gr.HTML]:
    """Where an image is chosen or dropped."""
    there = handlers.data is not None
    gr.HTML(f"<h2>{label}</h2>")
    gallery = gr.Gallery(
        handlers.thumbnails(0),
        label=label,
        show_label=False,
        columns=6,
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        visible=there,
        elem_classes="thumbnails",
    )
    more = gr.Button("Other images", size="sm", visible=there and handlers.data.total > handlers.data.count)  # pyright: ignore[reportOptionalMemberAccess]
    gr.HTML("<p class='facts'>or an image of your own:</p>")
    return gallery, more, gr.File(label=DROP, show_label=False, height=84, buttons=[], elem_classes="drop"), gr.HTML()


def controls_of(handlers: Handlers) -> Iterator[Any]:
    """A component for each control, the actions one after the other; an action of one control needs no heading."""
    parts = handlers.explorer.model.parts
    grouped = [(name, list(group)) for name, group in groupby(handlers.explorer.controls, lambda control: control.action)]
    for alone, actions in groupby(grouped, lambda named: len(named[1]) == 1):
        for name, controls in [("", [one for _, own in actions for one in own])] if alone else actions:
            if name:
                gr.HTML(f"<h2>{escape(name)} <span>{escape(about(parts[name]))}</span></h2>")
            with gr.Group():
                for control in controls:
                    yield component(control, "" if name else about(parts[control.action]))


def component(control: Control, about: str) -> Any:
    """A checkbox, a choice or a slider; ``about`` is what its action does, where nothing above it says so."""
    side = {SOURCE: "On the source, for the model to undo.", OBSERVED: "As the data’s pairs show it."}.get(control.side, "")
    many = not control.values and control.side != SOURCE
    info = " ".join(text for text in (about, side, scale(control) if many else "") if text) or None
    label = f"{control.action}: {control.label}" if about and control.label != control.action else control.label
    if control.is_switch:
        return gr.Checkbox(value=False, label=label, info=info)
    if control.values:
        return gr.Radio([(control.words(value), value) for value in control.values], value=control.rest, label=label, info=info)
    return gr.Slider(control.low, control.high, control.rest, step=control.step, label=label, info=info)


def about(action: Action) -> str:
    """The first sentence of an action's description."""
    return (inspect.getdoc(type(action)) or "").partition("\n")[0].partition(". ")[0].rstrip(".") + "."


def scale(control: Control) -> str:
    """The ends of a slider, as its action writes them."""
    return f"{control.words(control.low)} to {control.words(control.high)}, no change at {control.words(control.rest)}"


def numbers(values: Any) -> list[float]:
    return list(values)
