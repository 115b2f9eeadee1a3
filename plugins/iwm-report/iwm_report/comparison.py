"""Which of several runs is better on which question, in sentences; or that this cannot be said, and why.

Decisions:
- A question is decided by the first measure of each of its evaluators, where settings and data are the same and one run's interval lies
  wholly on the better side of all others'.
- What a run that was measured by an earlier version lacks, such as which way is better, another run's result tells.
- What intervals do not hold is said at once: they are over images, and one run of each kind tells nothing of another seed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.results import QUESTIONS
from iwm_core.plugins.near import enumerated
from iwm_report.differences import Difference
from iwm_report.run_record import RunRecord
from iwm_report.sections import EvaluatorSection, Headline, headlines

FEW = 3  # settings, or evaluators, that are named


class Said(NamedTuple):
    """A sentence, and what it is about."""

    about: str
    said: str


def compare(runs: list[RunRecord], sections: list[EvaluatorSection], differences: Sequence[Difference]) -> list[Said]:
    """A sentence for each question that an evaluator answers, and one for each reason to doubt them."""
    labels = [run.label for run in runs]
    firsts = headlines(sections)
    asked = [(question, [one for one in firsts if one.section.question == key]) for key, question in QUESTIONS.items()]
    found = [Said(question, better_on(lines, labels)) for question, lines in asked if lines]
    return [*found, *doubts(runs, sections, differences)] if found else []


def better_on(lines: list[Headline], labels: list[str]) -> str:
    """Which run is better by which measures."""
    shared = [one for one in lines if sum(metric is not None for metric in one.line.values) > 1]
    if not shared:
        names = enumerated([one.section.name for one in lines], FEW)
        return f"Cannot be compared: {names} {'were each' if len(lines) > 1 else 'was'} measured in one run alone."
    told: dict[str, list[str]] = {}
    for one in shared:
        sign = {"higher": "▲", "lower": "▼"}.get(one.group.better)
        if sign in one.line.signs:
            told.setdefault(labels[one.line.signs.index(sign)], []).append(f"{one.name} {numbers(one)}")
    if told:
        return f"{'; '.join(f'{label} is better by {enumerated(names, FEW)}' for label, names in told.items())}."
    reasons = [one.section.scorecard.apart[0] for one in shared if one.section.scorecard.apart]
    if reasons:
        return f"Cannot be compared: {reasons[0].partition(': not comparable')[0]}."
    return f"No run is clearly better: intervals of {enumerated([one.name for one in shared], FEW)} overlap."


def at_chance(firsts: Sequence[Headline], key: str, place: int) -> bool:
    """Whether a run that answers a question by no words does so by a number: one that chance reaches, too."""
    for one in (one for one in firsts if one.section.question == key and one.group.better == "higher"):
        metric = one.line.values[place]
        if metric and "chance" in metric.controls and reaches(metric.controls["chance"].high, metric.high):
            return True
    return False


def reaches(chance: float, value: float) -> bool:
    """Whether chance is at least a value, but for rounding."""
    return value <= chance + 1e-6 * abs(chance)


def numbers(one: Headline) -> str:
    """A measure's values in all runs, the better first; chance where some run is at it."""
    known = [metric for metric in one.line.values if metric]
    by_value = sorted(known, key=lambda metric: metric.value, reverse=one.group.better == "higher")
    chance = any("chance" in metric.controls and reaches(metric.controls["chance"].high, metric.low) for metric in known)
    return f"({' against '.join(three_digits(metric.value) for metric in by_value)}{', which is chance' if chance else ''})"


def doubts(runs: list[RunRecord], sections: list[EvaluatorSection], differences: Sequence[Difference]) -> list[Said]:
    """What is to be known before a difference is believed."""
    found = []
    steps = [max((one.step for section in sections if (one := section.found[place])), default=None) for place in range(len(runs))]
    if len({step for step in steps if step is not None}) > 1:
        told = [f"{run.label} was measured after {step:,} steps" for run, step in zip(runs, steps, strict=True) if step is not None]
        found.append(Said("Trained for different lengths:", f"{enumerated(told, FEW)}."))
    keys = [d.key.removesuffix(".name") for d in differences if not d.measuring and d.chosen and d.key not in ("recipe", "kind")]
    if len(keys) > 1:
        text = f"{', '.join(keys[:FEW])}{f' and {len(keys) - FEW} more settings' if len(keys) > FEW else ''} differ"
        found.append(Said("What makes the difference", f"cannot be told: {text}, listed under Configuration."))
    seeds = "may decide otherwise: intervals are over images, not over trainings; try several (train.seed=0,1,2)."
    return [*found, Said("Another seed", seeds)]
