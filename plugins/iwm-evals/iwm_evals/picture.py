"""The picture of the scorecard: what was asked, what the truth was, and what the prediction is closest to.

Decisions:
- A prediction has no pixels. It is shown by the element of the bank that it is nearest to, which is what the rank is about.
- Right and wrong differ by shape and by frame (tick in a whole frame, cross in a broken one), then by colour (blue and vermilion of
  Okabe and Ito's palette), so neither a colour-blind reader nor a grey print loses anything.
- An action is written number by number, each beside a bar from its zero line: signs and sizes are compared by eye across rows. Numbers
  that are zero in every row (flags of operations that no target carries) are left out.
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
TITLE, HEADER, VERDICT, LINE = 92, 34, 36, 24  # heights
BAR, NUMBER, SPACE = 120, 56, 16  # widths in the line of a number
INK, PALE, RULE, PAPER = "#1a1a1a", "#666666", "#c8c8c8", "#ffffff"
RIGHT, WRONG = "#0072B2", "#D55E00"
HEADINGS = ("source", "true target", "nearest to prediction", "action")
ZERO = 0.005  # smaller numbers are written 0.00


class Row(NamedTuple):
    """One question put to the world model: its images, the action's numbers, and the rank of the truth."""

    source: Float[Tensor, "3 h w"]
    target: Float[Tensor, "3 h2 w2"]
    nearest: Float[Tensor, "3 h2 w2"]
    action: list[float]
    rank: float


