"""Tables of texts, for a terminal or a log.

Decisions:
- In a log or a pipe, a row is a line of any length, which can be searched and cut. On a terminal no line is longer than the terminal is
  wide, as it would break where no eye expects it.
- Where a row is too long, its last columns stand below it, each by its name; a last column of prose alone goes on in its place where there
  is room. Nothing is left out, and no number is broken.
"""

import shutil
import sys
import textwrap
from collections.abc import Sequence

from iwm_core.process.shown import shown

GAP, INDENT = 2, 4
PROSE = 45  # signs of a line that are read with ease
PHRASE = 40  # signs of what is broken last
NARROWEST, WIDEST = 40, 110
FIXED = "\N{NO-BREAK SPACE}"


def width() -> int:
    """Signs of a line of prose on this terminal, or in a log."""
    return min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)


def room() -> int | None:
    """Signs of a line of a table; None where they are not bounded."""
    return max(shutil.get_terminal_size().columns, NARROWEST) if sys.stdout.isatty() else None


def folded(text: str, most: int, indent: int = 0) -> list[str]:
    """A text in lines of at most ``most`` signs, those after the first indented."""
    return [line.replace(FIXED, " ") for line in textwrap.wrap(text, most, subsequent_indent=" " * indent, break_on_hyphens=False)]


def tabulated(head: Sequence[str], rows: Sequence[Sequence[str]], most: int | None, keep: int = 0, numbers: bool = False) -> list[str]:
    """The lines of a table.

    Args:
        head: the names of the columns.
        most: signs of a line; None: any number.
        keep: columns that stay where not all find room; 0: as many as do.
        numbers: all columns but the first hold numbers, and stand to the right.
    """
    texts = [[shown(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]

    def line(cells: Sequence[str]) -> str:
        placed = (cell.rjust(w) if numbers and place else cell.ljust(w) for place, (cell, w) in enumerate(zip(cells, widths, strict=False)))
        return (" " * GAP).join(placed).rstrip()

    ends = [sum(widths[: place + 1]) + GAP * place for place in range(len(widths))]
    if most is None or ends[-1] <= most:
        return [line(row) for row in texts]
    before = ends[-2] + GAP if len(ends) > 1 else 0
    if not keep and most - before >= PROSE:
        parts = [(row[:-1], folded(row[-1], most - before) or [""]) for row in texts]
        return [line([*(cells if not place else [""] * len(cells)), part]) for cells, lines in parts for place, part in enumerate(lines)]
    count = keep or max(sum(end <= most for end in ends), 1)
    made = []
    for number, row in enumerate(texts):
        made += [line(row[:count])] if ends[count - 1] <= most else folded(FIXED.join(row[:count]), most)
        rest = [(name, cell) for name, cell in zip(texts[0][count:], row[count:], strict=True) if cell]
        named = [cell if count == len(head) - 1 else f"{name.lower() if name.isupper() else name} {cell}" for name, cell in rest]
        whole = " · ".join(part.replace(" ", FIXED) if len(part) <= PHRASE else part for part in named)
        made += [" " * INDENT + part for part in folded(whole, most - INDENT)] if number else []
    return made
