"""The interval of a metric over trainings and images.

With k trainings of values v, all measured on the same images, the mean's half-width is the root of two squares' sum:

- over trainings: t(k - 1) · sd(v) / √k, Student's interval of a mean;
- over images: half the width of the bootstrap interval of the trainings' mean, the images resampled together for all trainings.

Two trainings differ also because they err on other images, so a part of the second is in the first as well: the interval is on the
wide side (in simulations it holds the truth in 98 to 99 of 100 cases). With one training only the second is known.
"""

import math
import statistics
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.bootstrap import LEVEL, bootstrap
from iwm_core.results import Metric


def interval_over(
    trainings: Sequence[Float[Tensor, "m v"]], metric: Callable[[Float[Tensor, "m v"]], float], resamples: int = 300
) -> Metric:
    """The mean of a metric over trainings, with its 95 % interval over trainings and images.

    Args:
        trainings: what each training did on each of the same ``m`` images.
        metric: of the rows of some images.
        resamples: of the images.
    """
    k, columns = len(trainings), trainings[0].shape[1]

    def mean(rows: Float[Tensor, "m kv"]) -> dict[str, float]:
        return {"mean": statistics.fmean(metric(part) for part in rows.split(columns, dim=1))}

    over_images = bootstrap(mean, torch.cat(list(trainings), dim=1), seed=0, resamples=resamples)["mean"]
    values = [metric(rows) for rows in trainings]
    over_trainings = student(k - 1) * statistics.stdev(values) / math.sqrt(k) if k > 1 else 0.0
    half = math.hypot(over_trainings, (over_images.high - over_images.low) / 2)
    return Metric(over_images.value, over_images.value - half, over_images.value + half, len(trainings[0]))


def student(freedom: int) -> float:
    """What 95 % of Student's t of so many degrees of freedom lie below, in size."""
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < LEVEL else (low, middle)
    return high


def within(t: float, freedom: int) -> float:
    """Probability that Student's t is at most ``t`` in size (Abramowitz & Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    odd = freedom % 2
    term, total = (math.cos(angle), 0.0) if odd else (1.0, 0.0)
    for n in range(1, freedom // 2 + 1):
        total += term
        term *= math.cos(angle) ** 2 * (2 * n / (2 * n + 1) if odd else (2 * n - 1) / (2 * n))
    return 2 / math.pi * (angle + math.sin(angle) * total) if odd else math.sin(angle) * total
