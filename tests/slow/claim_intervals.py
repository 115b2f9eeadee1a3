"""How often the intervals of `iwm reproduce` hold the truth: ``python tests/slow/claim_intervals.py``; half a minute on one core.

Each case draws seeds and images anew 2,000 times from a population whose mean is known, gives every seed's images to the interval that
evaluators use, all seeds the same images, and the seeds to `iwm_repro.spread`. It fails where fewer than 93 of 100 intervals hold what
they are about: the mean over all seeds and images, the difference of two models' means, the correlation over all models.

Decisions:
- Nothing is shared with what is tested: populations are drawn by NumPy, and their means are known in closed form or from 300,000 draws.
- The two models of a difference are begun alike and see the same images, so that what is common to a seed, or to an image, is in both.
- With one seed, the interval is over images alone, and holds that seed's own mean over all images.
"""

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from iwm_evals.statistics.intervals import interval
from iwm_repro.spread import Measured, correlation, difference, over_seeds

LEAST, DRAWS = 0.93, 300_000
OPEN, SHARE = (-np.inf, np.inf), (0.0, 1.0)


class Case(NamedTuple):
    """A population: how far seeds, images, and seeds on single images differ, and what is made of it.

    Attributes:
        score: from a sum of normal numbers to what is measured on an image.
        ends: of what that can be.
        middle: of those sums; the other model's is ``gap`` higher.
    """

    seeds: float
    images: float
    both: float
    score: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    ends: tuple[float, float] = OPEN
    middle: float = 0.0
    gap: float = 0.2


def as_it_is(sums: np.ndarray, _: np.random.Generator) -> np.ndarray:
    return sums


def right(sums: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whether an answer is right, as the sum is its logit."""
    return (rng.random(sums.shape) < 1 / (1 + np.exp(-sums))).astype(float)


def rank(sums: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean of the reciprocal ranks of an image's 64 elements, whose typical rank is the exponential of the negative sum."""
    return (1 / (1 + rng.poisson(np.exp(-sums)[..., None], (*sums.shape, 8)))).mean(-1)


CASES = {
    "seeds differ": Case(0.3, 0.1, 0.1, as_it_is),
    "images differ": Case(0.02, 1.0, 0.1, as_it_is),
    "both differ": Case(0.1, 0.8, 0.3, as_it_is),
    "seeds err on images of their own": Case(0.05, 0.2, 1.0, as_it_is),
    "right or wrong": Case(0.3, 1.0, 0.5, right, SHARE, 0.5),
    "nearly always right": Case(0.5, 1.0, 0.5, right, SHARE, 3.5),
    "ranks": Case(0.2, 0.7, 0.3, rank, SHARE, -0.5),
}


def drawn(case: Case, rng: np.random.Generator, sets: int, seeds: int, images: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What two models come to, [sets, seeds, images] each; and the sums that belong to the seeds of the first, [sets, seeds]."""
    half = np.sqrt(0.5)  # half of each variance is common to both models
    scores = []
    common = [rng.normal(0, half * spread, shape) for spread, shape in spreads(case, sets, seeds, images)]
    for middle in (case.middle, case.middle + case.gap):
        own = [rng.normal(0, half * spread, shape) for spread, shape in spreads(case, sets, seeds, images)]
        of_seed, of_image, of_both = (one + other for one, other in zip(common, own, strict=True))
        scores.append((case.score(middle + of_seed + of_image + of_both, rng), middle + of_seed[..., 0]))
    return scores[0][0], scores[1][0], scores[0][1]


def spreads(case: Case, sets: int, seeds: int, images: int) -> list[tuple[float, tuple[int, int, int]]]:
    return [(case.seeds, (sets, seeds, 1)), (case.images, (sets, 1, images)), (case.both, (sets, seeds, images))]


def mean_of(case: Case, middle: float, rng: np.random.Generator, seeds: bool = True) -> float:
    """The mean over all images, and all seeds or, with its sum as ``middle``, one of them."""
    if case.score is as_it_is:
        return middle
    spread = np.sqrt((case.seeds**2 if seeds else 0) + case.images**2 + case.both**2)
    return float(case.score(rng.normal(middle, spread, DRAWS), rng).mean())


def means_of(case: Case, sums: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mean over all images of each of some seeds; between 25 of them, it is interpolated."""
    known = np.linspace(sums.min(), sums.max(), 25)
    return np.interp(sums, known, [mean_of(case, one, rng, seeds=False) for one in known])


def measured(values: np.ndarray, ends: tuple[float, float]) -> list[dict[int, Measured]]:
    """The value of each seed of each set with its interval over images, as evaluators give it."""
    sets, seeds, images = values.shape
    least, most = ends
    low, high = interval(torch.from_numpy(values.reshape(-1, images).T.copy()), least=least, most=most).numpy().reshape(2, sets, seeds)
    means = values.mean(2)
    return [{seed: Measured(means[s, seed], low[s, seed], high[s, seed], images) for seed in range(seeds)} for s in range(sets)]


def coverage(name: str, sets: int, seeds: int, images: int) -> tuple[float, float]:
    """The shares of intervals that hold the truth: of numbers, and of differences; of one seed, only of numbers: NaN."""
    case, rng = CASES[name], np.random.default_rng([seeds, images, *name.encode()])
    first, second, sums = drawn(case, rng, sets, seeds, images)
    found = [over_seeds(runs, *case.ends) for runs in measured(first, case.ends)]
    if seeds == 1:
        truths = means_of(case, sums[:, 0], rng)
        return float(np.mean([one.low <= truth <= one.high for one, truth in zip(found, truths, strict=True)])), np.nan
    truth, other = (mean_of(case, middle, rng) for middle in (case.middle, case.middle + case.gap))
    others = [over_seeds(runs, *case.ends) for runs in measured(second, case.ends)]
    between = [difference(two, one) for one, two in zip(found, others, strict=True)]
    held = np.mean([one.low <= truth <= one.high for one in found])
    return float(held), float(np.mean([one.low <= other - truth <= one.high for one in between]))


def correlated(models: int, truth: float, sets: int) -> float:
    """The share of intervals of a correlation over models, normal in both columns, that hold the truth."""
    rng = np.random.default_rng([models, int(100 * abs(truth))])
    x, rest = rng.normal(size=(2, sets, models))
    y = truth * x + np.sqrt(1 - truth**2) * rest
    found = [correlation(one.tolist(), other.tolist()) for one, other in zip(x, y, strict=True)]
    return float(np.mean([one is not None and one.low <= truth <= one.high for one in found]))


def main(sets: int = 2000) -> int:
    """Print all coverages; 1 where one is below `LEAST`."""
    every = []
    print("| population | images | one seed | 2 | 3 | 5 seeds | difference, 2 | 3 | 5 seeds |\n|---|" + "--:|" * 8)
    for name in CASES:
        for images in (64, 512):
            alone, *pairs = (coverage(name, sets, seeds, images) for seeds in (1, 2, 3, 5))
            told = [alone[0], *(held for held, _ in pairs), *(held for _, held in pairs)]
            every += told
            print(f"| {name} | {images} | " + " | ".join(f"{100 * held:.1f}" for held in told) + " |", flush=True)
    for models in (8, 13):
        told = [correlated(models, truth, 5 * sets) for truth in (0.0, 0.5, 0.93, -0.85)]
        every += told
        print(f"correlation over {models} models, of 0, 0.5, 0.93, -0.85: " + ", ".join(f"{100 * held:.1f}" for held in told))
    print(f"the least: {100 * min(every):.1f} of 100")
    return int(min(every) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
