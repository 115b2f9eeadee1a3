"""Draws galleries: their images one by one, for reports, and each as one picture, ``eval/<gallery>.png``, for the eye.

Decisions:
- Right and wrong differ by shape and by frame (tick in a whole frame, cross in a broken one), then by colour (blue and vermilion of
  Okabe and Ito's palette), so neither a colour-blind reader nor a grey print loses anything.
- An action is written number by number, each beside a bar from its zero line: signs and sizes are compared by eye across rows. Numbers
  that are zero in every row (flags of operations that no target carries) are left out.
- All images are as large, whatever their pixels. Small ones are enlarged with hard edges: a smooth picture would show a finer image than
  there is, and a blurred one could not be told from it.
- Pillow draws, with the fonts that come with matplotlib: Pillow's own has no ``×``, ``−`` or Greek.
"""

import io
from functools import cache
from importlib.util import find_spec
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

CELL, GAP, MARGIN = 192, 16, 40
HEADER, CAPTION, VERDICT, LINE = 34, 34, 38, 28  # heights
BAR, NUMBER, SPACE = 120, 60, 18  # widths in the line of a number
NARROW = 860  # pixels that texts have at least
TITLE, SMALL, WORDS = 32, 17, 20  # sizes of letters
INK, PALE, RULE, PAPER = "#1a1a1a", "#595959", "#c8c8c8", "#ffffff"
RIGHT, WRONG = "#0072B2", "#D55E00"


class Layout(NamedTuple):
    """Where what lies in every row.

    Attributes:
        numbers: that are written (`shown_numbers`).
        widths: pixels of the longest name and label of a number.
        titles: pixels of the titles of rows, before the images.
        columns: of images.
        heights: of the rows.
    """

    numbers: list[tuple[str, str, str]]
    widths: tuple[int, int]
    titles: int
    columns: int
    heights: list[int]

    def left(self, column: int) -> int:
        """Where a column begins; the text behind the last one stands off a little."""
        return MARGIN + self.titles + column * (CELL + GAP) + (8 if column == self.columns else 0)


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
    layout = lay_out(gallery)
    numbers = sum(layout.widths) + BAR + NUMBER if layout.numbers else 0
    said = max((26 + font(WORDS).getlength(row.verdict) if row.verdict else 0 for row in gallery.rows), default=0)
    right = layout.left(layout.columns) + max(said, numbers) if said or numbers else layout.left(layout.columns) - GAP - 8
    width = int(max(right, MARGIN + NARROW, MARGIN + font(TITLE, bold=True).getlength(gallery.title))) + MARGIN
    texts = [(line, SMALL + 2) for line in wrapped(gallery.subtitle, SMALL + 2, width - 2 * MARGIN)]
    texts += [(line, SMALL) for line in wrapped(gallery.about, SMALL, width - 2 * MARGIN)]
    headings = [*gallery.headings, *(["action"] if layout.numbers else [])]
    top = MARGIN + TITLE + 14 + LINE * len(texts) + (HEADER if any(headings) else 14)
    page = Image.new("RGB", (width, top + MARGIN + sum(layout.heights) + GAP * (len(gallery.rows) - 1)), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN + 26), gallery.title, fill=INK, font=font(TITLE, bold=True), anchor="ls")
    for number, (line, size) in enumerate(texts):
        pen.text((MARGIN, MARGIN + TITLE + 30 + LINE * number), line, fill=INK if size > SMALL else PALE, font=font(size), anchor="ls")
    for column, text in enumerate(headings):
        pen.text((layout.left(column), top - 10), text, fill=INK, font=font(SMALL), anchor="ls")
    for row, height in zip(gallery.rows, layout.heights, strict=True):
        draw_row(page, row, layout, top)
        top += height + GAP
    return page


