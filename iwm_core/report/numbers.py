"""How numbers are written."""

import math

from iwm_core.results import Metric


def written(value: float) -> str:
    """A number with about three digits that matter: ``0.778``, ``12.3``, ``1,204``, ``2.1e−5``; ``–`` where it is none."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if 0 < size < 0.0005:
        text = f"{value:.1e}".replace("e-0", "e-")
    elif size < 10:
        text = f"{value:.3f}"
    elif size < 100:
        text = f"{value:.2f}"
    elif size < 1000:
        text = f"{value:.1f}"
    else:
        text = f"{value:,.0f}"
    return text.replace("-", "−")


def exact(metric: Metric) -> bool:
    """Whether a metric is no estimate: its interval has no width."""
    return metric.low == metric.high == metric.value


def interval(metric: Metric) -> str:
    """The 95 % interval, ``exact`` where it has no width, nothing where there is none."""
    if exact(metric):
        return "exact"
    return f"{written(metric.low)} to {written(metric.high)}" if math.isfinite(metric.low + metric.high) else ""
