"""Which charts of several runs are drawn into one, and on what axes.

Decisions:
- Charts with one series each become one chart with a series a run; others stand side by side under their runs' names.
- A level that all of these runs share is drawn; one that differs is written beside each run's name.
- Charts of one name share their axes, so that what lies side by side can be compared. A bar's begins at 0, and that of a few points.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.results import Chart

FARTHEST = 1e300  # what comes after it leaves no room for margins in a float
MARGIN = 0.05  # of the axis, beyond what is drawn
POINTS_TOLD = 8  # of a series, in alternative texts
FEW = 4  # points of a line; of fewer, the axis begins at 0, as any step would else seem to be from bottom to top


class Axes(NamedTuple):
    """The ends of both axes; ``places`` of texts along x, where they are not numbers."""

    x: tuple[float, float]
    y: tuple[float, float]
    places: list[str]


class Panel(NamedTuple):
    """A chart to be drawn.

    Attributes:
        label: names its run where it is one of several.
        order: a series' place among these decides its look, which is then the same in every chart of a run, or of an evaluator.
        told: what is said of a series beside its label.
    """

    label: str
    chart: Chart
    axes: Axes
    order: list[str]
    told: dict[str, str]

    def name_of(self, label: str) -> str:
        """A series' label with what is said of it."""
        return f"{label} ({self.told[label]})" if self.told.get(label) else label


def panels(labels: Sequence[str], charts: Sequence[Chart | None], apart: bool = False) -> list[Panel]:
    """The panels of the charts of one name, one chart a run (None where it has none); ``apart``: not comparable, so that none is joined."""
    present = [(label, chart) for label, chart in zip(labels, charts, strict=True) if chart is not None]
    if len(labels) > 1 and not apart and all(len(chart.series) == 1 and chart.kind == present[0][1].kind for _, chart in present):
        joined = join([chart for _, chart in present], [label for label, _ in present])
        return [Panel("", joined, axes_of([joined]), list(labels), {label: own_levels(chart, joined) for label, chart in present})]
    axes = axes_of([chart for _, chart in present])
    order = list(dict.fromkeys(one.label for _, chart in present for one in chart.series))
    return [Panel(label if len(labels) > 1 else "", chart, axes, order, {}) for label, chart in present]


def join(charts: Sequence[Chart], labels: Sequence[str]) -> Chart:
    """One chart with a series a run, and the levels that are the same in all."""
    series = tuple(chart.series[0]._replace(label=label) for label, chart in zip(labels, charts, strict=True))
    levels = {name: level for name, level in charts[0].levels.items() if all(chart.levels.get(name) == level for chart in charts)}
    return charts[0]._replace(series=series, levels=levels)


def own_levels(chart: Chart, joined: Chart) -> str:
    """The levels of a run that are not drawn."""
    return ", ".join(f"{name} {three_digits(level)}" for name, level in chart.levels.items() if name not in joined.levels)


def axes_of(charts: Sequence[Chart]) -> Axes:
    """Axes that hold all of some charts."""
    series = [one for chart in charts for one in chart.series]
    every = [x for one in series for x in one.x]
    bars = any(chart.kind == "bars" for chart in charts)
    numeric = not bars and all(isinstance(x, int | float) for x in every)
    places = [] if numeric else list(dict.fromkeys(str(x) for x in every))
    across = span(every) if numeric else (-0.5, max(len(places), 1) - 0.5)
    up = [v for one in series for values in (one.y, one.low or [], one.high or []) for v in values]
    up = [cut(value, chart) for chart in charts[:1] for value in up]
    up += [level for chart in charts for level in chart.levels.values()]
    few = bool(series) and max(len(one.x) for one in series) < FEW and charts[0].kind == "lines"
    return Axes(across, span([*up, 0.0] if bars or few else up), places)


def cut(value: float, chart: Chart) -> float:
    """Where a bar of this value ends in a chart whose bars are no longer than `Chart.longest`."""
    return value if chart.longest is None or not math.isfinite(value) else max(-chart.longest, min(value, chart.longest))


def span(values: Iterable[float]) -> tuple[float, float]:
    """The ends of an axis: all finite numbers, as far as an axis goes, and a margin."""
    numbers = [max(-FARTHEST, min(v, FARTHEST)) for v in values if math.isfinite(v)]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    margin = MARGIN * (high - low) or abs(high) * 0.1 or 0.5
    return low - margin, high + margin


def alternative(panel: Panel) -> str:
    """A chart in words: what it shows, and the numbers that matter."""
    chart = panel.chart
    told = [f"{chart.title}{f', {panel.label}' if panel.label else ''}: {chart.y}{' against ' + chart.x if chart.x else ''}."]
    told += [chart.about.rstrip(". ") + "."] if chart.about else []
    told += [f"{panel.name_of(one.label)}: {numbers_told(one.x, one.y)}." for one in chart.series]
    told += [f"{name} at {three_digits(level)}." for name, level in chart.levels.items()]
    told += [f"The diagonal is {chart.diagonal}."] if chart.diagonal else []
    return " ".join(told)


def numbers_told(xs: list[Any], ys: list[float]) -> str:
    """All numbers of a short series, the ends and extremes of a long one."""
    pairs = [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)]
    if not pairs:
        return "no numbers"
    if len(pairs) <= POINTS_TOLD:
        return ", ".join(f"{three_digits(y)} at {named(x)}" for x, y in pairs)
    first, last = pairs[0], pairs[-1]
    lowest, highest = min(y for _, y in pairs), max(y for _, y in pairs)
    ends = f"{three_digits(first[1])} at {named(first[0])} to {three_digits(last[1])} at {named(last[0])}"
    return f"{ends}, between {three_digits(lowest)} and {three_digits(highest)}"


def named(x: Any) -> str:
    """A place along x: whole numbers, such as steps, without decimals."""
    return f"{x:g}" if isinstance(x, int | float) else str(x)
