"""The picture of the scorecard: what was asked, what the truth was, and what the prediction is closest to.

Decisions:
- A prediction has no pixels. It is shown by the element of the bank that it is nearest to, which is what the rank is about.
- Right and wrong differ by shape and by frame (tick in a whole frame, cross in a broken one), then by colour (blue and vermilion of Okabe & Ito's
  palette), so neither a colour-blind reader nor a grey print loses anything.
- An action is written number by number beside a bar from its zero line: signs and sizes are compared by eye across rows.
- Pillow alone, with the font that it carries; a minus is a hyphen because that font has no other.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from iwm_core.interfaces import Metric

CELL, GAP, MARGIN = 176, 20, 40
TITLE, HEADER = 88, 40  # heights
LINE, LABEL, BAR, NUMBER = 22, 190, 110, 64  # a line of an action: its height, and the widths of its parts
STATUS = 34  # height of the line that says the rank
INK, PALE, LINE_COLOUR, PAPER = "#1a1a1a", "#666666", "#c8c8c8", "#ffffff"
RIGHT, WRONG = "#0072B2", "#D55E00"
COLUMNS = ("source", "true target", "nearest to prediction", "action")
NULL = 0.005  # numbers smaller than this are written 0.00


class Row(NamedTuple):
    """One question put to the world model. ``action`` holds (action's name, number's label, number)."""

    source: Float[Tensor, "3 h w"]
    target: Float[Tensor, "3 h2 w2"]
    nearest: Float[Tensor, "3 h2 w2"]
    action: list[tuple[str, str, float]]
    rank: float


def draw_picture(rows: list[Row], metrics: dict[str, Metric], bank: int, path: Path) -> None:
    """Write the rows under a title with the metrics, as a PNG."""
    heights = [max(CELL, STATUS + LINE * len(lines_of(row))) for row in rows]
    width = 2 * MARGIN + 3 * (CELL + GAP) + GAP + LABEL + BAR + NUMBER
    page = Image.new("RGB", (width, 2 * MARGIN + TITLE + HEADER + sum(heights) + GAP * (len(rows) - 1)), PAPER)
    pen = ImageDraw.Draw(page)
    draw_title(pen, metrics, bank)
    top = MARGIN + TITLE
    for column, text in enumerate(COLUMNS):
        pen.text((left_of(column), top), text, fill=PALE, font=font(16))
    top += HEADER
    for row, height in zip(rows, heights, strict=True):
        draw_row(page, pen, row, bank, top)
        top += height + GAP
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


def draw_title(pen: ImageDraw.ImageDraw, metrics: dict[str, Metric], bank: int) -> None:
    """Two lines: the result with its interval, and what to compare it with."""
    mrr = metrics["mrr"]
    pen.text((MARGIN, MARGIN), f"MRR {mrr.value:.3f}", fill=INK, font=font(30))
    start = MARGIN + pen.textlength(f"MRR {mrr.value:.3f}", font=font(30)) + 14
    interval = f"95 % interval {mrr.low:.3f} to {mrr.high:.3f}   ·   {mrr.n} images, {bank} versions of each"
    pen.text((start, MARGIN + 30), interval, fill=PALE, font=font(16), anchor="ls")
    shown = (("chance", "mrr_chance"), ("shuffled action", "mrr_shuffled"), ("null action", "mrr_null"), ("H@1", "h1"), ("H@5", "h5"))
    pen.text((MARGIN, MARGIN + 44), "   ·   ".join(f"{text} {metrics[name].value:.3f}" for text, name in shown), fill=INK, font=font(16))


def draw_row(page: Image.Image, pen: ImageDraw.ImageDraw, row: Row, bank: int, top: int) -> None:
    """Three images, the verdict and the action."""
    right = row.rank == 1
    for column, pixels in enumerate((row.source, row.target, row.nearest)):
        page.paste(cell(pixels), (left_of(column), top))
    frame(pen, left_of(2), top, RIGHT if right else WRONG, whole=right)
    left = left_of(3)
    mark(pen, left, top + 2, RIGHT if right else WRONG, tick=right)
    verdict = "found: rank 1" if right else f"missed: rank {row.rank:g}"
    pen.text((left + 26, top + 18), f"{verdict} of {bank}", fill=INK, font=font(18), anchor="ls")
    for number, (label, value) in enumerate(lines_of(row)):
        draw_number(pen, left, top + STATUS + LINE * number, label, value)


def lines_of(row: Row) -> list[tuple[str, float | None]]:
    """The action's lines: each action's name once (without a number), its numbers under it."""
    lines: list[tuple[str, float | None]] = []
    for place, (name, label, value) in enumerate(row.action):
        if place == 0 or row.action[place - 1][0] != name:
            lines.append((f"{name}:", None))
        lines.append((f"    {label}", value))
    return lines


def draw_number(pen: ImageDraw.ImageDraw, left: int, top: int, label: str, value: float | None) -> None:
    """A label, a bar on a scale of -1 to 1, and the number."""
    base = top + 16
    pen.text((left, base), label, fill=PALE if value is None else INK, font=font(16), anchor="ls")
    if value is None:
        return
    middle, half = left + LABEL + BAR // 2, BAR // 2
    end = middle + round(max(-1.0, min(1.0, value)) * half)
    pen.line((middle - half, base - 5, middle + half, base - 5), fill=LINE_COLOUR)
    if abs(value) >= NULL:
        pen.rectangle((min(middle, end), base - 9, max(middle, end), base - 1), fill=PALE)
    pen.line((middle, base - 12, middle, base + 2), fill=INK)
    text = f"{value:+.2f}" if abs(value) >= NULL else "0.00"
    pen.text((left + LABEL + BAR + NUMBER, base), text, fill=INK, font=font(16), anchor="rs")


def frame(pen: ImageDraw.ImageDraw, left: int, top: int, colour: str, whole: bool) -> None:
    """A frame around a cell: whole, or broken into dashes."""
    a, b, c, d = left - 4, top - 4, left + CELL + 3, top + CELL + 3
    if whole:
        pen.rectangle((a, b, c, d), outline=colour, width=3)
        return
    dash = (c - a + 1) / 15  # an odd number of parts: a dash in every corner
    for part in range(0, 15, 2):
        start, end = round(part * dash), round((part + 1) * dash) - 1
        for y in (b, d - 2):
            pen.rectangle((a + start, y, a + end, y + 2), fill=colour)
        for x in (a, c - 2):
            pen.rectangle((x, b + start, x + 2, b + end), fill=colour)


def mark(pen: ImageDraw.ImageDraw, left: int, top: int, colour: str, tick: bool) -> None:
    """A tick or a cross, 16 pixels wide."""
    if tick:
        pen.line((left, top + 9, left + 6, top + 15, left + 16, top + 1), fill=colour, width=4, joint="curve")
    else:
        pen.line((left + 1, top + 1, left + 15, top + 15), fill=colour, width=4)
        pen.line((left + 1, top + 15, left + 15, top + 1), fill=colour, width=4)


def cell(pixels: Float[Tensor, "3 h w"]) -> Image.Image:
    """An image in [0, 1] at the size of a cell."""
    values = (pixels.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    height, width, _ = values.shape
    small = Image.frombytes("RGB", (width, height), bytes(values.flatten().tolist()))
    return small.resize((CELL, CELL), Image.Resampling.LANCZOS if width > CELL else Image.Resampling.BICUBIC)


def left_of(column: int) -> int:
    """Where a column begins; the last one stands off a little."""
    return MARGIN + column * (CELL + GAP) + (GAP if column == 3 else 0)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(size=size)
