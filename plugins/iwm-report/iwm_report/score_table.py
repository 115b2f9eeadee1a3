"""An evaluator's metrics as a table, for one run or several.

Decisions:
- A metric is ``measure[.part]``. A measure is a group of lines, a part a line, and a control stands beside what it controls.
- Values of one measure share a scale, from 0 or below to 1 or above, so that marks can be compared by eye: along the table and across runs.
- Parts beside their measure, and more than a few, are details: a reader meets a short table first.
- Runs are told apart only where intervals do not overlap: a sign says that a run's interval lies wholly above, or below, those of all
  others. Which of the two is better is for the measure's own words to say. No sign stands where settings, data or chance differ: `apart`
  says why.
"""

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from iwm_evals.measuring.measured import Measured
from iwm_evals.measuring.settings import UNKNOWN, against
from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.results import CONTROLS, Metric
from iwm_report.numbers import measure_and_part

FEW = 6
LETTER = 2.2  # per cent of a scale: the room of a letter of a label
END = 70.0  # per cent of a scale: labels beyond it end at their place, and do not begin there


class Tick(NamedTuple):
    """Where controls that lie close to each other stand on a measure's scale, in percent, and what they are."""

    place: float
    label: str


def tick(controls: list[tuple[float, str]]) -> Tick:
    """One label for some controls."""
    return Tick(controls[0][0], ", ".join(name for _, name in controls))


def room(one: Tick) -> tuple[float, float]:
    """Where a label begins and ends."""
    width = LETTER * (len(one.label) + 1)
    return (one.place - width, one.place) if one.place > END else (one.place, one.place + width)


class Mark(NamedTuple):
    """Where a value, its interval and its controls lie on the measure's scale, in percent; ``controls`` by their names."""

    value: float
    low: float
    high: float
    controls: dict[str, float]

    def ticks(self) -> list[Tick]:
        """Labels for the controls, those together that would else stand on each other."""
        groups: list[list[tuple[float, str]]] = []
        for place, name in sorted((place, name) for name, place in self.controls.items()):
            groups.append([(place, name)])
            while len(groups) > 1 and room(tick(groups[-2]))[1] > room(tick(groups[-1]))[0]:
                last = groups.pop()
                groups[-1] += last
        return [tick(group) for group in groups]


@dataclass
class Line:
    """A metric and its controls, one of each a run; None where a run has none."""

    part: str
    values: list[Metric | None]
    controls: dict[str, list[Metric | None]] = field(default_factory=dict)
    signs: list[str] = field(default_factory=list)
    images: str = ""
    span: float = 0.0
    marks: list[Mark | None] = field(default_factory=list)


@dataclass
class Group:
    """The lines of a measure; the ends of their scale; ``better``: higher, lower, or nothing where that cannot be said."""

    measure: str
    about: str
    better: str = ""
    lines: list[Line] = field(default_factory=list)
    scale: tuple[float, float] = (0.0, 1.0)

    def name_of(self, line: Line) -> str:
        """The metric's name of a line."""
        return f"{self.measure}.{line.part}" if line.part else self.measure


@dataclass
class ScoreTable:
    """An evaluator's tables.

    Attributes:
        groups: the measures, without the parts that are in ``details``.
        details: parts of measures that stand for themselves without them, or that are many (`FEW`).
        controls: those that occur, each with its meaning.
        signed: whether some run stands out.
        apart: why runs, or values of some measures, are not compared, a line each.
    """

    groups: list[Group]
    details: list[Group]
    controls: dict[str, str]
    signed: bool
    apart: list[str]


