"""Confidence intervals of what is not a mean over images: ranks, spreads, variances.

Decisions:
- A bootstrap resample lacks a third of the images and repeats others, and repeats span no new direction: ranks of resamples lie below
  that of the images, and so may the whole interval. Leaving out disjoint groups of images, one at a time, repeats nothing (Kott, "The
  delete-a-group jackknife", 2001): the spread of what remains, scaled up, is the standard error.
- The interval is the value ± Student's t times that error, cut to what is possible; of a number with a least end alone (a spread), by a
  factor up and down, since where it is small by chance so is its error. Logarithms of what remains hold a little more often, and have no
  end where one group makes the whole spread. A group is every ``groups``-th image: neighbours in a folder are alike.
- It is of what other images, *as many*, give on average; the rank of few lies below that of all, by more than a jackknife can tell.
- Few groups suffice, at the price of a wider t; each costs the statistic once more (for a rank, an eigendecomposition).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from iwm_core.interfaces import Metric
from iwm_evals.statistics.intervals import student

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
    low, high, above = centre - reach, centre + reach, centre - least
    if 0 < above < math.inf == most:
        low, high = (least + above * torch.tensor([-reach / above, reach / above]).double().exp()).tolist()
    return Metric(centre, float(min(centre, max(least, low))), float(max(centre, min(most, high))), images)
