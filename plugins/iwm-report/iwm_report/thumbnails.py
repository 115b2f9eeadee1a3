"""Draws small images in the plane, each at its place: as an ``<svg>`` element of a page, and as a picture.

Decisions:
- Each axis has its own scale, so that the images fill the plane; they are drawn in their order, the last on top.
- The classes' frames differ by dashes as well as by colour; where there are more classes than colours, there are no frames. What is pointed
  at tells its name and class.
- Images go in as JPEG: a thousand of them weigh two megabytes.
"""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

import numpy as np
from markupsafe import Markup
from PIL import Image, ImageDraw, ImageFont

from iwm_report.svg import COLOURS

SIDE, LINE = 1000, 26
LEAST, MOST = 20, 64  # sides of a thumbnail
DASHES = ("", "6 3", "2 2")
OKABE_ITO = ("#0072b2", "#c84e00", "#00805d", "#a8487f", "#a86f00", "#2b86bd", "#5b5b5b")
"""The page's colours of series, for paper."""


@dataclass
class Thumbnails:
    """Small images in the plane.

    Attributes:
        places: of each, x to the right and y up.
        pictures: uint8 [n, s, s, 3].
        names: what is shown of one that is pointed at.
        labels: by which their frames differ; None for no label.
        axes: what x and y are.
        told: the plot in words.
        drawn: the drawing.
    """

    kind: ClassVar = "thumbnails"
    places: Sequence[Sequence[float]]
    pictures: Any
    names: Sequence[str]
    labels: Sequence[str | None]
    axes: Sequence[str]
    told: str
    drawn: str = ""

    @property
    def classes(self) -> list[str]:
        """The labels that frames tell apart; none where they are more than there are colours."""
        found = sorted({label for label in self.labels if label is not None})
        return found if len(found) <= len(COLOURS) else []

    def side(self) -> int:
        """The side of a thumbnail in the drawing."""
        return int(min(max(0.8 * SIDE / len(self.names) ** 0.5, LEAST), MOST))

    def corners(self) -> list[tuple[float, float]]:
        """The upper left corner of each in the drawing."""
        places = np.asarray(self.places, dtype=np.float64)
        low, room = places.min(0), np.ptp(places, axis=0)
        shares = (places - low) / np.where(room > 0, room, 1)
        return [(x * (SIDE - self.side()), (1 - y) * (SIDE - self.side())) for x, y in shares.tolist()]


def draw_thumbnails(part: Thumbnails) -> Markup:
    """The drawing as an ``<svg>`` element, below it the classes' frames."""
    side, classes, lines = part.side(), part.classes, []
    for (x, y), pixels, name, label in zip(part.corners(), part.pictures, part.names, part.labels, strict=True):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=85)
        address = f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
        told = f"{name} · {label}" if label is not None else name
        frame = framed(x, y, side, classes.index(label)) if label in classes else ""
        image = f'<image href="{address}" x="{x:.1f}" y="{y:.1f}" width="{side}" height="{side}"/>'
        lines.append(f"<g><title>{escape(told)}</title>{image}{frame}</g>")
    for place, label in enumerate(classes):
        y = SIDE + 20 + LINE * place
        lines.append(f'{framed(2, y, 16, place)}<text x="28" y="{y + 14}" fill="var(--ink)" font-size="16">{escape(label)}</text>')
    height = SIDE + (20 + LINE * len(classes) if classes else 0)
    return Markup(f'<svg viewBox="-4 -4 {SIDE + 8} {height + 8}">{"".join(lines)}</svg>')


def framed(x: float, y: float, side: int, number: int) -> str:
    """The frame of a class."""
    dashes = f' stroke-dasharray="{DASHES[number % 3]}"' if DASHES[number % 3] else ""
    colour = f"var(--series-{number + 1})"
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{side}" height="{side}" fill="none" stroke="{colour}" stroke-width="3"{dashes}/>'


def thumbnails_picture(part: Thumbnails) -> bytes:
    """The same as a PNG."""
    side, classes = part.side(), part.classes
    canvas = Image.new("RGB", (SIDE + 8, SIDE + 28 + LINE * len(classes)), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(16)
    for (x, y), pixels, label in zip(part.corners(), part.pictures, part.labels, strict=True):
        corner = round(x) + 4, round(y) + 4
        canvas.paste(Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS), corner)
        if label in classes:
            draw.rectangle((*corner, corner[0] + side - 1, corner[1] + side - 1), outline=OKABE_ITO[classes.index(label)], width=2)
    for place, label in enumerate(classes):
        y = SIDE + 20 + LINE * place
        draw.rectangle((4, y, 20, y + 16), outline=OKABE_ITO[place], width=3)
        draw.text((30, y), "".join(sign if sign.isprintable() else "?" for sign in label), fill="#1c1f22", font=font)
    file = io.BytesIO()
    canvas.save(file, "PNG", optimize=True)
    return file.getvalue()
