"""What the scorecard's evaluators answer to a reader's questions (`iwm_core.interfaces.results.QUESTIONS`), each with its evidence.

Decisions:
- Yes and no are said by intervals: yes where a metric's lies wholly beyond those of all that it is held against, no where no part of it
  does, and nothing in between. What tells a world model must also be a tenth of the way (`CLEAR`) from its controls to perfect: with many
  images, a difference too small to be of use is certain, too.
- An evidence is a sentence that can be read alone, by one who does not know what the measure is called.
"""

from collections.abc import Callable, Mapping
from typing import Any

from iwm_core.interfaces import Answer, Metric

Metrics = Mapping[str, Metric]

HIGHER = (
    *("mrr", "h1", "h5", "h10", "inverse", "undone", "dose", "reentry", "psnr", "psnr_gain", "nearer"),
    *("rankme", "lidar", "target_std", "linear", "knn", "attentive", "factor", "equivariance"),
)
LOWER = (
    *("imagined", "error", "unexplained", "undo", "dose_error", "compose", "planning", "planning_relative"),
    *("uniformity", "teacher_distance"),
)
CLEAR = 0.1
FEW = 0.2  # of the directions that there are
BETTER = dict.fromkeys(HIGHER, "higher") | dict.fromkeys(LOWER, "lower")


def answer_and_better(evaluator: str, metrics: Metrics) -> dict[str, Any]:
    """The fields ``answer`` and ``better`` of an evaluator's `Evaluation`."""
    return {"answer": ANSWERS[evaluator](metrics), "better": better_of(metrics)}


def better_of(metrics: Metrics) -> dict[str, str]:
    """Which way the measures are better that have one."""
    return {measure: BETTER[measure] for measure in dict.fromkeys(name.partition(".")[0] for name in metrics) if measure in BETTER}


def above(metric: Metric, *others: Metric) -> bool | None:
    """Whether a metric lies above others, by their intervals."""
    most = max(other.high for other in others)
    return True if metric.low > most else False if metric.high <= most else None


def below(metric: Metric, *others: Metric) -> bool | None:
    """Whether a metric lies below others, by their intervals."""
    least = min(other.low for other in others)
    return True if metric.high < least else False if metric.low >= least else None


def clearly_above(metric: Metric, *others: Metric) -> bool | None:
    """As `above`; what lies above by less than `CLEAR` of the way to 1 is left open."""
    most = max(other.high for other in others)
    return (metric.low > most + CLEAR * (1 - most) or None) if above(metric, *others) else above(metric, *others)


def clearly_below(metric: Metric, *others: Metric) -> bool | None:
    """As `below`; what lies below by less than `CLEAR` of the way to 0 is left open."""
    least = min(other.low for other in others)
    return (metric.high < (1 - CLEAR) * least or None) if below(metric, *others) else below(metric, *others)


def percent(share: float) -> str:
    """A share as a reader says it."""
    return f"{100 * share:.2g} %" if share < 0.1 else f"{share:.0%}".replace("%", " %")


def of_mrr(metrics: Metrics) -> Answer:
    mrr = metrics["mrr"]
    name, share = ("h1", "ranks the right version first") if "h1" in metrics else ("mrr", "reaches a mean reciprocal rank")
    found, chance = metrics[name], metrics[name].controls["chance"].value
    how = f"{share} in {percent(found.value)} of cases" if name == "h1" else f"{share} of {found.value:.2f}"
    chance_told = percent(chance) if name == "h1" else f"{chance:.2f}"
    return Answer(
        "world_model", clearly_above(mrr, *mrr.controls.values()), f"Of many versions of an image, it {how}; chance is {chance_told}."
    )


def of_inverse(metrics: Metrics) -> Answer:
    found = metrics["inverse"]
    evidence = f"Asked which action led from one image to the other, it reaches a mean reciprocal rank of {found.value:.2f}"
    return Answer(
        "world_model", clearly_above(found, *found.controls.values()), f"{evidence}; chance is {found.controls['chance'].value:.2f}."
    )


def of_imagination(metrics: Metrics) -> Answer | None:
    if "imagined" not in metrics:
        return None
    found, null = metrics["imagined"], metrics["imagined"].controls["null"]
    told = f"With all changed at once, what it imagines lies at {found.value:.2f} times the source's squared distance from the truth"
    yes = clearly_below(found, null, Metric.constant(1.0, found.n))
    return Answer("world_model", yes, f"{told}; with the action withheld, {null.value:.2f} times.")


