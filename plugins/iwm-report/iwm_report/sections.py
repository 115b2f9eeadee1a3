"""What a report shows of an evaluator, and of training, for all runs together.

An evaluator has one section for all runs; evaluators come in the order of the first run's recipe.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from iwm_evals.measuring.measured import Measured
from iwm_evals.measuring.settings import against, settings_of
from markupsafe import Markup

from iwm_core.interfaces.results import QUESTIONS, Chart, Gallery
from iwm_core.process.shown import as_word
from iwm_report.curves import history_charts
from iwm_report.differences import Difference, differences_between
from iwm_report.downloads import Download, downloads, rows_of_chart, rows_of_table
from iwm_report.joined_charts import Panel, panels
from iwm_report.run_record import RunRecord
from iwm_report.score_table import Group, Line, ScoreTable, make_score_table
from iwm_report.verdict import question_of


@dataclass
class Figures:
    """A chart of one name: one drawing for all runs, or one for each.

    Attributes:
        legend: each series' label, and its place in the order of looks.
        drawn: the drawing of each panel.
        downloads: its points as files.
    """

    title: str
    about: str
    panels: list[Panel]
    legend: list[tuple[str, int]]
    drawn: list[Markup] = field(default_factory=list)
    downloads: list[Download] = field(default_factory=list)


@dataclass
class EvaluatorSection:
    """What an evaluator found, one entry a run; None where it has not measured.

    Attributes:
        notes: what is to be known of how it was measured, a line each.
        others: what other settings than the recipe's measured: of which run, what differs, and their tables.
        question: the key of the question that it answers; empty: none.
        downloads: its numbers as files.
    """

    name: str
    found: list[Measured | None]
    scorecard: ScoreTable
    figures: list[Figures]
    galleries: list[tuple[str, list[tuple[str, Gallery]]]]
    settings: list[Difference]
    notes: list[str]
    others: list[tuple[str, Measured, ScoreTable]]
    question: str
    downloads: list[Download]


def evaluator_sections(runs: list[RunRecord]) -> list[EvaluatorSection]:
    """A section for each evaluator that has measured a run."""
    return [make_evaluator_section(name, runs) for name in dict.fromkeys(n for run in runs for n in [*run.measured, *run.others])]


def make_evaluator_section(name: str, runs: list[RunRecord]) -> EvaluatorSection:
    """An evaluator's section."""
    labels = [run.label for run in runs]
    found = [run.measured.get(name) for run in runs]
    galleries: dict[str, list[tuple[str, Gallery]]] = {}
    for label, one in zip(labels, found, strict=True):
        for key, rows in one.galleries.items() if one else []:
            galleries.setdefault(key, []).append((label, rows))
    measured = [one for one in found if one]
    card = make_score_table(found)
    return EvaluatorSection(
        name=name,
        found=found,
        scorecard=card,
        figures=figures_of(labels, [one.charts if one else {} for one in found], bool(card.apart)),
        galleries=list(galleries.items()),
        settings=differences_between([one.settings if one else {} for one in found]) if any(one.settings for one in measured) else [],
        notes=[
            *(note for run, one in zip(runs, found, strict=True) if one for note in notes_on(run, one)),
            *steps_differ(measured),
            *card.apart,
        ],
        others=[(run.label, one, make_score_table([one])) for run in runs for one in run.others.get(name, [])],
        question=question_of(found),
        downloads=downloads(name, rows_of_table(card, labels)),
    )


def notes_on(run: RunRecord, one: Measured) -> list[str]:
    """How a result is not what the run's recipe would measure now."""
    notes = []
    if run.step is not None and one.step != run.step:
        notes.append(
            f"{run.label}: measured at step {one.step:,}, but the newest checkpoint is of step {run.step:,}: iwm eval {as_word(run.path)}"
        )
    if not one.old and one.name not in (run.config.get("evaluators") or run.config.get("tasks") or {}):
        notes.append(f"{run.label}: its recipe does not have {one.name}, which was measured with its default settings")
    if one.differing:
        notes.append(f"{run.label}: measured with {one.differing}, which differs from its recipe")
    return notes


def steps_differ(measured: list[Measured]) -> list[str]:
    """Said where runs that are compared were measured at different steps."""
    steps = list(dict.fromkeys(f"{one.step:,}" for one in measured))
    return [f"measured at different steps: {' and '.join(steps)}"] if len(steps) > 1 else []


def history_figures(runs: list[RunRecord]) -> list[Figures]:
    """What was measured during training, of all evaluators; those whose settings differ between runs are drawn apart."""
    made = []
    labels = [run.label for run in runs]
    for name in dict.fromkeys(line["evaluator"] for run in runs for line in run.history):
        having = [run for run in runs if any(line["evaluator"] == name for line in run.history)]
        apart = bool(against([settings_of(run.config, name) for run in having]))
        made += figures_of(labels, [history_charts(run, name, controls=len(runs) == 1) for run in runs], apart)
    return made


def figures_of(labels: list[str], charts: list[dict[str, Chart]], apart: bool = False) -> list[Figures]:
    """The drawings of some charts, one mapping a run; ``apart``: none is drawn into another's axes, as their values cannot be compared."""
    made = []
    for name in dict.fromkeys(name for one in charts for name in one):
        every = [one.get(name) for one in charts]
        first = next(chart for chart in every if chart)
        drawn = panels(labels, every, apart)
        used = {one.label for panel in drawn for one in panel.chart.series}
        legend = [(drawn[0].name_of(label), place) for place, label in enumerate(drawn[0].order) if label in used]
        files = downloads(name, rows_of_chart(drawn))
        made.append(Figures(first.title, first.about, drawn, legend if len(drawn[0].order) > 1 else [], downloads=files))
    return made


class Headline(NamedTuple):
    """The first metric of an evaluator."""

    section: EvaluatorSection
    group: Group
    line: Line

    @property
    def name(self) -> str:
        """Of the metric."""
        return self.group.name_of(self.line)


def headlines(sections: list[EvaluatorSection]) -> list[Headline]:
    """The first metric of each evaluator: what a reader should see first, and what the table of many runs compares."""
    return [Headline(s, group, group.lines[0]) for s in sections for group in [*s.scorecard.groups, *s.scorecard.details][:1]]


def by_question(sections: list[EvaluatorSection]) -> list[tuple[str, str, list[EvaluatorSection]]]:
    """The sections under the questions that they answer: key, heading, sections; those that answer none come last."""
    asked = [(key, heading, [one for one in sections if one.question == key]) for key, heading in QUESTIONS.items()]
    rest = [one for one in sections if not one.question]
    answered = [one for one in asked if one[2]]
    return [*answered, *([("further", "Further measurements" if answered else "Measurements", rest)] if rest else [])]


def leading(sections: list[EvaluatorSection]) -> list[tuple[str, list[tuple[str, Gallery]]]]:
    """The galleries at the head of the page: those that ask for it, else the first of what tells a world model."""
    every = [gallery for section in sections for gallery in section.galleries]
    first = [gallery for section in sections if section.question == "world_model" for gallery in section.galleries][:1]
    return [gallery for gallery in every if any(shown.leads for _, shown in gallery[1])] or first
