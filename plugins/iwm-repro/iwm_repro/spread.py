"""Intervals over seeds and images, of a number, of a difference and of a correlation.

With k seeds of values v, each side of a mean's interval is the root of two squares' sum:

- over seeds: t(k - 1) · sd(v) / √k, Student's interval of a mean;
- over images: the mean, over seeds, of that side of each value's own interval. The seeds answer for the same images, so that it does not
  shrink with their number; where they err on different images it is too wide, which makes a verdict harder, not easier.

Of a difference, the first is that of the differences seed by seed: runs of one seed begin from the same weights or the same world model
and see the same images in the same order. The second is the root of both sides' squares, as if they were measured on different images:
too wide, where what is hard for one model is hard for the other, as it is for models that are trained alike. With one seed, or different
ones, only the second is known, and what is told says so. A correlation's is Fisher's.

On simulated seeds and images, 94 to 100 of 100 intervals hold the truth (`python tests/slow/claim_intervals.py`).

Decision: an interval ends where nothing is possible beyond (`Measure`), a difference's where the ends of both say so. As the truth is
possible, cutting off what is not costs no coverage. Rejected: intervals of logits. Their middle is that of the logits, which is another
number than the mean over seeds, and there is none where a seed comes to 0 or 1.
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from iwm_evals.statistics.intervals import NORMAL, student

FEWEST = 8
"""Models below which a correlation over models is not told."""


class Measured(NamedTuple):
    """A value of one run, with its interval over images."""

    value: float
    low: float
    high: float
    n: int


class Found(NamedTuple):
    """A number over seeds, with its 95 % interval over seeds and images.

    Attributes:
        images: that each value was measured on.
        over_images: how far the interval over images alone reaches, downwards and upwards.
        values: by seed.
        ends: of what it can be.
    """

    value: float
    low: float
    high: float
    images: int
    over_images: tuple[float, float]
    values: dict[str, float]
    ends: tuple[float, float] = (-math.inf, math.inf)


class Interval(NamedTuple):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def over_seeds(runs: dict[int, Measured], least: float = -math.inf, most: float = math.inf) -> Found:
    """A number over the seeds that there are, at least one; ``least`` and ``most`` are the ends of what it can be."""
    values = [run.value for run in runs.values()]
    mean, seeds = statistics.fmean(values), reach(values)
    below = statistics.fmean(run.value - run.low for run in runs.values())
    above = statistics.fmean(run.high - run.value for run in runs.values())
    low, high = max(least, mean - math.hypot(seeds, below)), min(most, mean + math.hypot(seeds, above))
    told = {str(seed): run.value for seed, run in runs.items()}
    return Found(mean, low, high, min(run.n for run in runs.values()), (below, above), told, (least, most))


def difference(left: Found, right: Found | float) -> Interval:
    """One number less another, over the seeds that both have; over all where they share none."""
    if not isinstance(right, Found):
        right = Found(right, right, right, 0, (0.0, 0.0), dict.fromkeys(left.values, right), (right, right))
    shared = [left.values[seed] - right.values[seed] for seed in left.values if seed in right.values]
    mean = statistics.fmean(shared) if shared else left.value - right.value
    seeds = reach(shared)
    below = math.hypot(left.over_images[0], right.over_images[1])
    above = math.hypot(left.over_images[1], right.over_images[0])
    least, most = left.ends[0] - right.ends[1], left.ends[1] - right.ends[0]
    return Interval(mean, max(least, mean - math.hypot(seeds, below)), min(most, mean + math.hypot(seeds, above)))


def correlation(x: Sequence[float], y: Sequence[float]) -> Interval | None:
    """Pearson's correlation of at least `FEWEST` pairs; None where there are fewer, or one side does not vary.

    The interval says how much it would move with other models of the same kind. What seeds and images add to each model's numbers makes
    the correlation itself nearer to 0, and is in it as far.
    """
    if len(x) < FEWEST or len(set(x)) == 1 or len(set(y)) == 1:
        return None
    value = max(-1.0, min(1.0, statistics.correlation(x, y)))  # rounding may take it beyond
    turned, half = math.atanh(max(-1 + 1e-12, min(1 - 1e-12, value))), NORMAL / math.sqrt(len(x) - 3)
    return Interval(value, min(value, math.tanh(turned - half)), max(value, math.tanh(turned + half)))


def reach(values: Sequence[float]) -> float:
    """Half of Student's interval of a mean; 0 where one value, or none, tells no spread."""
    k = len(values)
    if k < 2:
        return 0.0
    return student(k - 1) * statistics.stdev(values) / math.sqrt(k)
