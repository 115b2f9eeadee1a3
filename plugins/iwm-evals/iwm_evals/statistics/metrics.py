"""Numbers from a table with one row an image: means, and ratios of sums, with their intervals over images."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Metric
from iwm_evals.statistics.intervals import interval, ratio_interval, ratio_terms


def mean_metrics(values: Float[Tensor, "m v"], *, least: float = -math.inf, most: float = math.inf) -> list[Metric]:
    """The mean of each column, of numbers between ``least`` and ``most``; float64 on the CPU."""
    low, high = interval(values, least=least, most=most).tolist()
    return [Metric(*numbers, len(values)) for numbers in zip(values.mean(0).tolist(), low, high, strict=True)]


def share_metrics(values: Float[Tensor, "m v"]) -> list[Metric]:
    """The same of shares, ranks and right answers, which lie between 0 and 1."""
    return mean_metrics(values, least=0.0, most=1.0)


def ratio_metrics(numerators: Float[Tensor, "m v"], denominators: Float[Tensor, "m v"]) -> list[Metric]:
    """The sum of each numerator over that of its denominator, none of them negative; float64 on the CPU.

    ``n`` counts the images that tell of the ratio: those with 0 above and below do not.
    """
    low, high = ratio_interval(numerators, denominators).clamp(min=0).tolist()
    ratios = (numerators.sum(0) / denominators.sum(0)).tolist()
    counts = ((numerators != 0) | (denominators != 0)).sum(0).tolist()
    return [Metric(*numbers) for numbers in zip(ratios, low, high, counts, strict=True)]


def r_squared_metrics(errors: Float[Tensor, "m v"], spread: Float[Tensor, "m v"]) -> list[Metric]:
    """R², 1 less the ratio of both sums: first the mean over all columns, then each column; float64 on the CPU."""
    value, terms = 1 - errors.sum(0) / spread.sum(0), 1 - ratio_terms(errors, spread)
    low, high = interval(torch.cat([terms.mean(1, keepdim=True), terms], 1)).clamp(max=1).tolist()
    return [Metric(*found, len(errors)) for found in zip([float(value.mean()), *value.tolist()], low, high, strict=True)]


def answered(found: Mapping[str, Metric]) -> Metric:
    """The metric of the answer ``""``, held against those of the other answers, which are called as the controls that they are."""
    return found[""].against(**{control: metric for control, metric in found.items() if control})


def answer(metric: Metric, control: str) -> Metric:
    """One of these answers again."""
    return metric.controls[control] if control else metric
