"""How training went, as charts: the numbers that the loop logs, and what evaluators measured meanwhile."""

import math

from iwm_core.interfaces.results import Chart, Metric, Series
from iwm_report.numbers import measure_and_part
from iwm_report.run_record import RunRecord

LOGGED = (
    ("loss", "Loss", "between predicted and true tokens", "Lower predicts better, but a collapsed target is easy to predict."),
    ("gain", "Gain over the batch's mean", "share of its error removed", "0 predicts no better than the batch's mean, 1 is perfect."),
    (
        "target_std",
        "Spread of the target",
        "standard deviation between images",
        "Near 0, all images look alike to the teacher: a collapse.",
    ),
    ("effective_rank", "Effective rank", "dimensions in use (RankMe)", "How many directions the teacher's tokens fill."),
    ("lr", "Learning rate", "of the optimizer", "As the recipe plans it."),
    ("images_per_s", "Throughput", "images a second", "How fast the run was on its machine."),
)
"""Key, title, unit and meaning of what is drawn of metrics.jsonl."""


def training_charts(run: RunRecord) -> dict[str, Chart]:
    """The curves of metrics.jsonl, by name."""
    charts = {}
    tuned = "world_model" in run.config
    for key, title, unit, about in LOGGED:
        if tuned and key == "loss":
            unit, about = "mean over the tasks", "Lower fits the training images better, mixed and smoothed as they may be."
        lines = [line for line in run.log if isinstance(line.get(key), int | float)]
        if lines:
            series = Series(title, [line["step"] for line in lines], [float(line[key]) for line in lines])
            charts[key] = Chart(key, title, "step", unit, "lines", (series,), about)
    return charts


def history_charts(run: RunRecord, evaluator: str, controls: bool) -> dict[str, Chart]:
    """A curve for each metric that an evaluator measured during training, by name; ``controls`` as further lines in it."""
    found: dict[str, dict[str, list[tuple[int, Metric]]]] = {}
    for line in (line for line in run.history if line["evaluator"] == evaluator):
        for name, metric in line["metrics"].items():
            for label, one in {"value": metric, **(metric.controls if controls else {})}.items():
                found.setdefault(name, {}).setdefault(label, []).append((line["step"], one))
    charts = {}
    for name, lines in found.items():
        about = run.measured[evaluator].about.get(measure_and_part(name)[0], "") if evaluator in run.measured else ""
        series = tuple(curve(label, points) for label, points in lines.items())
        charts[name] = Chart(name, f"{name} ({evaluator})", "step", name, "lines", series, about)
    return charts


def curve(label: str, points: list[tuple[int, Metric]]) -> Series:
    """A metric over the steps, with its interval where every point has one."""
    metrics = [metric for _, metric in points]
    bounded = all(math.isfinite(m.low + m.high) for m in metrics)
    low, high = ([m.low for m in metrics], [m.high for m in metrics]) if bounded else (None, None)
    return Series(label, [step for step, _ in points], [m.value for m in metrics], low, high)


def mishaps(run: RunRecord) -> str:
    """What went wrong and was got over, in a sentence; nothing where nothing did."""
    skipped = sum(line.get("skipped") or 0 for line in run.log)
    corrupt = max((line.get("corrupt") or 0 for line in run.log), default=0)
    told = [f"{skipped} steps were skipped because their gradient was not finite"] if skipped else []
    told += [f"{corrupt} images could not be read and were left out"] if corrupt else []
    return "; ".join(told)
