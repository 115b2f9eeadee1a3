"""Draws a metric against the number of trained parameters, a point a protocol (the paper's Figure 3).

Decisions:
- Each point carries its name: there are few, and a legend would send the eye to and fro. A name takes the place around its point where
  it covers least.
- Colours and markers are those of the reports' charts, and the same for a protocol in every plot.
- The pictures that stand alone have the page's light colours on its paper.
"""

import io
import re
from collections.abc import Callable
from functools import cache
from math import ceil, log10, sqrt
from typing import Any, NamedTuple

from iwm_report.drawing import style
from iwm_report.environment import TEMPLATES
from iwm_report.panels import span
from iwm_report.svg import INK, PAPER, SETTINGS, VARIABLES, inline, own_settings
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from iwm_tasks.comparison.records import Table, count, with_ends

WIDTH, HEIGHT = 4.6, 3.3  # inches
FONT = 9.0
LETTER = 0.56  # width of a letter, in its height
GAP = 7.0  # points between a marker and its name

Paint = Callable[[Any], Any]


class Box(NamedTuple):
    """A rectangle in points."""

    left: float
    low: float
    right: float
    high: float

    def shared(self, other: "Box") -> float:
        """The area that it has in common with another."""
        return max(min(self.right, other.right) - max(self.left, other.left), 0) * max(
            min(self.high, other.high) - max(self.low, other.low), 0
        )


def draw_tradeoff(table: Table, order: list[str], number: int) -> str:
    """A table's plot as an ``<svg>`` element of a page; ``number`` keeps its ids apart from others'."""
    with own_settings():
        return inline(figure_of([table], order, lambda colour: colour), f"t{number}")


def picture(tables: list[Table], order: list[str], kind: str) -> bytes:
    """All tables' plots in one picture of its own, ``svg`` or ``png``."""
    colours = light()
    with own_settings():
        rcParams.update({key: colours.get(str(value), value) for key, value in SETTINGS.items()})
        rcParams.update({"figure.facecolor": colours[PAPER], "axes.facecolor": colours[PAPER]})
        figure = figure_of(tables, order, lambda colour: colours.get(colour, colour))
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=200, metadata={"Date": None, "Creator": None} if kind == "svg" else {"Software": None})
    return file.getvalue()


@cache
def light() -> dict[str, str]:
    """The colours of the page's light theme, by the values that stand for them in drawings."""
    style_sheet = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    values = dict(re.findall(r"(--[\w-]+): (#\w+)", style_sheet[: style_sheet.index("}")]))
    return {placeholder: values[name] for placeholder, name in VARIABLES.items()}


def figure_of(tables: list[Table], order: list[str], paint: Paint) -> Figure:
    """A figure with a plot for each table."""
    columns = ceil(sqrt(len(tables)))
    rows = -(-len(tables) // columns)
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * rows))
    plots = [figure.add_subplot(rows, columns, place) for place in range(1, len(tables) + 1)]
    for axes, table in zip(plots, tables, strict=True):
        plot(axes, table, order, paint, f"{table.task}: {table.metric}" if len(tables) > 1 else table.metric)
    figure.draw_without_rendering()  # the layout, so that places on the paper are known
    for axes, table in zip(plots, tables, strict=True):
        name_points(axes, table, paint)
    return figure


def plot(axes: Any, table: Table, order: list[str], paint: Paint, title: str) -> None:
    """Points, intervals and axes."""
    for entry in table.entries:
        look = style(order.index(entry.protocol))
        x = max(entry.cost.trained, 1)
        axes.vlines([x], [entry.metric.low], [entry.metric.high], color=paint(look.colour), linewidth=1.4)
        axes.plot(
            *([x], [entry.metric.value]),
            color=paint(look.colour),
            marker=look.marker,
            markersize=7.5,
            linestyle="none",
            markeredgecolor=paint(PAPER),
            markeredgewidth=0.8,
        )
    sizes = [log10(max(entry.cost.trained, 1)) for entry in table.entries]
    middle, half = (max(sizes) + min(sizes)) / 2, max(0.6 * (max(sizes) - min(sizes)), 0.6)
    ends = [value for entry in table.entries for value in (entry.metric.low, entry.metric.high, entry.metric.value)]
    axes.set(xscale="log", xlim=(10 ** (middle - half), 10 ** (middle + half)), ylim=span(ends))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if half > 1 else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("trained parameters")
    axes.set_title(title, loc="left", fontsize=10, pad=8)
    axes.grid(axis="both")
    axes.tick_params(which="both", length=0)


def name_points(axes: Any, table: Table, paint: Paint) -> None:
    """Write each protocol's name beside its point, where it covers least of the points, intervals and names that are there."""
    to_points = 72 / axes.figure.dpi
    paper = Box(*(end * to_points for end in axes.get_window_extent().extents))
    taken = []
    places = []
    for entry in table.entries:
        x = max(entry.cost.trained, 1)
        ends = [axes.transData.transform((x, value)) * to_points for value in (entry.metric.value, entry.metric.low, entry.metric.high)]
        (across, up), (_, low), (_, high) = (end.tolist() for end in ends)
        places.append((across, up, low, high))
        taken += [Box(across - 5, up - 5, across + 5, up + 5), Box(across - 1.5, low, across + 1.5, high)]
    for entry, (across, up, low, high) in zip(table.entries, places, strict=True):
        wide, tall = LETTER * FONT * len(entry.protocol), 1.2 * FONT
        beside = [(across + GAP, up + shift * tall) for shift in (0, 0.9, -0.9, 1.8, -1.8)]
        beside += [(across - GAP - wide, up + shift * tall) for shift in (0, 0.9, -0.9, 1.8, -1.8)]
        beside += [(across - wide / 2, high + 0.8 * tall), (across - wide / 2, low - 0.8 * tall)]
        boxes = [Box(left, centre - tall / 2, left + wide, centre + tall / 2) for left, centre in beside]
        covered = [round(sum(box.shared(other) for other in taken) + 5 * (wide * tall - box.shared(paper))) for box in boxes]
        box = boxes[covered.index(min(covered))]
        taken.append(box)
        axes.annotate(
            entry.protocol,
            xy=(max(entry.cost.trained, 1), entry.metric.value),
            xytext=(box.left - across, (box.low + box.high) / 2 - up),
            textcoords="offset points",
            va="center",
            fontsize=FONT,
            color=paint(INK),
        )


def told(table: Table) -> str:
    """A plot in words."""
    points = [f"{one.protocol} {with_ends(one.metric)} with {count(one.cost.trained)}" for one in table.entries]
    return f"{table.task}: {table.metric} against trained parameters. {', '.join(points)}."
