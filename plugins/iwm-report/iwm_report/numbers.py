"""How numbers are written."""

import math

from iwm_core.interfaces.results import Metric, Row

ZERO = 0.005  # smaller numbers of a gallery are written 0.00


def written(value: float, span: float = 0.0) -> str:
    """A number with about three digits that matter: ``0.778``, ``12.3``, ``1,204``, ``2.1e−5``; ``–`` where it is none.

    Beside numbers that span 1 or more, one that is too small to see is 0.000.
    """
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if 0 < size < 0.0005 and span < 1:
        text = f"{value:.1e}".replace("e-0", "e-")
    elif size < 10:
        text = f"{value:.3f}" if size >= 0.0005 else "0.000"
    elif size < 100:
        text = f"{value:.2f}"
    elif size < 1000:
        text = f"{value:.1f}"
    else:
        text = f"{value:,.0f}"
    return text.replace("-", "−")


def interval(metric: Metric, span: float = 0.0) -> str:
    """The 95 % interval, ``exact`` where the value is a constant, nothing where there is none."""
    if metric.exact:
        return "exact"
    return f"{written(metric.low, span)} to {written(metric.high, span)}" if math.isfinite(metric.value + metric.low + metric.high) else ""


def shown_numbers(rows: tuple[Row, ...]) -> list[tuple[str, str, str]]:
    """The numbers of a gallery's rows that are not zero in every row: full name, name where it is new, label where it is another word."""
    names = [n for n in (rows[0].numbers if rows else {}) if any(abs(row.numbers.get(n, 0)) >= ZERO for row in rows)]
    shown, last = [], ""
    for full in names:
        name, _, label = full.partition(".")
        shown.append((full, "" if name == last else name, label if label != name else ""))
        last = name
    return shown
