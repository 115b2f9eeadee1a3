"""Confidence intervals of what is no mean over images: ranks, spreads, variances.

Decisions:
- A bootstrap resample lacks a third of the images and repeats others, and repeats span no new direction: ranks of resamples lie below
  that of the images, and so may the whole interval. Leaving out disjoint groups of images, one at a time, repeats nothing (Kott, "The
  delete-a-group jackknife", 2001): the spread of what remains, scaled up, is the standard error.
- The interval is the value ± Student's t times that error, cut to what is possible. A group is every ``groups``-th image: images next to
  each other in a folder are alike.
- Few groups suffice, at the price of a wider t; each costs the statistic once more (for a rank, an eigendecomposition).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from iwm_core.evaluation.intervals import student
from iwm_core.interfaces.results import Metric

GROUPS = 10


def jackknife(statistic: Callable[[Tensor], Tensor], rows: Tensor, least: float = -math.inf, most: float = math.inf) -> Metric:
    """A statistic of ``rows``, one for each image along the first axis, with its 95 % interval between ``least`` and ``most``.

    ``rows`` holds at least three images, so that the statistic sees two.
    """
    images = len(rows)
    group = torch.arange(images, device=rows.device) % min(GROUPS, images)
    without = [statistic(rows[group != left_out]) for left_out in range(min(GROUPS, images))]
    return interval_of(statistic(rows), without, images, least, most)


def interval_of(value: Tensor, without: list[Tensor], images: int, least: float = -math.inf, most: float = math.inf) -> Metric:
    """The same, from the value of all ``images``, and those without each of three groups of them or more."""
    groups = len(without)
    assert groups > 2, "nothing is left to leave out"
    values = torch.stack(without).cpu().double()
    error = float(((groups - 1) / groups * (values - values.mean()).square().sum()).sqrt())
    centre, reach = float(value), student(groups - 1) * error
    return Metric(centre, float(min(centre, max(least, centre - reach))), float(max(centre, min(most, centre + reach))), images)
