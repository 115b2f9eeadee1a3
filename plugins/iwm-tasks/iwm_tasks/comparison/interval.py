"""The interval of a metric over trainings and images.

With k trainings of values v, all measured on the same images, each side of the mean's interval is the root of two squares' sum:

- over trainings: t(k - 1) · sd(v) / √k, Student's interval of a mean;
- over images: that side of the bootstrap interval of the trainings' mean, the images resampled together for all trainings.

Two trainings may differ also because they err on other images, and that part of the second is in the first as well. Simulated with two
to five trainings of normal numbers on 100 images, the interval holds the truth in 95 to 96 of 100 cases where only images or only
trainings differ, and in more the more each training errs on images of its own, up to 99 or 100. With one training only the second is known.
"""

import math
import statistics
from collections.abc import Callable, Sequence

import torch
from iwm_evals.statistics.bootstrap import bootstrap
from iwm_evals.statistics.intervals import student
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces.results import Metric


def interval_over(
    trainings: Sequence[Float[Tensor, "m v"]],
    metric: Callable[[Float[Tensor, "m v"]], float],
    resamples: int = 300,
    least: float = -math.inf,
    most: float = math.inf,
) -> Metric:
    """The mean of a metric over trainings, with its 95 % interval over trainings and images.

    Args:
        trainings: what each training did on each of the same ``m`` images.
        metric: of the rows of some images.
        resamples: of the images.
        least, most: ends of what the metric can be.
    """
    k, columns = len(trainings), trainings[0].shape[1]

    def mean(rows: Float[Tensor, "m kv"]) -> dict[str, float]:
        return {"mean": statistics.fmean(metric(part) for part in rows.split(columns, dim=1))}

    over_images = bootstrap(mean, torch.cat(list(trainings), dim=1), 0, resamples, {"mean": (least, most)})["mean"]
    if math.isnan(over_images.value):  # of which there is no deviation either
        return over_images
    values = [metric(rows) for rows in trainings]
    over_trainings = student(k - 1) * statistics.stdev(values) / math.sqrt(k) if k > 1 else 0.0
    value, images = over_images.value, len(trainings[0])
    low, high = (math.hypot(over_trainings, end - value) for end in (over_images.low, over_images.high))
    return Metric(value, max(least, value - low), min(most, value + high), images)
