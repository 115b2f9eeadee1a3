"""Confidence intervals by resampling images.

Decisions:
- The image is the unit: elements of one bank share an image and are not independent, so they are averaged before they come here.
- Percentile bootstrap (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, §13): no assumption on the distribution, and never
  beyond the possible values. It says how much the number would move with other images, not with another training.
- All metrics are resampled together, so they can be compared.
- A ratio of sums, such as a relative error, is resampled as a ratio of sums: it is not the mean of its images' ratios, which images with
  hardly any denominator would rule.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.draws import Draws
from iwm_core.results import Metric

LEVEL = 0.95
AT_ONCE = 50  # resamples held in memory together


def interval(values: Float[Tensor, "m v"], seed: int, resamples: int = 1000) -> Float[Tensor, "2 v"]:
    """The bounds of the 95 % interval of each column's mean, from ``m`` images on the CPU."""
    return bounds(resampled_means(values, seed, resamples))


def ratio_interval(
    numerators: Float[Tensor, "m v"], denominators: Float[Tensor, "m v"], seed: int, resamples: int = 1000
) -> Float[Tensor, "2 v"]:
    """The bounds of the 95 % interval of sum(numerator) / sum(denominator) of each column, from ``m`` images on the CPU.

    A resample whose denominators are all 0 has no ratio and is left out; NaN where all of them are.
    """
    above, below = (resampled_means(values, seed, resamples) for values in (numerators, denominators))
    return bounds(torch.where(below == 0, torch.nan, above / below))


def resampled_means(values: Float[Tensor, "m v"], seed: int, resamples: int) -> Float[Tensor, "r v"]:
    """Each column's mean in each resample of the images; the same resamples for the same seed."""
    images = len(values)
    return torch.cat(
        [values[Draws(seed, 0, number, "bootstrap").integers(images, images)].mean(1) for number in torch.arange(resamples).split(AT_ONCE)]
    )


def bounds(resampled: Float[Tensor, "r v"]) -> Float[Tensor, "2 v"]:
    """The middle 95 % of each column."""
    tail = (1 - LEVEL) / 2
    return torch.nanquantile(resampled, torch.tensor([tail, 1 - tail], dtype=resampled.dtype), dim=0)


def bootstrap(
    statistic: Callable[[Float[Tensor, "m v"]], dict[str, float]], rows: Float[Tensor, "m v"], seed: int, resamples: int = 300
) -> dict[str, Metric]:
    """A statistic of ``rows``, one for each image, with the 95 % interval of each of its numbers.

    A resample that leaves a number undefined (NaN) does not count for it.
    """
    images = len(rows)
    found = [
        statistic(rows[Draws(seed, 0, torch.tensor([number]), "bootstrap").integers(images, images)[0]]) for number in range(resamples)
    ]
    metrics = {}
    for name, value in statistic(rows).items():
        low, high = bounds(torch.tensor([numbers[name] for numbers in found], dtype=torch.float64)[:, None])[:, 0].tolist()
        metrics[name] = Metric(value, low, high, images)
    return metrics