def lay_out(gallery: Gallery) -> Layout:
    """The places of a gallery's parts."""
    numbers = shown_numbers(gallery.rows)
    name, label = (max((int(font(SMALL).getlength(number[part])) for number in numbers), default=0) + SPACE for part in (1, 2))
    titles = [row.title.split("\n") for row in gallery.rows if row.title]
    widest = max((font(WORDS, bold=number == 0).getlength(line) for lines in titles for number, line in enumerate(lines)), default=0)
    left = int(widest) + SPACE + GAP if titles else 0
    return Layout(numbers, (name, label), left, len(gallery.headings), [height_of(row, len(numbers)) for row in gallery.rows])


def height_of(row: Row, numbers: int) -> int:
    """What the taller needs: images and their captions, the title before them, or the verdict and numbers behind them."""
    return max(CELL + (CAPTION if any(row.captions) else 0), LINE * (row.title.count("\n") + 1), VERDICT + LINE * numbers)


def draw_row(page: Image.Image, row: Row, layout: Layout, top: int) -> None:
    """The title, the images with their captions, the verdict and the numbers."""
    pen, columns = ImageDraw.Draw(page), len(row.images)
    for number, line in enumerate(row.title.split("\n")):
        pen.text((MARGIN, top + 24 + LINE * number), line, fill=INK, font=font(WORDS, bold=number == 0), anchor="ls")
    for column, pixels in enumerate(row.images):
        page.paste(cell(pixels), (layout.left(column), top))
    for column, text in enumerate(row.captions):
        pen.text((layout.left(column) + CELL // 2, top + CELL + 24), text, fill=INK, font=font(WORDS), anchor="ms")
    left = layout.left(layout.columns)
    if row.right is not None:
        colour = RIGHT if row.right else WRONG
        draw_frame(pen, layout.left(columns - 1), top, colour, whole=row.right)
        draw_mark(pen, left, top + 3, colour, tick=row.right)
    pen.text((left + (0 if row.right is None else 26), top + 18), row.verdict, fill=INK, font=font(WORDS), anchor="ls")
    for line, (full, *parts) in enumerate(layout.numbers):
        draw_number(pen, (left, top + VERDICT + LINE * line + 18), (parts[0], parts[1]), layout.widths, row.numbers.get(full, 0))


def draw_number(pen: ImageDraw.ImageDraw, place: tuple[int, int], words: tuple[str, str], widths: tuple[int, int], value: float) -> None:
    """The name, the label, a bar on a scale of -1 to 1, and the number; ``place`` is the left end of the base line."""
    left, base = place
    pen.text((left, base), words[0], fill=PALE, font=font(SMALL), anchor="ls")
    pen.text((left + widths[0], base), words[1], fill=INK, font=font(SMALL), anchor="ls")
    zero, half = left + sum(widths) + BAR // 2, BAR // 2
    pen.line((zero - half, base - 5, zero + half, base - 5), fill=RULE)
    visible = abs(value) >= ZERO
    if visible:
        end = zero + round(max(-1.0, min(1.0, value)) * half)
        pen.rectangle((min(zero, end), base - 9, max(zero, end), base - 1), fill=PALE)
    pen.line((zero, base - 12, zero, base + 2), fill=INK)
    pen.text(
        (zero + half + NUMBER, base), f"{value:+.2f}".replace("-", "−") if visible else "0.00", fill=INK, font=font(SMALL), anchor="rs"
    )


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
    pixels = pixels_of(image)
    times = -(-CELL // min(pixels.size))
    if times > 1:  # the last bit by areas, which keeps edges hard
        large = pixels.resize((pixels.width * times, pixels.height * times), Image.Resampling.NEAREST)
        return large.resize((CELL, CELL), Image.Resampling.BOX)
    return pixels.resize((CELL, CELL), Image.Resampling.LANCZOS)


def wrapped(text: str, size: int, width: int) -> list[str]:
    """A text in lines of at most some pixels; a longer word has its own."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font(size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, from where matplotlib keeps it."""
    found = find_spec("matplotlib")
    assert found is not None, "iwm-report needs matplotlib"
    assert found.submodule_search_locations is not None
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(found.submodule_search_locations[0]) / "mpl-data/fonts/ttf" / name, size)
