"""Simulates how often the 95 % intervals hold the truth, and writes the table into ``metrics.md``: ``python docs/make_coverage.py``.

Decisions:
- Sets of images are drawn from distributions whose truth is known; the share of sets whose interval holds it is the coverage.
- Intervals of means and ratios are asked `DRAWS` times, resampled and jackknifed ones, which cannot be computed side by side, `FEW` times.
- `WANTED` is what must be reached, also by the smaller simulation of the tests.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

from iwm_core.evaluation.bootstrap import bootstrap
from iwm_core.evaluation.intervals import interval, ratio_interval
from iwm_core.evaluation.jackknife import jackknife

PAGE = Path(__file__).resolve().parent / "metrics.md"
BEGIN, END = "<!-- coverage: made by python docs/make_coverage.py -->", "<!-- end of coverage -->"
IMAGES = (8, 16, 32, 256)
DRAWS, FEW = 20_000, 1_000
SHARES = (0.02, 0.1, 0.5)
RANKS = 64  # of one question an image, whose answer is drawn at random
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
    "rank": "1 / rank, at random",
    "bootstrap": "bootstrap, normal",
    "jackknife": "jackknife, normal",
}


def simulate(images: int, draws: int, few: int = 0, seed: int = 0) -> dict[str, float]:
    """The share of sets of images whose interval holds the truth, by what is measured; ``few``: sets that are resampled and jackknifed."""
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
    found["rank"] = held(interval(1 / ranks, least=1 / RANKS, most=1), sum(1 / (rank + 1) for rank in range(RANKS)) / RANKS)
    if few:
        sets = normal.T[:few, :, None]
        resampled = [bootstrap(lambda rows: {"mean": float(rows.mean())}, rows, number)["mean"] for number, rows in enumerate(sets)]
        for name, metrics in (("bootstrap", resampled), ("jackknife", [jackknife(torch.mean, rows) for rows in sets])):
            found[name] = sum(metric.low <= 0 <= metric.high for metric in metrics) / few
    return found


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
