"""Confidence intervals of a statistic of all images, by resampling them.

Decisions:
- Resamples give the standard error (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, §6); the interval is Student's, or
  Wilson's where the ends of what is possible are known: percentiles of the resamples are too narrow for few images, and have no width
  where all images are right.
- A mean, or a ratio of sums, needs no resampling: `iwm_evals.statistics.intervals`. A rank, or what else grows with the images that differ,
  bears none: `iwm_evals.statistics.jackknife`.
"""

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Draws, Metric
from iwm_evals.statistics import intervals

AT_ONCE = 50  # resamples drawn together
EVERYTHING = (-math.inf, math.inf)


def bootstrap(
    statistic: Callable[[Float[Tensor, "m v"]], dict[str, float]],
    rows: Float[Tensor, "m v"],
    seed: int,
    resamples: int = 300,
    possible: Mapping[str, tuple[float, float]] = {},
) -> dict[str, Metric]:
    """A statistic of ``rows``, one for each image, with the 95 % interval of each of its numbers.

    A resample that leaves a number undefined (NaN) does not count for it.

    Args:
        statistic: of the rows of some images.
        rows: of all images, on the CPU.
        seed: of the resamples.
        resamples: how many.
        possible: the least and the most that a number can be, by measure (the name without its part).
    """
    images = len(rows)
    chosen = (Draws(seed, 0, numbers, "bootstrap").integers(images, images) for numbers in torch.arange(resamples).split(AT_ONCE))
    found = [statistic(rows[one]) for together in chosen for one in together]
    unbiased = math.sqrt(images / max(images - 1, 1))
    metrics = {}
    for name, value in statistic(rows).items():
        numbers = torch.tensor([again[name] for again in found], dtype=torch.float64)
        numbers = numbers[~numbers.isnan()]
        error = unbiased * float(numbers.std()) if len(numbers) > 1 else math.nan
        low, high = intervals.around(value, error, images, images - 1, *possible.get(name.partition(".")[0], EVERYTHING))
        metrics[name] = Metric(value, low, high, images)
    return metrics


def interval(values: Float[Tensor, "m v"], seed: int = 0, resamples: int = 0) -> Float[Tensor, "2 v"]:  # noqa: ARG001
    """`iwm_evals.statistics.intervals.interval`, as it was called when it resampled: ``seed`` and ``resamples`` are not used."""
    return intervals.interval(values)


def ratio_interval(
    numerators: Float[Tensor, "m v"],
    denominators: Float[Tensor, "m v"],
    seed: int = 0,  # noqa: ARG001
    resamples: int = 0,  # noqa: ARG001
) -> Float[Tensor, "2 v"]:
    """`iwm_evals.statistics.intervals.ratio_interval`, as it was called when it resampled: ``seed`` and ``resamples`` are not used."""
    return intervals.ratio_interval(numerators, denominators)
