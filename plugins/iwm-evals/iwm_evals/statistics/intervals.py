"""95 % confidence intervals of means and of ratios of sums over images, in closed form.

Decisions:
- The image is the unit: elements of one bank share an image and are not independent, so they are averaged before they come here. An
  interval says how much the number would move with other images, not with another training.
- Student's t, not the normal quantile, since a set may have eight images; after Hall's transformation, which takes out the skewness
  (Hall, "On the removal of skewness by transformation", 1992): errors and ranks are skewed. The percentile bootstrap holds the mean of
  eight normal numbers in 88 of 100 cases, and costs a thousand resamples; docs/metrics.md has the simulated table for these.
- Outliers to both sides feign a skewness, another one in each set of images, and an excess kurtosis that is large for it: it lessens the
  correction of numbers without ends, which alone can have such outliers. Rejected: half of the correction for all numbers, and none
  where the skewness is not significant; both hold the mean of skewed shares of few images less often.
- Where every image is all right or all wrong (values at the ends of what is possible alone), Wilson's interval with the same t: it has a
  width where all are right, and never leaves what is possible (Brown, Cai & DasGupta, "Interval estimation for a binomial proportion",
  2001). There is no jump: Wilson's counts by how nearly the values lie as far apart as those of their mean can (near an end: `SEEN`).
  Rejected: Wilson's for all, which holds skewed ranks less often; as wide a one for images that agree elsewhere, where a millionth jumps.
- What no image shows, no interval knows: numbers near 0.07, one in 33 of which is 1, have their mean held by 22 of 100 intervals of eight
  images, 97 of 256. Never to be narrower than what one such image does takes 3 / images of all that is possible, for every metric.
- A ratio of sums, such as a relative error, is not the mean of its images' ratios, which images with hardly any denominator would rule. Its
  interval is that of the mean of its linear terms.
- One image tells no spread: its interval is all that is possible. What is not available (NaN) has no interval.
"""

import math
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

LEVEL = 0.95
SERIES = 1e-3  # skewness below which the transformation is computed by its series
HEAVY = 1.5  # squared skewness over this many times the excess kurtosis is how much is corrected, if less than 1: by simulation
SEEN = 0.1  # images: a mean nearer to an end than so many of them at the other end would bring it is like one of right and wrong
STEEP = 4  # power of the likeness to values that are all right or wrong: smaller ones hold no more often, and change other values more
NORMAL = 1.959963984540054
MANY = 300  # degrees of freedom from which Student's quantile is expanded around the normal one


def interval(values: Float[Tensor, "m v"], *, least: float = -math.inf, most: float = math.inf) -> Float[Tensor, "2 v"]:
    """The bounds of the 95 % interval of each column's mean, from ``m`` images on the CPU; ``least`` and ``most`` are the ends of what is
    possible for one image."""
    images = len(values)
    if images < 2:
        return torch.stack([torch.where(values.mean(0).isnan(), torch.nan, end) for end in (least, most)])
    mean, t = values.mean(0), student(images - 1)
    apart = values - mean
    squares = apart.square().sum(0)
    skewness = math.sqrt(images) * apart.pow(3).sum(0) / squares.pow(1.5).clamp(min=torch.finfo(values.dtype).tiny)
    spread = (squares / (images - 1)).sqrt()
    width = most - least
    if not math.isfinite(width):
        kurtosis = images * apart.pow(4).sum(0) / squares.square().clamp(min=torch.finfo(values.dtype).tiny) - 3
        skewness = skewness * (skewness.square() / (HEAVY * kurtosis).clamp(min=SERIES)).clamp(max=1)
    found = torch.stack([mean - spread * unskewed(end, skewness, images) for end in (t, -t)]).clamp(least, most)
    if not math.isfinite(width):
        return found
    share = ((mean - least) / width).clamp(0, 1)
    alike = ((squares / width**2 + SEEN) / (images * share * (1 - share) + SEEN)).clamp(max=1)
    return found + alike**STEEP * (least + width * wilson(share, images / alike, t) - found)


def unskewed(t: float, skewness: Float[Tensor, "v"], images: int) -> Float[Tensor, "v"]:
    """The mean's distance from the truth, in standard deviations of an image, at which Hall's statistic is ``t``."""
    place = t / math.sqrt(images) - skewness / (6 * images)
    product = skewness * place
    small = skewness.abs() < SERIES
    safe = torch.where(small, 1.0, skewness)
    root = (1 + product).abs().pow(1 / 3) * (1 + product).sign()
    return torch.where(small, place * (1 - product / 3 + 5 / 27 * product.square()), 3 / safe * (root - 1))


def wilson(share: Float[Tensor, "v"], images: Float[Tensor, "#v"] | float, t: float) -> Float[Tensor, "2 v"]:
    """Wilson's interval of a share."""
    extra = t * t / images
    half = t * (share * (1 - share) / images + extra / (4 * images)).sqrt()
    middle = share + extra / 2
    return torch.stack(
        [((middle - half) / (1 + extra)).clamp(min=0).minimum(share), ((middle + half) / (1 + extra)).clamp(max=1).maximum(share)]
    )


def ratio_interval(numerators: Float[Tensor, "m v"], denominators: Float[Tensor, "m v"]) -> Float[Tensor, "2 v"]:
    """The bounds of the 95 % interval of sum(numerator) / sum(denominator) of each column; NaN where the denominators are all 0.

    Images with 0 above and below do not count; where one alone has a denominator, it tells no spread, as one image.
    """
    counted, below = (numerators != 0) | (denominators != 0), (denominators != 0).sum(0)
    if counted.all() and (below > 1).all():
        return interval(ratio_terms(numerators, denominators))
    columns = []
    for place, several in enumerate(below.tolist()):
        terms = ratio_terms(*(side[counted[:, place], place, None] for side in (numerators, denominators)))
        columns.append(interval(terms if several > 1 else terms[:several]))
    return torch.where(below > 0, torch.cat(columns, 1), torch.nan)


def ratio_terms(numerators: Float[Tensor, "m v"], denominators: Float[Tensor, "m v"]) -> Float[Tensor, "m v"]:
    """What each image adds to the ratio of both sums, to first order: the mean of these is the ratio."""
    ratio = numerators.sum(0) / denominators.sum(0)
    return ratio + (numerators - ratio * denominators) / denominators.mean(0)


def around(value: float, error: float, images: int, freedom: int, least: float = -math.inf, most: float = math.inf) -> tuple[float, float]:
    """The 95 % interval of a number with this standard error, whose square has this many degrees of freedom.

    Where both ends of what is possible are known, Wilson's interval for as many images as would give this error: it stays within them,
    and has a width at them, to which that of nearby numbers grows.
    """
    if math.isnan(value):
        return math.nan, math.nan
    if freedom < 1 or not math.isfinite(error):
        return least, most
    t, width = student(freedom), most - least
    if not math.isfinite(width):
        return max(least, value - t * error), min(most, value + t * error)
    share = min(max((value - least) / width, 0.0), 1.0)
    room = images * share * (1 - share)
    seen = SEEN * (SEEN / (room + SEEN)) ** (STEEP - 1)
    size = images * (room + seen) / ((images * error / width) ** 2 + seen)
    low, high = (least + width * wilson(torch.tensor([share], dtype=torch.float64), size, t)[:, 0]).tolist()
    return min(value, low), max(value, high)


@cache
def student(freedom: int) -> float:
    """What 95 % of Student's t of so many degrees of freedom lie below, in size."""
    if freedom > MANY:  # Abramowitz & Stegun, 26.7.5
        z = NORMAL
        return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
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