class Words(NamedTuple):
    """What the numbers of an action are called: the action and the label of each, and which of them are written."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    written: list[int]

    def widths(self) -> tuple[int, int]:
        """Pixels of the longest name and of the longest label."""
        longest = [max((font(16).getlength(text[i]) for i in self.written), default=0) for text in (self.names, self.labels)]
        return int(longest[0]) + SPACE, int(longest[1]) + SPACE


def draw_picture(
    rows: list[Row], names: tuple[str, ...], labels: tuple[str, ...], metrics: dict[str, Metric], bank: int, path: Path
) -> None:
    """Write the rows under a title with the metrics, as a PNG; ``names`` and ``labels`` belong to the numbers of an action."""
    words = Words(names, labels, [i for i in range(len(names)) if any(abs(row.action[i]) >= ZERO for row in rows)])
    height = max(CELL, VERDICT + LINE * len(words.written))
    width = column_left(3) + sum(words.widths()) + BAR + NUMBER + MARGIN
    page = Image.new("RGB", (width, 2 * MARGIN + TITLE + HEADER + (height + GAP) * len(rows) - GAP), PAPER)
    pen = ImageDraw.Draw(page)
    draw_title(pen, metrics, bank)
    top = MARGIN + TITLE
    for column, text in enumerate(HEADINGS):
        pen.text((column_left(column), top), text, fill=PALE, font=font(16))
    for number, row in enumerate(rows):
        draw_row(page, row, words, bank, top + HEADER + (height + GAP) * number)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)


def draw_title(pen: ImageDraw.ImageDraw, metrics: dict[str, Metric], bank: int) -> None:
    """Two lines: the result with its interval, and what to compare it with."""
    mrr = metrics["mrr"]
    result = f"MRR {mrr.value:.3f}"
    interval = f"95 % interval {mrr.low:.3f} to {mrr.high:.3f}   ·   {mrr.n} images, {bank} versions of each"
    pen.text((MARGIN, MARGIN + 24), result, fill=INK, font=font(32), anchor="ls")
    pen.text((MARGIN + font(32).getlength(result) + SPACE, MARGIN + 24), interval, fill=PALE, font=font(16), anchor="ls")
    others = (("chance", "mrr_chance"), ("shuffled action", "mrr_shuffled"), ("null action", "mrr_null"), ("H@1", "h1"), ("H@5", "h5"))
    text = "   ·   ".join(f"{word} {metrics[name].value:.3f}" for word, name in others)
    pen.text((MARGIN, MARGIN + 56), text, fill=INK, font=font(16), anchor="ls")


def draw_row(page: Image.Image, row: Row, words: Words, bank: int, top: int) -> None:
    """Three images, the verdict and the action."""
    pen = ImageDraw.Draw(page)
    right = row.rank == 1
    colour = RIGHT if right else WRONG
    for column, pixels in enumerate((row.source, row.target, row.nearest)):
        page.paste(cell(pixels), (column_left(column), top))
    draw_frame(pen, column_left(2), top, colour, whole=right)
    left = column_left(3)
    draw_mark(pen, left, top + 3, colour, tick=right)
    verdict = f"{'found' if right else 'missed'}: rank {row.rank:g} of {bank}"
    pen.text((left + 26, top + 18), verdict, fill=INK, font=font(18), anchor="ls")
    for line, number in enumerate(words.written):
        name, label = words.names[number], words.labels[number]
        first = line == 0 or name != words.names[words.written[line - 1]]
        place = (left, top + VERDICT + LINE * line + 18)
        shown = (name if first else "", label if label != name else "")
        draw_number(pen, place, shown, words.widths(), row.action[number])


def draw_number(pen: ImageDraw.ImageDraw, place: tuple[int, int], words: tuple[str, str], widths: tuple[int, int], value: float) -> None:
    """The action's name, the number's label, a bar on a scale of -1 to 1, and the number; ``place`` is the left end of the base line."""
    left, base = place
    pen.text((left, base), words[0], fill=PALE, font=font(16), anchor="ls")
    pen.text((left + widths[0], base), words[1], fill=INK, font=font(16), anchor="ls")
    zero, half = left + sum(widths) + BAR // 2, BAR // 2
    pen.line((zero - half, base - 5, zero + half, base - 5), fill=RULE)
    written = abs(value) >= ZERO
    if written:
        end = zero + round(max(-1.0, min(1.0, value)) * half)
        pen.rectangle((min(zero, end), base - 9, max(zero, end), base - 1), fill=PALE)
    pen.line((zero, base - 12, zero, base + 2), fill=INK)
    pen.text((zero + half + NUMBER, base), f"{value:+.2f}" if written else "0.00", fill=INK, font=font(16), anchor="rs")


def draw_frame(pen: ImageDraw.ImageDraw, left: int, top: int, colour: str, whole: bool) -> None:
    """A frame around a cell: whole, or broken into dashes."""
    edges = (left - 5, top - 5, left + CELL + 4, top + CELL + 4)
    if whole:
        pen.rectangle(edges, outline=colour, width=4)
        return
    dash = (CELL + 10) / 11  # an odd number of parts puts a dash on every corner
    for start, end in ((round(part * dash), round((part + 1) * dash) - 1) for part in range(0, 11, 2)):
        for y in (edges[1], edges[3] - 3):
            pen.rectangle((edges[0] + start, y, edges[0] + end, y + 3), fill=colour)
        for x in (edges[0], edges[2] - 3):
            pen.rectangle((x, edges[1] + start, x + 3, edges[1] + end), fill=colour)


def draw_mark(pen: ImageDraw.ImageDraw, left: int, top: int, colour: str, tick: bool) -> None:
    """A tick or a cross, 16 pixels wide."""
    strokes = [(0, 9, 6, 15, 16, 1)] if tick else [(1, 1, 15, 15), (1, 15, 15, 1)]
    for stroke in strokes:
        points = [(left + x, top + y) for x, y in zip(stroke[::2], stroke[1::2], strict=True)]
        pen.line(points, fill=colour, width=4, joint="curve")


def cell(pixels: Float[Tensor, "3 h w"]) -> Image.Image:
    """An image in [0, 1] at the size of a cell."""
    values = (pixels.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().numpy()).resize((CELL, CELL), Image.Resampling.BICUBIC)


def column_left(column: int) -> int:
    """Where a column begins; the text stands off a little."""
    return MARGIN + column * (CELL + GAP) + (8 if column == 3 else 0)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(size=size)
