"""Confidence intervals by resampling images.

Decisions:
- The image is the unit: elements of one bank share an image and are not independent, so they are averaged before they come here.
- Percentile bootstrap (Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, §13): no assumption on the distribution, and never
  beyond the possible values. It says how much the number would move with other images, not with another training.
- All metrics are resampled together, so they can be compared.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Draws

LEVEL = 0.95
AT_ONCE = 50  # resamples held in memory together


def interval(values: Float[Tensor, "m v"], seed: int, resamples: int = 1000) -> Float[Tensor, "2 v"]:
    """The bounds of the 95 % interval of each column's mean, from ``m`` images on the CPU."""
    images = len(values)
    means = torch.cat(
        [values[Draws(seed, 0, number, "bootstrap").integers(images, images)].mean(1) for number in torch.arange(resamples).split(AT_ONCE)]
    )
    tail = (1 - LEVEL) / 2
    return torch.quantile(means, torch.tensor([tail, 1 - tail], dtype=values.dtype), dim=0)
