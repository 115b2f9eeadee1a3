"""How numbers are written, and what their names say."""

import math

from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.results import Metric, Row

ZERO = 0.005  # smaller numbers of a gallery are written 0.00


def measure_and_part(name: str) -> tuple[str, str]:
    """What a metric measures, and of which part; the part may be empty."""
    measure, _, part = name.partition(".")
    return measure, part


def interval(metric: Metric, span: float = 0.0) -> str:
    """The 95 % interval, ``exact`` where the value is a constant, nothing where there is none."""
    if metric.exact:
        return "exact"
    known = math.isfinite(metric.value + metric.low + metric.high)
    return f"{three_digits(metric.low, span)} to {three_digits(metric.high, span)}" if known else ""


def shown_numbers(rows: tuple[Row, ...]) -> list[tuple[str, str, str]]:
    """The numbers of a gallery's rows that are not zero in every row: full name, name where it is new, label where it is another word."""
    names = [n for n in (rows[0].numbers if rows else {}) if any(abs(row.numbers.get(n, 0)) >= ZERO for row in rows)]
    shown, last = [], ""
    for full in names:
        name, _, label = full.partition(".")
        shown.append((full, "" if name == last else name, label if label != name else ""))
        last = name
    return shown
