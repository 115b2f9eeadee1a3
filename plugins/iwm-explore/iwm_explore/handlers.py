"""What the page does when something on it is touched: state in, HTML and state out. Knows no Gradio.

Decisions:
- One answer is worked out at a time: answers share the device, and its threads.
- What is wrong with a file, or with an answer, becomes a line on the page; what is on it already stays.
"""

import threading
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import shown
from iwm_explore import figures
from iwm_explore.controls import OBSERVED, drawn_values
from iwm_explore.explorer import Chosen, Explorer, in_bytes
from iwm_explore.images import DataImages, read_upload
from iwm_explore.plans import plan

MADE, ANOTHER = "what the sliders make of A", "another image"


class Handlers:
    """What the page asks for.

    Args:
        explorer: what is asked.
        data: images to choose from; None where the run's cannot be read here.
        size: pixels of the squares from which views are made.
    """

    def __init__(self, explorer: Explorer, data: DataImages | None, size: int) -> None:
        self.explorer, self.data, self.size = explorer, data, size
        self.has_decoder = explorer.decoder is not None
        self.lock = threading.Lock()
        self.drawn = 0

    def thumbnails(self, page: int) -> list[Any]:
        """The images of a page of the data, uint8 [h w 3]."""
        return [image.permute(1, 2, 0).numpy() for image in in_bytes(self.data.page(page).images)] if self.data else []

    def from_data(self, page: int, place: int) -> Chosen:
        """An image of a page of the data.

        Raises:
            UserError: it has none at this place.
        """
        assert self.data is not None
        batch = self.data.page(page)
        if place >= len(batch.index):
            raise UserError("there is no such image")
        batch = batch.take(slice(place, place + 1))
        with self.lock:
            return self.explorer.pair(batch, f"image {int(batch.index[0])} of the data")

    def from_file(self, path: str, folder: Path) -> tuple[Chosen | None, str]:
        """The image in a file that was dropped into a folder, and a line about it; None where it cannot be used."""
        name = shown(Path(path).name)[:80]
        with self.lock:
            try:
                chosen = self.explorer.choose(read_upload(path, folder, self.size, self.explorer.model.device), name)
            except ValueError as error:
                return None, figures.note(str(error), alarm=True)
        return chosen, f"<p>{escape(name)}, its centre square</p>"

    def see(self, chosen: Chosen | None, values: Sequence[float]) -> str:
        """What the model imagines."""
        if chosen is None:
            return figures.note("Choose an image, or drop one.")
        with self.lock:
            try:
                return figures.answer(self.explorer.see(chosen, values), self.has_decoder)
            except (ValueError, UserError) as error:
                return figures.note(str(error), alarm=True)

    def values_for(self, chosen: Chosen | None, values: Sequence[float]) -> list[float]:
        """The controls' values once an image is chosen: an observed action is the pair's own, all else stays."""
        if chosen is None or chosen.action is None:
            return list(values)
        own = chosen.action[0].tolist()
        return [
            min(max(own[control.column], control.low), control.high) if control.side == OBSERVED else value
            for control, value in zip(self.explorer.controls, values, strict=True)
        ]

    def draw(self) -> list[float]:
        """The controls' values of the next draw."""
        self.drawn += 1
        return drawn_values(self.explorer.model, self.explorer.controls, self.drawn)

    def plan(self, chosen: Chosen | None, goal: Chosen | None, how: str, values: Sequence[float]) -> str:
        """A plan from the chosen image to another, or to what the sliders make of it."""
        if chosen is None or (how == ANOTHER and goal is None):
            return figures.note("Choose an image as A, and another as B.")
        model, controls = self.explorer.model, self.explorer.controls
        with self.lock:
            try:
                asked = list[str]()
                if how == MADE:
                    wanted = self.explorer.real(chosen, values)
                    asked = [text for text in self.explorer.see(chosen, values).asked if not text.startswith("undo ")]
                else:
                    assert goal is not None
                    wanted = goal.image
                if wanted is None:
                    return figures.note("No pair of the data shows this action, so that there is no image B.")
                found = plan(model, self.explorer.decoder, controls, chosen.image, wanted)
                return figures.plan_steps(found, asked, self.has_decoder)
            except (ValueError, UserError) as error:
                return figures.note(str(error), alarm=True)
