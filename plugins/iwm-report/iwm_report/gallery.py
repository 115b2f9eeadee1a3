"""Draws galleries: their images one by one, for reports, and each as one picture, ``eval/<gallery>.png``, for the eye.

Decisions:
- Right and wrong differ by shape and by frame (tick in a whole frame, cross in a broken one), then by colour (blue and vermilion of
  Okabe and Ito's palette), so neither a colour-blind reader nor a grey print loses anything.
- An action is written number by number, each beside a bar from its zero line: signs and sizes are compared by eye across rows. Numbers
  that are zero in every row (flags of operations that no target carries) are left out.
- Pillow alone, with the font that it carries; a minus is a hyphen because that font has no other.
"""

import io
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from iwm_core.interfaces import Gallery, Row
from iwm_core.interfaces.events import Evaluated
from iwm_core.run.files import refuse_links, write_atomically, writing
from iwm_report.numbers import ZERO, shown_numbers

CELL, GAP, MARGIN = 176, 20, 40
TITLE, HEADER, VERDICT, LINE = 92, 34, 36, 24  # heights
BAR, NUMBER, SPACE = 120, 56, 16  # widths in the line of a number
INK, PALE, RULE, PAPER = "#1a1a1a", "#666666", "#c8c8c8", "#ffffff"
RIGHT, WRONG = "#0072B2", "#D55E00"


class Words(NamedTuple):
    """The numbers that are written (`shown_numbers`), and the pixels of the longest name and label."""

    numbers: list[tuple[str, str, str]]
    widths: tuple[int, int]


def draw_galleries(event: Evaluated) -> None:
    """Draw the galleries that an evaluator has found, and note where."""
    if event.found.galleries:
        with writing(event.folder):
            event.folder.mkdir(parents=True, exist_ok=True)
    for gallery in event.found.galleries:
        path = event.folder / f"{gallery.name}.png"
        refuse_links(event.folder, path, event.folder / gallery.name)
        write_picture(draw_gallery(gallery), path)
        event.pictures.append(path)
        event.galleries.append(write_tiles(gallery, event.folder, event.beside))


def write_tiles(gallery: Gallery, folder: Path, beside: Path) -> dict[str, Any]:
    """Write the images of a gallery; returns it with their file names, below ``beside``, in their place."""
    rows = []
    with writing(folder / gallery.name):
        (folder / gallery.name).mkdir(exist_ok=True)
    for number, row in enumerate(gallery.rows):
        files = [f"{gallery.name}/{number:02}_{column}.png" for column in range(len(row.images))]
        for file, image in zip(files, row.images, strict=True):
            refuse_links(folder / file)
            write_picture(pixels_of(image), folder / file)
        rows.append({**row._asdict(), "images": [(beside / file).as_posix() for file in files]})
    return {**gallery._asdict(), "rows": rows}


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture as a PNG that is whole or not there; the one that was there before stays where the new one is refused.

    Raises:
        UserError: it cannot be written.
    """
    content = io.BytesIO()
    picture.save(content, "PNG")
    write_atomically(path, content.getvalue())


def draw_gallery(gallery: Gallery) -> Image.Image:
    """A gallery as a picture."""
    numbers = shown_numbers(gallery.rows)
    longest = [max((font(16).getlength(number[part]) for number in numbers), default=0) for part in (1, 2)]
    words = Words(numbers, (int(longest[0]) + SPACE, int(longest[1]) + SPACE))
    columns = len(gallery.headings)
    said = max((26 + font(18).getlength(row.verdict) for row in gallery.rows), default=0)
    told = sum(words.widths) + BAR + NUMBER if numbers else 0
    header = max(font(32).getlength(gallery.title) + SPACE + font(16).getlength(gallery.subtitle), font(16).getlength(gallery.about))
    height = max(CELL, VERDICT + LINE * len(numbers))
    width = int(max(column_left(columns, columns) + max(said, told), MARGIN + header)) + MARGIN
    page = Image.new("RGB", (width, 2 * MARGIN + TITLE + HEADER + (height + GAP) * len(gallery.rows) - GAP), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN + 24), gallery.title, fill=INK, font=font(32), anchor="ls")
    beside = MARGIN + font(32).getlength(gallery.title) + SPACE
    pen.text((beside, MARGIN + 24), gallery.subtitle, fill=PALE, font=font(16), anchor="ls")
    pen.text((MARGIN, MARGIN + 56), gallery.about, fill=INK, font=font(16), anchor="ls")
    for column, text in enumerate(gallery.headings + (("action",) if numbers else ())):
        pen.text((column_left(column, columns), MARGIN + TITLE), text, fill=PALE, font=font(16))
    for number, row in enumerate(gallery.rows):
        draw_row(page, row, words, MARGIN + TITLE + HEADER + (height + GAP) * number)
    return page


def draw_row(page: Image.Image, row: Row, words: Words, top: int) -> None:
    """The images, the verdict and the numbers."""
    pen, columns = ImageDraw.Draw(page), len(row.images)
    for column, pixels in enumerate(row.images):
        page.paste(cell(pixels), (column_left(column, columns), top))
    left = column_left(columns, columns)
    if row.right is not None:
        colour = RIGHT if row.right else WRONG
        draw_frame(pen, column_left(columns - 1, columns), top, colour, whole=row.right)
        draw_mark(pen, left, top + 3, colour, tick=row.right)
    pen.text((left + (0 if row.right is None else 26), top + 18), row.verdict, fill=INK, font=font(18), anchor="ls")
    for line, (full, *parts) in enumerate(words.numbers):
        draw_number(pen, (left, top + VERDICT + LINE * line + 18), (parts[0], parts[1]), words.widths, row.numbers.get(full, 0))


def draw_number(pen: ImageDraw.ImageDraw, place: tuple[int, int], words: tuple[str, str], widths: tuple[int, int], value: float) -> None:
    """The name, the label, a bar on a scale of -1 to 1, and the number; ``place`` is the left end of the base line."""
    left, base = place
    pen.text((left, base), words[0], fill=PALE, font=font(16), anchor="ls")
    pen.text((left + widths[0], base), words[1], fill=INK, font=font(16), anchor="ls")
    zero, half = left + sum(widths) + BAR // 2, BAR // 2
    pen.line((zero - half, base - 5, zero + half, base - 5), fill=RULE)
    visible = abs(value) >= ZERO
    if visible:
        end = zero + round(max(-1.0, min(1.0, value)) * half)
        pen.rectangle((min(zero, end), base - 9, max(zero, end), base - 1), fill=PALE)
    pen.line((zero, base - 12, zero, base + 2), fill=INK)
    pen.text((zero + half + NUMBER, base), f"{value:+.2f}" if visible else "0.00", fill=INK, font=font(16), anchor="rs")


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


def pixels_of(image: Float[Tensor, "3 h w"] | Path) -> Image.Image:
    """An image in [0, 1] for Pillow."""
    assert isinstance(image, Tensor), "files are what is read back of galleries that are drawn already"
    values = (image.detach().float().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(values.permute(1, 2, 0).contiguous().numpy())


def cell(image: Float[Tensor, "3 h w"] | Path) -> Image.Image:
    """An image in [0, 1] at the size of a cell."""
    return pixels_of(image).resize((CELL, CELL), Image.Resampling.BICUBIC)


def column_left(column: int, columns: int) -> int:
    """Where a column begins; the text stands off a little."""
    return MARGIN + column * (CELL + GAP) + (8 if column == columns else 0)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(size=size)
