"""Numbers in words, for a terminal, a log or a report, and the table of what an evaluator has found. Needs no torch."""

import math

from iwm_core.interfaces.results import CONTROLS, Metric
from iwm_core.process.display import Display
from iwm_core.process.tables import room, tabulated


def three_digits(value: float, span: float = 0.0) -> str:
    """A number with about three digits that matter: ``0.778``, ``12.3``, ``1,204``, ``2.1e−5``; ``–`` where it is none.

    Below 2 it has three decimals, as ratios near 1 stand beside shares. Beside numbers that span 1 or more, one too small to see is 0.000.
    """
    size = abs(value)
    if not math.isfinite(value):
        return "–"
    if 0 < size < 0.0005 and span < 1:
        return f"{value:.1e}".replace("e-0", "e-").replace("-", "−")
    decimals = 3 - sum(size >= least for least in (2, 10, 100))
    return f"{value if size >= 0.0005 else 0.0:,.{decimals}f}".replace("-", "−")


def show_table(display: Display, title: str, metrics: dict[str, Metric]) -> None:
    """An evaluator's numbers, each with its controls beside it."""
    display.say(title)
    for line in tabulated(*metrics_table(metrics), room(), keep=3, numbers=True):
        display.say(line)


def metrics_table(metrics: dict[str, Metric]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of an evaluator's numbers: one for each measure, its controls beside it."""
    controls = [control for control in CONTROLS if any(control in metric.controls for metric in metrics.values())]
    rows = []
    for name, metric in metrics.items():
        values = [readable(metric.controls[control].value) if control in metric.controls else "" for control in controls]
        rows.append([name, readable(metric.value), interval_of(metric), *values, str(metric.n)])
    return ["metric", "value", "95 % interval", *controls, "images"], rows


def readable(value: float) -> str:
    """A metric's value in words."""
    return "not available" if math.isnan(value) else f"{value:.3f}"


def interval_of(metric: Metric) -> str:
    """The interval of a metric in words; nothing where there is none, as of one image."""
    if metric.exact:
        return "exact"
    return f"{metric.low:.3f} – {metric.high:.3f}" if math.isfinite(metric.low + metric.high) else ""
