"""The baseline without a model: each token is the pixels of one patch, in the order of the grid."""

import pytest
import torch
from iwm_tasks.protocols.pixels import PixelBackbone


@pytest.mark.parametrize(("grid", "size"), [((3, 3), 12), ((1, 1), 8), ((2, 4), 8)])
def test_tokens_are_the_pixels_of_patches_row_by_row(grid, size):
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    backbone = PixelBackbone(grid, size)
    tokens = backbone(images, torch.zeros(2, dtype=torch.int64))
    tall, wide = size // grid[0], size // grid[1]
    assert tokens.shape == (2, grid[0] * grid[1], backbone.width)
    for row in range(grid[0]):
        for column in range(grid[1]):
            patch = images[:, :, row * tall : (row + 1) * tall, column * wide : (column + 1) * wide]
            torch.testing.assert_close(tokens[:, row * grid[1] + column], 2 * patch.flatten(1) - 1)


def test_an_image_that_the_grid_does_not_divide_is_resized():
    backbone = PixelBackbone((3, 3), 16)
    grey = torch.full((1, 3, 16, 16), 0.75)
    tokens = backbone(grey, torch.zeros(1, dtype=torch.int64))
    torch.testing.assert_close(tokens, torch.full((1, 9, 75), 0.5))


def test_nothing_is_trained():
    assert not list(PixelBackbone((2, 2), 8).parameters())
