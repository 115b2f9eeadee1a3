"""Metrics from a table with one row an image: means, and ratios of sums, with their intervals over images."""

from jaxtyping import Float
from torch import Tensor

from iwm_core.bootstrap import interval, ratio_interval
from iwm_core.interfaces import Metric


def mean_metrics(values: Float[Tensor, "m v"], seed: int, resamples: int) -> list[Metric]:
    """The mean of each column; float64 on the CPU."""
    low, high = interval(values, seed, resamples).tolist()
    return [Metric(*numbers, len(values)) for numbers in zip(values.mean(0).tolist(), low, high, strict=True)]


def ratio_metrics(numerators: Float[Tensor, "m v"], denominators: Float[Tensor, "m v"], seed: int, resamples: int) -> list[Metric]:
    """The sum of each numerator over that of its denominator; float64 on the CPU."""
    low, high = ratio_interval(numerators, denominators, seed, resamples).tolist()
    ratios = (numerators.sum(0) / denominators.sum(0)).tolist()
    return [Metric(*numbers, len(numerators)) for numbers in zip(ratios, low, high, strict=True)]
