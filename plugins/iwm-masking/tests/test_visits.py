"""Visit frequencies against a slow sampler: one image at a time, plain Python, Python's own random numbers.

It is written from PAPER §3 and the stated rule for fixed sizes, "the paper's layout, given that it has t and k patches to offer; random
subsets of t and k". The z-tests allow |z| < 4.8: p = 1.6e-6 a patch, 0.3 % for all patches of all cases together.
"""

import math
import random
from statistics import quantiles

import pytest
import torch
from iwm_masking.ijepa import IJepa
from iwm_masking.multiblock import MultiBlock
from iwm_masking.random_patches import RandomPatches

from iwm_core.interfaces import Draws

IMAGES = 6000
Patches = set[int]


def slow_block(draw: random.Random, grid: tuple[int, int], scale: tuple[float, float], aspect: tuple[float, float]) -> Patches:
    rows, columns = grid
    area = draw.uniform(*scale) * rows * columns
    ratio = draw.uniform(*aspect)
    height, width = math.sqrt(area * ratio), math.sqrt(area / ratio)
    if height > rows:
        height, width = rows, area / rows
    if width > columns:
        height, width = area / columns, columns
    height, width = max(round(height), 1), max(round(width), 1)
    top, left = draw.randint(0, rows - height), draw.randint(0, columns - width)  # both ends included
    return {row * columns + column for row in range(top, top + height) for column in range(left, left + width)}


def slow_multiblock(draw: random.Random, grid: tuple[int, int]) -> tuple[list[Patches], Patches]:
    union = set().union(*(slow_block(draw, grid, (0.15, 0.2), (0.75, 1.5)) for _ in range(4)))
    return [union], set(range(grid[0] * grid[1])) - union


def slow_ijepa(draw: random.Random, grid: tuple[int, int]) -> tuple[list[Patches], Patches]:
    blocks = [slow_block(draw, grid, (0.15, 0.2), (0.75, 1.5)) for _ in range(4)]
    return blocks, slow_block(draw, grid, (0.85, 1.0), (1.0, 1.0)).difference(*blocks)


def slow_counts(slow, grid: tuple[int, int], t: int, k: int) -> tuple[list[int], list[int]]:
    """How often each patch is target (in any group) and context in ``IMAGES`` images."""
    draw = random.Random(11)
    targets, contexts = [0] * (grid[0] * grid[1]), [0] * (grid[0] * grid[1])
    for _ in range(IMAGES):
        groups, context = slow(draw, grid)
        while min(map(len, groups)) < t or len(context) < k:
            groups, context = slow(draw, grid)
        for patch in set().union(*(draw.sample(sorted(group), t) for group in groups)):
            targets[patch] += 1
        for patch in draw.sample(sorted(context), k):
            contexts[patch] += 1
    return targets, contexts


def counts(indices: torch.Tensor, patches: int) -> torch.Tensor:
    """In how many images each patch occurs, in any group."""
    seen = torch.zeros(len(indices), patches, dtype=torch.bool).scatter(1, indices.flatten(1), True)
    return seen.sum(0).double()


def largest_z(found: torch.Tensor, slow: torch.Tensor, images: int) -> float:
    pooled = (found + slow) / (images + IMAGES)
    error = (pooled * (1 - pooled) * (1 / images + 1 / IMAGES)).sqrt()
    return float(((found / images - slow / IMAGES) / error.clamp(min=1e-9)).abs().max())


CASES = [(MultiBlock, slow_multiblock), (IJepa, slow_ijepa)]


@pytest.mark.parametrize("grid", [(6, 6), (14, 14), (7, 12)], ids=str)
@pytest.mark.parametrize(("selector", "slow"), CASES, ids=["multiblock", "ijepa"])
def test_frequencies_equal_the_slow_samplers(selector, slow, grid):
    where = selector().select(Draws(0, 0, torch.arange(IMAGES)), grid)
    t, k, patches = where.target.shape[2], where.context.shape[1], grid[0] * grid[1]
    for indices, reference in zip((where.target, where.context), slow_counts(slow, grid, t, k), strict=True):
        assert largest_z(counts(indices, patches), torch.tensor(reference).double(), IMAGES) < 4.8


@pytest.mark.parametrize("grid", [(6, 6), (14, 14), (7, 12)], ids=str)
@pytest.mark.parametrize(("selector", "slow"), CASES, ids=["multiblock", "ijepa"])
def test_sizes_are_lower_quartiles_of_the_slow_sampler(selector, slow, grid):
    draw = random.Random(7)
    layouts = [slow(draw, grid) for _ in range(3000)]
    found = selector().sizes(grid)
    for size, sample in zip(found, ([min(map(len, g)) for g, _ in layouts], [len(c) for _, c in layouts]), strict=True):
        # 20 % and 30 %: each sample's quartile lies within 4 % of its law's (4 standard errors).
        percent = quantiles(sample, n=100, method="inclusive")
        assert math.floor(percent[19]) <= size <= math.ceil(percent[29])


@pytest.mark.parametrize("selector", [MultiBlock, IJepa, RandomPatches])
@pytest.mark.parametrize("grid", [(6, 6), (14, 14), (5, 11)], ids=str)
def test_every_patch_is_context_and_target(selector, grid):
    """The last row and column above all. Rarest is a corner as target, in about 4 % of images: 1,500 miss it with chance 1e-26."""
    where = selector().select(Draws(0, 0, torch.arange(1500)), grid)
    for indices in where:
        assert len(indices.unique()) == grid[0] * grid[1]


@pytest.mark.parametrize("selector", [MultiBlock, IJepa])
def test_opposite_edges_are_visited_alike(selector):
    """First against last row, first against last column, of target and of context: |z| < 4.5, p = 7e-6 each."""
    grid, images = (14, 14), 4000
    for indices in selector().select(Draws(2, 0, torch.arange(images)), grid):
        held = torch.zeros(images, 196, dtype=torch.bool).scatter(1, indices.flatten(1), True).unflatten(1, grid).double()
        for first, last in ((held[:, 0].sum(1), held[:, -1].sum(1)), (held[:, :, 0].sum(1), held[:, :, -1].sum(1))):
            difference = first - last
            assert abs(difference.mean()) < 4.5 * difference.std() / images**0.5


@pytest.mark.parametrize("grid", [(6, 6), (5, 11)], ids=str)
def test_random_visits_are_uniform(grid):
    where, patches = RandomPatches(share=0.4).select(Draws(0, 0, torch.arange(8000)), grid), grid[0] * grid[1]
    p = where.target.shape[2] / patches
    z = (counts(where.target, patches) / 8000 - p) / math.sqrt(p * (1 - p) / 8000)
    assert z.abs().max() < 4.8
