"""The figures of the README: patches left unused, and how far visit frequencies are from the paper's free sampler.

The free sampler draws blocks without regard to sizes. Blocks are independent, so its visit frequencies have a closed form: a patch that one
block covers with chance c is in the union of m blocks with chance 1 - (1 - c)^m. The chance c comes from numerical integration over
area and ratio: no random number and no line of the package is used. Run with `-s` to see the table.
"""

import math
import random

import numpy as np
import pytest
import torch
from iwm_masking.ijepa import IJepa
from iwm_masking.multiblock import MultiBlock
from iwm_masking.patch_sets import PatchSets, sizes

from iwm_core.interfaces import Draws

SAMPLES = 6144  # the README's table was measured with 65536
POINTS = 1000  # of the integration, along each of area and ratio


def chance_along(size: int, sides: np.ndarray) -> np.ndarray:
    """Chance that a segment of each length, placed uniformly, covers each cell of a line: [lengths, cells]."""
    chances = np.zeros((len(sides), size))
    for row, side in enumerate(sides):
        for start in range(size - side + 1):
            chances[row, start : start + side] += 1 / (size - side + 1)
    return chances


def chance_of_block(grid: tuple[int, int], scale: tuple[float, float], aspect: tuple[float, float]) -> np.ndarray:
    """Chance that one block covers each patch, [n]."""
    gh, gw = grid
    middle = (np.arange(POINTS) + 0.5) / POINTS
    area = (scale[0] + (scale[1] - scale[0]) * middle)[:, None] * gh * gw
    ratio = (aspect[0] + (aspect[1] - aspect[0]) * middle)[None, :]
    height, width = np.sqrt(area * ratio), np.sqrt(area / ratio)
    tall, wide = height > gh, width > gw  # never both: the area is at most the grid's
    height, width = np.where(tall, gh, np.where(wide, area / gw, height)), np.where(wide, gw, np.where(tall, area / gh, width))
    joint, _, _ = np.histogram2d(np.rint(height).ravel(), np.rint(width).ravel(), bins=(np.arange(gh + 1) + 0.5, np.arange(gw + 1) + 0.5))
    assert joint.sum() == POINTS * POINTS, "a side lies outside the grid"
    rows, columns = chance_along(gh, np.arange(1, gh + 1)), chance_along(gw, np.arange(1, gw + 1))
    return (rows.T @ (joint / joint.sum()) @ columns).ravel()


def visits(indices: torch.Tensor, grid: tuple[int, int]) -> np.ndarray:
    """Share of visits of each patch, averaged over the grid's reflections, under which every law here is the same; sums to 1."""
    share = np.bincount(indices.flatten().numpy(), minlength=grid[0] * grid[1]).reshape(grid) / indices.numel()
    return ((share + share[::-1] + share[:, ::-1] + share[::-1, ::-1]) / 4).ravel()


def deviation(found: np.ndarray, law: np.ndarray) -> tuple[float, float]:
    """Largest relative deviation of a patch, and the share of visits that go elsewhere (total variation)."""
    law = law / law.sum()
    return float(np.abs(found / law - 1).max()), float(np.abs(found - law).sum() / 2)


GRIDS = [(6, 6), (8, 8), (12, 12), (14, 14), (8, 16)]


@pytest.mark.parametrize(("grid", "relative"), list(zip(GRIDS, [0.09, 0.17, 0.18, 0.18, 0.28], strict=True)))
def test_multiblock_wastes_little_and_visits_like_the_free_sampler(grid, relative):
    free = 1 - (1 - chance_of_block(grid, (0.15, 0.2), (0.75, 1.5))) ** 4
    where = MultiBlock().select(Draws(0, 0, torch.arange(SAMPLES)), grid)
    t, k, n = where.target.shape[2], where.context.shape[1], grid[0] * grid[1]
    unused = 1 - (t + k) / n
    target, context = deviation(visits(where.target, grid), free), deviation(visits(where.context, grid), 1 - free)
    print(
        f"\nmultiblock {grid}: free union {free.sum():.1f}, t {t}, k {k}, unused {unused:.1%}, "
        f"target off {target[0]:.1%} / {target[1]:.2%}, context off {context[0]:.1%} / {context[1]:.2%}"
    )
    assert unused <= 0.12
    assert max(target[0], context[0]) <= relative
    assert max(target[1], context[1]) <= 0.025


@pytest.mark.parametrize("grid", [(6, 6), (14, 14), (8, 16)])
def test_ijepa_wastes_little_and_visits_like_the_free_sampler(grid):
    block, around = chance_of_block(grid, (0.15, 0.2), (0.75, 1.5)), chance_of_block(grid, (0.85, 1.0), (1.0, 1.0))
    left = around * (1 - block) ** 4
    where = IJepa().select(Draws(0, 0, torch.arange(SAMPLES)), grid)
    t, k = where.target.shape[2], where.context.shape[1]
    lost = 1 - t / block.sum(), 1 - k / left.sum()
    target, context = deviation(visits(where.target, grid), block), deviation(visits(where.context, grid), left)
    print(
        f"\nijepa {grid}: block {block.sum():.1f}, t {t}, context {left.sum():.1f}, k {k}, lost {lost[0]:.1%} / {lost[1]:.1%}, "
        f"target off {target[0]:.1%} / {target[1]:.2%}, context off {context[0]:.1%} / {context[1]:.2%}"
    )
    assert lost[0] <= 0.36
    assert lost[1] <= 0.18
    assert max(target[0], context[0]) <= 0.25
    assert max(target[1], context[1]) <= 0.03


def test_mean_union_on_14x14():
    """94.3 patches (48 %): more than the 87 (44.5 %) that PAPER §3 reports, see the next test."""
    grid = (14, 14)
    draws = Draws(3, 0, torch.arange(SAMPLES))
    union = sizes(MultiBlock().layouts(draws, PatchSets(grid, draws.device), 1)[:, 0, 0]).double()
    free = 1 - (1 - chance_of_block(grid, (0.15, 0.2), (0.75, 1.5))) ** 4
    assert free.sum() == pytest.approx(94.3, abs=0.1)
    assert abs(union.mean() - free.sum()) < 4 * union.std() / SAMPLES**0.5  # p < 1e-4


def test_87_patches_come_from_the_reference_samplers_faults():
    """Floored area, one draw for scale and ratio, last row and column never covered: blocks crowd the top left and overlap more."""
    draw, sizes = random.Random(0), []
    for _ in range(6000):
        union = set()
        for _ in range(4):
            shared = draw.random()
            area, ratio = int(196 * (0.15 + 0.05 * shared)), 0.75 + 0.75 * shared
            height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            top, left = draw.randrange(14 - height), draw.randrange(14 - width)
            union |= {(row, column) for row in range(top, top + height) for column in range(left, left + width)}
        sizes.append(len(union))
    assert np.mean(sizes) == pytest.approx(87.4, abs=0.7)  # 4 standard errors
