"""Draws named points with their intervals over a logarithmic axis, such as a metric against the number of trained parameters.

Decisions:
- Each point carries its name: there are few, and a legend would send the eye to and fro. A name takes the place around its point where
  it covers least.
- Colours and markers are those of the reports' charts, and the same for a name in every plot.
- The pictures that stand alone have the page's light colours on its paper.
"""

import io
import re
from collections.abc import Callable
from functools import cache
from math import ceil, log10, sqrt
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from iwm_report.added import Page, Plot
from iwm_report.drawing import style
from iwm_report.environment import TEMPLATES
from iwm_report.joined_charts import span
from iwm_report.svg import INK, PAPER, SETTINGS, VARIABLES, inline, own_settings

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


def draw_added(page: Page) -> None:
    """Draw the plots of a page as ``<svg>`` elements, each with ids of its own."""
    plots = [part for section in page.sections for part in section.parts if isinstance(part, Plot)]
    for number, plot in enumerate(plots, 1):
        with own_settings():
            plot.drawn = Markup(inline(figure_of([plot], lambda colour: colour), f"t{number}"))


def picture(plots: list[Plot], kind: str) -> bytes:
    """All plots in one picture of its own, ``svg`` or ``png``."""
    colours = light()
    with own_settings():
        rcParams.update({key: colours.get(str(value), value) for key, value in SETTINGS.items()})
        rcParams.update({"figure.facecolor": colours[PAPER], "axes.facecolor": colours[PAPER]})
        figure = figure_of(plots, lambda colour: colours.get(colour, colour))
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=200, metadata={"Date": None, "Creator": None} if kind == "svg" else {"Software": None})
    return file.getvalue()


@cache
def light() -> dict[str, str]:
    """The colours of the page's light theme, by the values that stand for them in drawings."""
    style_sheet = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    values = dict(re.findall(r"(--[\w-]+): (#\w+)", style_sheet[: style_sheet.index("}")]))
    return {placeholder: values[name] for placeholder, name in VARIABLES.items()}


def figure_of(plots: list[Plot], paint: Paint) -> Figure:
    """A figure with all plots."""
    columns = ceil(sqrt(len(plots)))
    rows = -(-len(plots) // columns)
    figure = Figure(figsize=(WIDTH * columns, HEIGHT * rows))
    places = [figure.add_subplot(rows, columns, place) for place in range(1, len(plots) + 1)]
    for axes, plot in zip(places, plots, strict=True):
        draw_plot(axes, plot, paint, f"{plot.section}: {plot.y}" if len(plots) > 1 else plot.y)
    figure.draw_without_rendering()  # the layout, so that places on the paper are known
    for axes, plot in zip(places, plots, strict=True):
        name_points(axes, plot, paint)
    return figure


def draw_plot(axes: Any, plot: Plot, paint: Paint, title: str) -> None:
    """Points, intervals and axes."""
    for point in plot.points:
        look = style(plot.order.index(point.name))
        axes.vlines([point.x], [point.metric.low], [point.metric.high], color=paint(look.colour), linewidth=1.4)
        axes.plot(
            *([point.x], [point.metric.value]),
            color=paint(look.colour),
            marker=look.marker,
            markersize=7.5,
            linestyle="none",
            markeredgecolor=paint(PAPER),
            markeredgewidth=0.8,
        )
    sizes = [log10(point.x) for point in plot.points]
    middle, half = (max(sizes) + min(sizes)) / 2, max(0.6 * (max(sizes) - min(sizes)), 0.6)
    ends = [value for point in plot.points for value in (point.metric.low, point.metric.high, point.metric.value)]
    axes.set(xscale="log", xlim=(10 ** (middle - half), 10 ** (middle + half)), ylim=span(ends))
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if half > 1 else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plot.ticks(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(plot.x)
    axes.set_title(title, loc="left", fontsize=10, pad=8)
    axes.grid(axis="both")
    axes.tick_params(which="both", length=0)


def name_points(axes: Any, plot: Plot, paint: Paint) -> None:
    """Write each point's name beside its point, where it covers least of the points, intervals and names that are there."""
    to_points = 72 / axes.figure.dpi
    paper = Box(*(end * to_points for end in axes.get_window_extent().extents))
    taken = []
    places = []
    for point in plot.points:
        values = point.metric.value, point.metric.low, point.metric.high
        ends = [axes.transData.transform((point.x, value)) * to_points for value in values]
        (across, up), (_, low), (_, high) = (end.tolist() for end in ends)
        places.append((across, up, low, high))
        taken += [Box(across - 5, up - 5, across + 5, up + 5), Box(across - 1.5, low, across + 1.5, high)]
    for point, (across, up, low, high) in zip(plot.points, places, strict=True):
        wide, tall = LETTER * FONT * len(point.name), 1.2 * FONT
        beside = [(across + GAP, up + shift * tall) for shift in (0, 0.9, -0.9, 1.8, -1.8)]
        beside += [(across - GAP - wide, up + shift * tall) for shift in (0, 0.9, -0.9, 1.8, -1.8)]
        beside += [(across - wide / 2, high + 0.8 * tall), (across - wide / 2, low - 0.8 * tall)]
        boxes = [Box(left, centre - tall / 2, left + wide, centre + tall / 2) for left, centre in beside]
        covered = [round(sum(box.shared(other) for other in taken) + 5 * (wide * tall - box.shared(paper))) for box in boxes]
        box = boxes[covered.index(min(covered))]
        taken.append(box)
        axes.annotate(
            point.name,
            xy=(point.x, point.metric.value),
            xytext=(box.left - across, (box.low + box.high) / 2 - up),
            textcoords="offset points",
            va="center",
            fontsize=FONT,
            color=paint(INK),
        )
