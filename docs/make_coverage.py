"""Simulates how often the 95 % intervals hold the truth, and writes the table into ``metrics.md``: ``python docs/make_coverage.py``.

Decisions:
- Sets of images are drawn from distributions whose truth is known; the share of sets whose interval holds it is the coverage.
- Intervals of means and ratios are asked `DRAWS` times, resampled and jackknifed ones, which cannot be computed side by side, `FEW` times.
- A spread and a rank of few images are biased. Their intervals are asked for what as many images give on average, and, to show the
  difference, the rank's also for that of all there are.
- `WANTED` is what must be reached, also by the smaller simulation of the tests.
"""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from iwm_evals.scores.health import entropy_rank
from iwm_evals.statistics.bootstrap import bootstrap
from iwm_evals.statistics.intervals import interval, ratio_interval
from iwm_evals.statistics.jackknife import jackknife
from torch import Tensor

PAGE = Path(__file__).resolve().parent / "metrics.md"
BEGIN, END = "<!-- coverage: made by python docs/make_coverage.py -->", "<!-- end of coverage -->"
IMAGES = (8, 16, 32, 256)
DRAWS, FEW = 20_000, 1_000
SHARES = (0.02, 0.1, 0.5)
RANKS = 64  # of one question an image, whose answer is drawn at random
TIED = 0.074, 0.03  # what nearly all images have, and the share of them that have 1 instead
WIDTH = 16  # of features whose rank is asked, normal with variances that fall as 1 / k
ALL = 20_000  # images that are as good as all there are
WANTED = {
    images: {"normal": 0.94, "exponential": exponential, "ratio": 0.91}
    for images, exponential in zip(IMAGES, (0.89, 0.91, 0.92, 0.94), strict=True)
}
HEADINGS = {
    "normal": "mean, normal",
    "exponential": "mean, exponential",
    **{f"right {share:g}": f"right with p = {share:g}" for share in SHARES},
    "ratio": "ratio of sums",
    "lognormal": "mean, lognormal",
    "heavy": "mean, heavy tails",
    "reciprocal": "1 / rank, at random",
    "tied": f"mean, {TIED[0]:g} and rarely 1",
    "bootstrap": "bootstrap, mean",
    "correlation": "bootstrap, correlation",
    "spread": "jackknife, spread of normal",
    "skewed spread": "jackknife, spread of exponential",
    "rank": f"jackknife, rank of {WIDTH}",
    "rank of all": "the same, against all images",
}


def simulate(images: int, draws: int, few: int = 0, seed: int = 0) -> dict[str, float]:
    """The share of sets of images whose interval holds the truth, by what is measured; ``few``: sets that are resampled or jackknifed."""
    generator = torch.Generator().manual_seed(seed)

    def uniform() -> Tensor:
        return torch.rand(images, draws, generator=generator, dtype=torch.float64)

    normal = torch.randn(images, draws, generator=generator, dtype=torch.float64)
    found = {"normal": held(interval(normal), 0), "exponential": held(interval(-(1 - uniform()).log()), 1)}
    for share in SHARES:
        found[f"right {share:g}"] = held(interval((uniform() < share).double(), least=0, most=1), share)
    below = 0.1 + uniform()
    found["ratio"] = held(ratio_interval(below * uniform().square(), below), 1 / 3)
    found["lognormal"] = held(interval(normal.exp(), least=0), math.exp(0.5))
    # Student's t of three degrees of freedom: no skewness, and outliers that feign one.
    squares = torch.randn(3, images, draws, generator=generator, dtype=torch.float64).square()
    found["heavy"] = held(interval(normal / squares.mean(0).sqrt()), 0)
    ranks = 1 + (RANKS * uniform()).floor()
    found["reciprocal"] = held(interval(1 / ranks, least=1 / RANKS, most=1), sum(1 / (rank + 1) for rank in range(RANKS)) / RANKS)
    near, rare = TIED
    found["tied"] = held(
        interval(torch.where(uniform() < rare, 1.0, near + 1e-4 * normal), least=1 / RANKS, most=1), rare + (1 - rare) * near
    )
    return found | again(images, few, generator) if few else found


def again(images: int, sets: int, generator: torch.Generator) -> dict[str, float]:
    """The same of what is computed again and again, from resamples or without some of the images."""
    features = torch.randn(sets, images, WIDTH, generator=generator, dtype=torch.float64)
    falling = torch.arange(1, WIDTH + 1).double().rsqrt()
    skewed = -torch.rand(sets, images, 1, generator=generator, dtype=torch.float64).log()
    pairs = features[..., :2] @ torch.tensor([[1.0, 0.8], [0.0, 0.6]], dtype=torch.float64)
    most = float(min(images, WIDTH))
    every = rank_of(falling * torch.randn(ALL, WIDTH, generator=generator, dtype=torch.float64))

    def resampled(samples: Tensor, statistic: Callable[[Tensor], Tensor], truth: float) -> float:
        found = [bootstrap(lambda rows: {"": float(statistic(rows))}, rows, number)[""] for number, rows in enumerate(samples)]
        return sum(one.low <= truth <= one.high for one in found) / sets

    def jackknifed(samples: Tensor, statistic: Callable[[Tensor], Tensor], ends: tuple[float, ...], truth: float | None = None) -> float:
        found = [jackknife(statistic, rows, *ends) for rows in samples]
        truth = sum(one.value for one in found) / sets if truth is None else truth
        return sum(one.low <= truth <= one.high for one in found) / sets

    return {
        "bootstrap": resampled(features[..., :1], torch.mean, 0.0),
        "correlation": resampled(pairs, lambda rows: rows.T.corrcoef()[0, 1], 0.8),
        "spread": jackknifed(features[..., :1], torch.std, (0.0,)),
        "skewed spread": jackknifed(skewed, torch.std, (0.0,)),
        "rank": jackknifed(features * falling, rank_of, (1.0, most)),
        "rank of all": jackknifed(features * falling, rank_of, (1.0, most), float(every)),
    }


def rank_of(features: Tensor) -> Tensor:
    """The effective rank of features."""
    return entropy_rank(torch.linalg.svdvals(features))


def held(bounds: Tensor, truth: float) -> float:
    """The share of intervals that hold the truth."""
    return float(((bounds[0] <= truth) & (truth <= bounds[1])).double().mean())


def table() -> str:
    """The coverage for each number of images, as a table."""
    lines = ["| images | " + " | ".join(HEADINGS.values()) + " |", "|--:" * (len(HEADINGS) + 1) + "|"]
    for images in IMAGES:
        found = simulate(images, DRAWS, FEW)
        lines.append(f"| {images} | " + " | ".join(f"{found[name]:.3f}" for name in HEADINGS) + " |")
    return "\n".join(lines)


def main() -> None:
    """Write the table between its markers."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
