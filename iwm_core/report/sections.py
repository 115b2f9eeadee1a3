"""What a report shows of an evaluator, and of training, for all runs together.

An evaluator has one section for all runs; evaluators come in the order of the first run's recipe.
"""

from dataclasses import dataclass, field

from markupsafe import Markup

from iwm_core.report.differences import Difference, compare
from iwm_core.report.panels import Panel, panels
from iwm_core.report.reading import Measured, Rows, RunRecord
from iwm_core.report.scores import Line, Scorecard, make_scorecard
from iwm_core.results import Chart


@dataclass
class Figures:
    """A chart of one name: one drawing for all runs, or one for each.

    Attributes:
        legend: each series' label, and its place in the order of looks.
        drawn: the drawing of each panel.
    """

    title: str
    about: str
    panels: list[Panel]
    legend: list[tuple[str, int]]
    drawn: list[Markup] = field(default_factory=list)


@dataclass
class Section:
    """What an evaluator found, one entry a run; None where it has not measured."""

    name: str
    found: list[Measured | None]
    scorecard: Scorecard
    figures: list[Figures]
    galleries: list[tuple[str, list[tuple[str, Rows]]]]
    settings: list[Difference]
    stale: list[str] = field(default_factory=list)


def make_sections(runs: list[RunRecord]) -> list[Section]:
    """A section for each evaluator that has measured a run."""
    return [make_section(name, runs) for name in dict.fromkeys(name for run in runs for name in run.measured)]


def make_section(name: str, runs: list[RunRecord]) -> Section:
    """An evaluator's section."""
    labels = [run.label for run in runs]
    found = [run.measured.get(name) for run in runs]
    galleries: dict[str, list[tuple[str, Rows]]] = {}
    for label, one in zip(labels, found, strict=True):
        for key, rows in one.galleries.items() if one else []:
            galleries.setdefault(key, []).append((label, rows))
    measured = [one for one in found if one]
    return Section(
        name=name,
        found=found,
        scorecard=make_scorecard(found),
        figures=figures_of(labels, [one.charts if one else {} for one in found]),
        galleries=list(galleries.items()),
        settings=compare([one.settings if one else {} for one in found]) if any(one.settings for one in measured) else [],
        stale=[
            f"{run.label}: measured at step {one.step:,}, but the newest checkpoint is of step {run.step:,}: iwm eval {run.path}"
            for run, one in zip(runs, found, strict=True)
            if one and run.step is not None and one.step != run.step
        ],
    )


def figures_of(labels: list[str], charts: list[dict[str, Chart]]) -> list[Figures]:
    """The drawings of some charts, one mapping a run."""
    made = []
    for name in dict.fromkeys(name for one in charts for name in one):
        every = [one.get(name) for one in charts]
        first = next(chart for chart in every if chart)
        drawn = panels(labels, every)
        used = {one.label for panel in drawn for one in panel.chart.series}
        legend = [(drawn[0].name_of(label), place) for place, label in enumerate(drawn[0].order) if label in used]
        made.append(Figures(first.title, first.about, drawn, legend if len(drawn[0].order) > 1 else []))
    return made


def headlines(sections: list[Section]) -> list[tuple[Section, str, Line]]:
    """The first measure of each evaluator: what the table of many runs compares."""
    first = [(s, group.measure, group.lines[0]) for s in sections for group in [*s.scorecard.groups, *s.scorecard.details][:1]]
    return [(section, f"{measure}.{line.part}" if line.part else measure, line) for section, measure, line in first]
