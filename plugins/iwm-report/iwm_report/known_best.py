"""What a world model knows best, and what least, by the parts of a measure, such as its actions.

Decisions:
- It is told where an evaluator says that the predictor is a world model, of the first of its measures with several parts and a better end.
- A part is best where it is better than its control and than the least one, by intervals: else none is named.
"""

import math
from typing import NamedTuple

from iwm_evals.measuring.measured import Measured
from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.results import Metric
from iwm_report.numbers import measure_and_part
from iwm_report.run_record import RunRecord


class Known(NamedTuple):
    """The best known part of a measure, and the least known one, of all ``parts``."""

    measure: str
    best: tuple[str, Metric]
    least: tuple[str, Metric]
    parts: tuple[str, ...]

    def told(self) -> str:
        """A sentence."""
        (best, high), (least, low) = self.best, self.least
        owner = {name.rpartition(".")[0] for name in self.parts}
        whole, cut = (
            (f"{name}'s parameters", len(name) + 1) if len(owner) == 1 and (name := next(iter(owner))) else ("what was asked alone", 0)
        )
        numbers = f"({self.measure} {three_digits(high.value)})", f"({three_digits(low.value)})"
        return f"Of {whole}, it knows {best[cut:]} best {numbers[0]} and {least[cut:]} least {numbers[1]}."


def known_best(run: RunRecord) -> Known | None:
    """What a run's model knows best; None where nothing stands out."""
    for one in run.measured.values():
        if one.answer and one.answer.question == "world_model" and one.answer.yes:
            for measure, better in one.better.items():
                if len(parts := parts_of(one, measure)) > 1:
                    return extremes(measure, parts, 1 if better == "higher" else -1)
    return None


def parts_of(one: Measured, measure: str) -> dict[str, Metric]:
    """The parts of a measure that have intervals, by their names."""
    named = {measure_and_part(name): metric for name, metric in one.metrics.items()}
    return {part: m for (of, part), m in named.items() if of == measure and part and math.isfinite(m.low + m.value + m.high)}


def extremes(measure: str, parts: dict[str, Metric], sign: int) -> Known | None:
    """The ends of a measure's parts, of which higher is better where ``sign`` is 1."""
    order = sorted(parts.items(), key=lambda item: sign * item[1].value)
    least, best = order[0], order[-1]
    controls = best[1].controls
    against = [least[1], *(controls[name] for name in ("chance", "null") if name in controls)]
    return Known(measure, best, least, tuple(parts)) if all(clear(best[1], other, sign) for other in against) else None


def clear(one: Metric, other: Metric, sign: int) -> bool:
    """Whether one is better than the other by their intervals."""
    return min(sign * one.low, sign * one.high) > max(sign * other.low, sign * other.high)