def of_error(metrics: Metrics) -> Answer:
    error = metrics["error"]
    told = f"Its predictions have {error.value:.2f} times the squared error of leaving the image unchanged"
    null = error.controls["null"]
    better = clearly_below(error, null, Metric.constant(1.0, error.n))
    return Answer("world_model", better, f"{told}; with the action withheld, {null.value:.2f} times.")


def of_undo(metrics: Metrics) -> Answer:
    undo, null = metrics["undo"], metrics["undo"].controls["null"]
    left = f"After undoing, {percent(undo.value)} of the squared distance that a corruption made is left"
    evidence = f"{left}; with the action withheld, {percent(null.value)}."
    return Answer("world_model", clearly_below(undo, null, Metric.constant(1.0, undo.n)), evidence)


def of_dose(metrics: Metrics) -> Answer:
    dose, zero = metrics["dose"], Metric.constant(0.0, metrics["dose"].n)
    return Answer("world_model", clearly_above(dose, zero), f"Where the truth moves by 1, its predictions move by {dose.value:z.2f}.")


def of_compose(metrics: Metrics) -> Answer:
    twice = metrics["compose.twice"]
    evidence = f"Relative to not moving, its squared error is {twice.value:.2f} after two imagined steps and "
    better = clearly_below(twice, Metric.constant(1.0, twice.n))
    return Answer("world_model", better, f"{evidence}{metrics['compose.once'].value:.2f} after one.")


def of_planning(metrics: Metrics) -> Answer:
    searches = [metric for name, metric in metrics.items() if name.partition(".")[0] == "planning_relative"]
    best = min(searches, key=lambda metric: metric.value)
    null = best.controls["null"]
    evidence = f"The action that it finds between two images is off by {best.value:.2f} times as much as a random guess; the null action "
    better = clearly_below(best, null, Metric.constant(1.0, best.n))
    return Answer("world_model", better, f"{evidence}is off by {null.value:.2f} times as much.")


def of_health(verdict: str, reason: str, width: int, metrics: Metrics) -> Answer:
    """``verdict``, ``reason``: of `iwm_evals.scores.health.judge`; ``watch`` is alive, with something to be watched. ``width``: the most
    directions that tokens can use; alive with less than a fifth of them in use is said to be that."""
    yes = {"healthy": True, "watch": True, "not available": None}.get(verdict, False)
    std, rank = metrics["target_std"].value, metrics["rankme.tokens"].value
    evidence = f"Its tokens differ from image to image (std {std:.2f}, where 0 is a collapse) and use {rank:.0f} of {width} directions"
    if yes and rank < FEW * width:
        evidence = f"{evidence}: alive, though most of the variance lies in few directions"
    return Answer("alive", yes, f"{evidence}; but {reason}." if verdict == "watch" else f"{evidence}.")


def of_classes(measure: str, how: str) -> Callable[[Metrics], Answer]:
    """Of what names classes, held against pixels, colours and chance."""

    def answer(metrics: Metrics) -> Answer:
        found = metrics[measure]
        others = found.controls
        told = f"{how} classifies {percent(found.value)} of images correctly; from pixels {percent(others['raw'].value)}, "
        chance = f"always naming its training images' commonest class {percent(others['chance'].value)}."
        return Answer("features", above(found, *others.values()), told + chance)

    return answer


def of_factors(metrics: Metrics) -> Answer:
    names = [name for name, metric in metrics.items() if name.startswith("factor.") and "raw" in metric.controls]
    clear = [name for name in names if above(metrics[name], metrics[name].controls["raw"])]
    lost = [name for name in names if below(metrics[name], metrics[name].controls["raw"])]
    yes = True if len(clear) > len(names) / 2 else False if not clear else None
    read = f"{len(clear)} of {len(names)} known factors are read from its features better than from pixels, {len(lost)} worse."
    return Answer("features", yes, read)


def of_equivariance(metrics: Metrics) -> Answer:
    found = metrics["equivariance"]
    raw = found.controls["raw"]
    evidence = f"The action is read from its features with an R² of {found.value:.2f}; from pixels {raw.value:.2f}."
    return Answer("features", above(found, raw), evidence)


ANSWERS: dict[str, Callable[[Metrics], Answer | None]] = {
    "mrr": of_mrr,
    "imagination": of_imagination,
    "inverse": of_inverse,
    "error": of_error,
    "undo": of_undo,
    "dose": of_dose,
    "compose": of_compose,
    "planning": of_planning,
    "probe": of_classes("linear", "A linear probe"),
    "attentive": of_classes("attentive", "An attentive probe"),
    "factors": of_factors,
    "equivariance": of_equivariance,
}