def make_score_table(found: list[Measured | None]) -> ScoreTable:
    """The table of one evaluator; one entry a run, None where it has not measured."""
    groups: dict[str, Group] = {}
    for name in dict.fromkeys(name for one in found if one for name in one.metrics):
        measure, part = measure_and_part(name)
        about = next((one.about[measure] for one in found if one and measure in one.about), "")
        values = [one.metrics.get(name) if one else None for one in found]
        line = Line(part, values)
        for control in (control for control in CONTROLS if any(metric and control in metric.controls for metric in values)):
            line.controls[control] = [metric.controls.get(control) if metric else None for metric in values]
        better = next((one.better[measure] for one in found if one and measure in one.better), "")
        groups.setdefault(measure, Group(measure, about, better)).lines.append(line)
    lines = [line for group in groups.values() for line in group.lines]
    measured = [one for one in found if one]
    reason = UNKNOWN if len({one.old for one in measured}) > 1 else against([one.asked for one in measured])
    apart = [f"{reason}: not comparable, so that no run is marked"] if reason else []
    for measure, line in [(group.measure, line) for group in groups.values() for line in group.lines]:
        differs = "" if reason else chances_differ(line.controls.get("chance", []))
        if differs:
            apart.append(f"{measure}{'.' * bool(line.part)}{line.part}: chance {differs}: not comparable, so that no run is marked")
        line.signs = [""] * len(found) if reason or differs else signs_of(line.values)
        line.images = " and ".join(dict.fromkeys(f"{m.n:,}" for m in line.values if m))
    occurring = {control for line in lines for control in line.controls}
    controls = {control: meaning for control, meaning in CONTROLS.items() if control in occurring}
    heads, details = [], []
    for group in groups.values():
        bare = [line for line in group.lines if not line.part]
        parts = [line for line in group.lines if line.part]
        folded = bool(bare and parts) or len(parts) > FEW
        if bare or not folded:
            heads.append(replace(group, lines=bare if folded else group.lines))
        if folded:
            details.append(replace(group, lines=parts, about="" if bare else group.about))
    for group in [*heads, *details]:
        group.scale = scale_of(group)
        for line in group.lines:
            line.span = group.scale[1] - group.scale[0]
            line.marks = [mark_of(line, run, group.scale) for run in range(len(found))]
    return ScoreTable(heads, details, controls, any(sign for line in lines for sign in line.signs), apart)


def first_metric(one: Measured) -> list[tuple[str, Metric]]:
    """The first metric of an evaluator with its name, as in the first line of its table, where parts come last; none where it has none."""
    card = make_score_table([one])
    return [(group.name_of(group.lines[0]), metric) for group in [*card.groups, *card.details][:1] if (metric := group.lines[0].values[0])]


def chances_differ(chances: list[Metric | None]) -> str:
    """The values of chance, where they are not the same: where intervals of some, which have no width where they are exact, lie apart."""
    known = [m for m in chances if m and math.isfinite(m.low + m.high)]
    if not known or max(m.low for m in known) - min(m.high for m in known) <= 1e-6 * max(abs(m.value) for m in known):
        return ""
    return " against ".join(dict.fromkeys(three_digits(m.value) for m in known))


def scale_of(group: Group) -> tuple[float, float]:
    """The ends of a measure's scale: all of its finite numbers, and 0, and 1 where none is above it by much."""
    metrics = [m for line in group.lines for values in (line.values, *line.controls.values()) for m in values if m]
    numbers = [x for m in metrics for x in (m.value, m.low, m.high) if math.isfinite(x)]
    low, high = min([0.0, *numbers]), max([0.0, *numbers])
    return low, (1.0 if 0.1 < high <= 1 or low == high else high)


def mark_of(line: Line, run: int, scale: tuple[float, float]) -> Mark | None:
    """A run's mark, or None where there is no number."""
    metric = line.values[run]
    if metric is None or not math.isfinite(metric.value):
        return None
    low, high = scale
    controls = {name: m.value for name, values in line.controls.items() if (m := values[run]) is not None and math.isfinite(m.value)}

    def place(number: float) -> float:
        return 100 * ((number if math.isfinite(number) else metric.value) - low) / (high - low)

    return Mark(place(metric.value), place(metric.low), place(metric.high), {name: place(number) for name, number in controls.items()})


def signs_of(values: list[Metric | None]) -> list[str]:
    """▲ for a run whose interval lies wholly above those of all others, ▼ for one wholly below, nothing else."""
    signs = []
    for own in values:
        others = [m for m in values if m is not None and m is not own]
        if (
            own is None
            or three_digits(own.value) in {three_digits(m.value) for m in others}
            or not others
            or not all(math.isfinite(m.low + m.high) for m in (own, *others))
        ):
            signs.append("")
        elif own.low > max(m.high for m in others):
            signs.append("▲")
        elif own.high < min(m.low for m in others):
            signs.append("▼")
        else:
            signs.append("")
    return signs
