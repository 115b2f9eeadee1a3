"""Fixed 2-D sin-cos positions (I-JEPA, MAE): half of the width tells the row, half the column."""

import torch
from jaxtyping import Float
from torch import Tensor


def sincos_2d(width: int, grid: tuple[int, int]) -> Float[Tensor, "n d"]:
    """One vector of ``width`` numbers for each patch of a row-major grid.

    Raises:
        ValueError: ``width`` is not a multiple of 4 (sine and cosine for row and column).
    """
    if width % 4:
        raise ValueError(f"sin-cos positions need a width that is a multiple of 4, got {width}")
    frequency = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    angles = [position.flatten()[:, None] * frequency for position in (rows, columns)]
    return torch.cat([wave for angle in angles for wave in (angle.sin(), angle.cos())], dim=1).float()
