"""Rectangles: independent scale and ratio, uniform positions with the last row and column, areas kept on narrow grids."""

import math

import pytest
import torch
from iwm_masking.rectangles import Rectangles, draw_rectangles

from iwm_core.interfaces import Draws

N = 40000


def rectangles(grid: tuple[int, int], scale: tuple[float, float] = (0.15, 0.2), aspect: tuple[float, float] = (0.75, 1.5)) -> Rectangles:
    drawn = draw_rectangles(Draws(5, 0, torch.arange(N)), 1, list(scale), list(aspect), grid)
    return Rectangles(*(side[:, 0] for side in drawn))


@pytest.mark.parametrize("grid", [(3000, 3000), (2000, 4500)])
def test_scale_and_ratio_are_independent_and_uniform(grid):
    """On a grid so fine that rounding to patches does not matter."""
    drawn = rectangles(grid)
    area = (drawn.height * drawn.width).double() / (grid[0] * grid[1])
    ratio = drawn.height.double() / drawn.width
    correlation = torch.corrcoef(torch.stack([area, ratio]))[0, 1]
    assert abs(correlation) < 4 / math.sqrt(N)  # p < 1e-4
    # Independence beyond correlation, and uniformity of both: 5 × 5 equal cells. The 1 - 1e-5 quantile of chi-square with 24 degrees is 66.
    cell = ((area - 0.15) / 0.05 * 5).long().clamp(0, 4) * 5 + ((ratio - 0.75) / 0.75 * 5).long().clamp(0, 4)
    counts = cell.bincount(minlength=25).double()
    assert ((counts - N / 25) ** 2 / (N / 25)).sum() < 66


def test_positions_are_uniform_over_every_place_that_fits():
    """Chi-square for each height (and width) that occurs, at p = 1e-5 by the Wilson-Hilferty approximation."""
    grid = (9, 14)
    drawn = rectangles(grid)
    for start, side, size in ((drawn.top, drawn.height, grid[0]), (drawn.left, drawn.width, grid[1])):
        checked = 0
        for length in side.unique().tolist():
            counts = start[side == length].bincount(minlength=size - length + 1).double()
            assert len(counts) == size - length + 1, "a rectangle sticks out of the grid"
            if counts.mean() < 20:
                continue
            degrees, expected = len(counts) - 1, counts.mean()
            limit = degrees * (1 - 2 / (9 * degrees) + 4.265 * math.sqrt(2 / (9 * degrees))) ** 3
            assert ((counts - expected) ** 2 / expected).sum() < limit
            checked += 1
        assert checked >= 2


def test_ratio_is_height_over_width():
    drawn = rectangles((100, 100), aspect=(2.0, 4.0))
    ratio = drawn.height.double() / drawn.width
    assert ratio.min() > 1.8
    assert ratio.max() < 4.3


@pytest.mark.parametrize("grid", [(2, 60), (60, 2), (1, 24), (24, 1)])
def test_narrow_grid_keeps_the_area(grid):
    drawn = rectangles(grid, scale=(0.4, 0.5))
    area = (drawn.height * drawn.width).double() / (grid[0] * grid[1])
    assert area.min() >= 0.38
    assert area.max() <= 0.52
