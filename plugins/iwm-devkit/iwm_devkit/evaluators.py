"""What an evaluator must keep to."""

import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from iwm_core.interfaces import Evaluation, EvaluationData, Evaluator, WorldModel
from iwm_core.interfaces.results import CONTROLS, Metric
from iwm_devkit.components import check_component
from iwm_devkit.conduct import conduct
from iwm_devkit.known_model import KnownData, KnownModel, quiet

METRIC = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
WORD = re.compile(r"[a-z][a-z0-9_]*")


def check_evaluator(evaluator: Evaluator, model: WorldModel | None = None, data: EvaluationData | None = None) -> Evaluation:
    """Check an evaluator: documentation, names, intervals, explanations, determinism, the files that it writes.

    Args:
        evaluator: the evaluator. Small options make it fast.
        model, data: what it measures; by default the world of `known_model`, of images of 8 x 8 pixels.

    Returns:
        What it found, for tests of its values.

    Raises:
        AssertionError: the evaluator breaks its contract; the text says how to mend it.
        NotApplicable: this model and data have nothing for it to measure: give it others.
    """
    check_component(evaluator)
    what = evaluator.name
    model, data = model or KnownModel(), data or KnownData()
    first, second = run(evaluator, model, data), run(evaluator, model, data)
    assert first.metrics, f"{what} must measure something, or raise NotApplicable with the reason"
    for name, metric in first.metrics.items():
        assert METRIC.fullmatch(name), f"the metric {name!r} must be called measure[.part], in lower-case letters and digits"
        measure = name.partition(".")[0]
        hint = renamed(measure, first)
        assert measure in first.about, f"`about` must explain the measure {measure!r}: what it is, and what good and bad are{hint}"
        check_metric(name, metric)
        for control, other in metric.controls.items():
            assert control in CONTROLS, f"{name} has the control {control!r}; there are {', '.join(CONTROLS)}"
            check_metric(f"{name}'s {control}", other)
    again = first.metrics == second.metrics
    assert again, f"{what} must find the same numbers again: draw from Draws(data.seed, …), and start no wall clock"
    json.dumps(first.settings)
    assert first.summary.strip(), f"{what} needs a `summary`: one sentence for a reader who looks at nothing else"
    for kind, names in (("chart", [c.name for c in first.charts]), ("gallery", [g.name for g in first.galleries])):
        for name in names:
            assert WORD.fullmatch(name), f"the {kind} {name!r} must be called in lower-case letters, digits and _: files are named by it"
        assert len(set(names)) == len(names), f"each {kind} of {what} must have a name of its own, got {', '.join(names)}"
    return first


def check_metric(name: str, metric: Metric) -> None:
    """Check a number and its interval."""
    assert metric.low <= metric.value <= metric.high, (
        f"{name} must lie in its interval: {metric.low:g} <= {metric.value:g} <= {metric.high:g} does not hold; "
        "a statistic of the whole set has its interval by iwm_evals.statistics.jackknife, since resamples may all lie to one side of it"
    )
    assert metric.n > 0, f"{name} must say over how many images it is, got n = {metric.n}"


def renamed(measure: str, found: Evaluation) -> str:
    """What to write where a measure without a line in ``about`` may be a control, which was told by its name before."""
    base, _, control = measure.rpartition("_")
    return f"; a control is written {base}.against({control}=…)" if control in CONTROLS and base in found.metrics else ""


def run(evaluator: Evaluator, model: WorldModel, data: EvaluationData) -> Evaluation:
    """Evaluate once, as the core does, and check the files that are written."""
    with tempfile.TemporaryDirectory() as name, torch.no_grad(), conduct(f"{evaluator.name}.evaluate()"):
        folder = Path(name)
        found = evaluator.evaluate(model, data, folder, track)
        assert isinstance(found, Evaluation), f"{evaluator.name}.evaluate() must return an Evaluation, got {type(found).__name__}"
        strange = sorted(path.name for path in folder.iterdir() if not path.name.startswith(f"{evaluator.name}_"))
        assert not strange, f"{evaluator.name} must name its files {evaluator.name}_…, got {', '.join(strange)}"
        lost = [path.name for path, _ in found.pictures if not path.is_file()]
        assert not lost, f"{evaluator.name} tells of pictures that it has not written: {', '.join(lost)}"
    return found


def track(items: Iterable[Any], label: str, total: int) -> Iterable[Any]:
    """No progress, but its arguments are looked at."""
    assert label.strip(), "track() needs a label for the progress bar"
    assert total >= 0, "track() needs the number of items"
    return quiet(items, label, total)
