"""Draws a chart.

Decisions:
- Series differ by marker and dashes as well as by colour; `STYLES` of them are all different. Bars carry the marker at their end.
- Bars lie flat: their names are read without turning the head, also on a phone.
"""

import math
import textwrap
from functools import cache
from typing import Any, NamedTuple

from iwm_evals.measuring.tables import three_digits
from matplotlib.figure import Figure

from iwm_core.interfaces.results import Series
from iwm_report.joined_charts import Axes, Panel, cut
from iwm_report.svg import COLOURS, INK, PALE, PAPER, SERIES, inline, own_settings

WIDTH, HEIGHT = 4.6, 3.0  # inches of 72 units
BAR_ROW, BAR_LEAST, BAR_REST = 0.26, 0.13, 1.0  # inches: of a bar, of one of many, and of what is not bars
BARS_NUMBERED = 30
BARS_FADED = 0.75  # opacity where a marker is at their end
POINTS_LARGE = 30
LINE = 0.22  # inches: of a line of text, in a chart whose axes take three quarters of it
WRAP = 24  # letters of a line of a bar's name
MARKERS = "osD^vPX*"
DASHES: list[Any] = ["-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (7, 2, 1.2, 2)), (0, (3, 1.2))]
STYLES = 280  # colours × markers × dashes, whose numbers share no factor
LEVEL_DASHES: list[Any] = [(0, (2, 2)), (0, (5, 3)), (0, (1, 3)), (0, (6, 2, 1, 2))]


class Style(NamedTuple):
    """How a series looks."""

    colour: str
    marker: str
    dashes: Any


def style(number: int) -> Style:
    """The look of the series of a number."""
    return Style(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], DASHES[number % len(DASHES)])


def draw_chart(panel: Panel, number: int) -> str:
    """A chart as an ``<svg>`` element; ``number`` keeps its ids apart from those of the page's other drawings."""
    kinds = {"lines": draw_lines, "points": draw_points, "bars": draw_bars}
    with own_settings():
        figure = Figure(figsize=(WIDTH, height_of(panel)))
        axes = figure.add_subplot()
        kinds[panel.chart.kind](axes, panel)
        return inline(figure, f"c{number}")


@cache
def draw_key(number: int, kind: str) -> str:
    """The look of a series in a chart of this kind, for a legend: its marker, on a piece of its line or bar where it has one."""
    look = style(number)
    with own_settings():
        figure = Figure(figsize=(0.2 if kind == "points" else 0.4, 0.2))
        figure.set_layout_engine("none")
        axes = figure.add_axes((0, 0, 1, 1), xlim=(-1, 1), ylim=(-1, 1))
        axes.set_axis_off()
        if kind == "lines":
            axes.plot([-1, 1], [0, 0], color=look.colour, linestyle=look.dashes, linewidth=1.8)
        if kind == "bars":
            axes.barh([0], [1.6], 0.9, left=-1, color=look.colour, alpha=BARS_FADED)
        axes.plot(
            [0.6 if kind == "bars" else 0],
            [0],
            color=look.colour,
            marker=look.marker,
            markersize=6,
            linestyle="none",
            markeredgecolor=PAPER,
            markeredgewidth=0.8,
        )
        return inline(figure, "k0")


def height_of(panel: Panel) -> float:
    """The height of a chart in inches: bars take what they need."""
    if panel.chart.kind != "bars":
        return HEIGHT
    count = len(panel.chart.series)
    row = max(BAR_ROW / count, BAR_LEAST) * count + 0.08
    lines = sum(max(len(textwrap.wrap(name, WRAP)) * 0.17, row) for name in panel.axes.places)
    return BAR_REST + lines


def draw_lines(axes: Any, panel: Panel) -> None:
    """Curves, with their intervals as bands."""
    for number, one in enumerate(panel.chart.series):
        look, xs, gid = style(panel.order.index(one.label)), places_of(one, panel.axes), class_of(panel, one)
        spaced = max(len(xs) // 8, 1)
        axes.plot(
            *(xs, one.y),
            color=look.colour,
            linestyle=look.dashes,
            linewidth=1.8,
            marker=look.marker,
            markersize=5,
            markevery=(number * spaced // max(len(panel.chart.series), 1), spaced),
            markeredgecolor=PAPER,
            markeredgewidth=0.6,
            gid=gid,
        )
        if one.low is not None and one.high is not None:
            axes.fill_between(xs, one.low, one.high, color=look.colour, alpha=0.18, linewidth=0, gid=gid)
    upright(axes, panel)


def draw_points(axes: Any, panel: Panel) -> None:
    """Markers, with their intervals as bars; smaller where they are many."""
    size = 7.5 if sum(len(one.x) for one in panel.chart.series) <= POINTS_LARGE else 4.5
    for one in panel.chart.series:
        look, xs, gid = style(panel.order.index(one.label)), places_of(one, panel.axes), class_of(panel, one)
        if one.low is not None and one.high is not None:
            axes.vlines(xs, one.low, one.high, color=look.colour, linewidth=1.4, gid=gid)
        axes.plot(
            *(xs, one.y),
            color=look.colour,
            marker=look.marker,
            markersize=size,
            linestyle="none",
            markeredgecolor=PAPER,
            markeredgewidth=0.8,
            gid=gid,
        )
    upright(axes, panel)


def upright(axes: Any, panel: Panel) -> None:
    """Axes, texts and levels of lines and points: what y is stands above the axis, where it can be read."""
    axes.set(xlim=panel.axes.x, ylim=panel.axes.y)
    axes.set_xlabel(textwrap.fill(panel.chart.x, 60))
    axes.set_title(textwrap.fill(panel.chart.y, 60), loc="left", fontsize=10, pad=8)
    axes.grid(axis="y" if panel.chart.kind == "lines" else "both")
    if panel.axes.places:
        axes.set_xticks(range(len(panel.axes.places)), [textwrap.fill(p, 12) for p in panel.axes.places])
    else:
        axes.locator_params(axis="x", nbins=6)
    axes.tick_params(length=0)
    levels = sorted((level, textwrap.fill(name, 14)) for name, level in panel.chart.levels.items() if math.isfinite(level))
    line = LINE / HEIGHT * (panel.axes.y[1] - panel.axes.y[0])
    heights = spread([level for level, _ in levels], [line * (1 + text.count("\n")) for _, text in levels])
    for number, ((level, text), height) in enumerate(zip(levels, heights, strict=True)):
        axes.axhline(level, color=PALE, linewidth=1.2, linestyle=LEVEL_DASHES[number % len(LEVEL_DASHES)], zorder=1.5)
        axes.text(1.01, height, text, transform=axes.get_yaxis_transform(), va="center", fontsize=9, color=PALE)
    if panel.chart.diagonal:
        axes.axline((0, 0), slope=1, color=PALE, linewidth=1.2, linestyle=LEVEL_DASHES[0], zorder=1.5)
        axes.text(1.01, 1.0, panel.chart.diagonal, transform=axes.transAxes, va="top", fontsize=9, color=PALE)


def spread(centres: list[float], sizes: list[float]) -> list[float]:
    """The centres of texts of these sizes, ascending: each at its own place, or moved up until it clears the one below."""
    placed: list[float] = []
    for place, (centre, size) in enumerate(zip(centres, sizes, strict=True)):
        placed.append(max(centre, placed[-1] + (sizes[place - 1] + size) / 2) if placed else centre)
    return placed


def draw_bars(axes: Any, panel: Panel) -> None:
    """Flat bars, the first on top, with their intervals as whiskers and, where they are few, their numbers."""
    series, places = panel.chart.series, panel.axes.places
    thick = 0.8 / max(len(series), 1)
    numbered = len(series) * len(places) <= BARS_NUMBERED
    width = panel.axes.y[1] - panel.axes.y[0]
    for number, one in enumerate(series):
        look, gid = style(panel.order.index(one.label)), class_of(panel, one)
        ys = [places.index(str(x)) - 0.4 + thick * (number + 0.5) for x in one.x]
        lengths = [cut(y, panel.chart) for y in one.y]
        axes.barh(ys, lengths, thick * 0.82, color=look.colour, alpha=BARS_FADED if len(series) > 1 else 1, gid=gid)
        ends = list(lengths)
        if one.low is not None and one.high is not None:
            low, high = ([cut(end, panel.chart) for end in bounds] for bounds in (one.low, one.high))
            axes.hlines(ys, low, high, color=INK, linewidth=1.2, gid=gid)
            ends = [max(y, end) if math.isfinite(end) else y for y, end in zip(lengths, high, strict=True)]
        if len(series) > 1:
            axes.plot(lengths, ys, color=look.colour, marker=look.marker, markersize=6, linestyle="none", markeredgecolor=PAPER, gid=gid)
        for y, end, value in zip(ys, ends, one.y, strict=True) if numbered else []:
            if math.isfinite(value):
                axes.text(
                    max(end, 0) + 0.02 * width,
                    y,
                    three_digits(value, width),
                    va="center",
                    fontsize=9,
                    gid=gid,
                    bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 0.6},
                )
    axes.axvline(0, color=INK, linewidth=0.8)
    levels = sorted(((level, name) for name, level in panel.chart.levels.items() if math.isfinite(level)))
    for number, (level, name) in enumerate(levels):
        axes.axvline(level, color=INK, linewidth=1.2, linestyle=LEVEL_DASHES[number % len(LEVEL_DASHES)], zorder=1.5)
        place = axes.get_xaxis_transform()
        axes.text(
            level, 1.0 + 0.16 / height_of(panel) * (number % 3), name, transform=place, ha="center", va="bottom", fontsize=9, color=PALE
        )
    axes.set(xlim=(panel.axes.y[0], panel.axes.y[1] + (0.14 * width if numbered else 0)), ylim=(len(places) - 0.5, -0.5))
    axes.set_yticks(range(len(places)), [textwrap.fill(name, WRAP) for name in places])
    axes.set_xlabel(textwrap.fill(panel.chart.y, 56), loc="right")
    axes.locator_params(axis="x", nbins=5)
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)


def class_of(panel: Panel, series: Series) -> str:
    """The class of all that is drawn of a series."""
    return f"{SERIES}{panel.order.index(series.label)}"


def places_of(series: Series, axes: Axes) -> list[float]:
    """Where a series' points lie along x."""
    return [axes.places.index(str(x)) for x in series.x] if axes.places else series.x
