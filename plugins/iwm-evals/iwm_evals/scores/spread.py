"""How features are spread: measures beside those of the core's health, each a function of features with images along the first axis.

Decisions:
- In float64, where small directions are told from rounding; Metal has none, and computes on the CPU.
- LiDAR (Thilak et al. 2024): RankMe counts every direction, noise that two views of an image do not share as well. LiDAR counts those that
  tell images from each other: the effective rank of Σw^-1/2 Σb Σw^-1/2, Σb between images, Σw between views of an image plus δ = 1e-4.
- Uniformity (Wang & Isola 2020): log of the mean of exp(-2 |x - y|²) over all pairs of unit features, exactly. 0: all the same; about
  -4: even on a sphere of many dimensions.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from iwm_evals.scores.health import entropy_rank

DELTA = 1e-4  # on the diagonal of Σw
AT_ONCE = 1024  # rows of the table of pairs held in memory


def lidar(features: Float[Tensor, "m q d"]) -> Float[Tensor, ""]:
    """LiDAR of ``q`` views of each of ``m`` images; 1 where images cannot be told from each other, at most min(m - 1, d)."""
    views = exact(features)
    m, q, d = views.shape
    means = views.mean(1)
    inside = (views - means[:, None]).flatten(0, 1)
    between = means - means.mean(0)
    within = inside.T @ inside / (m * q) + DELTA * torch.eye(d, dtype=views.dtype, device=views.device)
    # Any root of the inverse gives the same eigenvalues; the triangular one is stable.
    white = torch.linalg.solve_triangular(torch.linalg.cholesky(within), between.T, upper=False)
    return entropy_rank(torch.linalg.eigvalsh(white @ white.T / m).clamp(min=0))


def uniformity(features: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """Wang and Isola's uniformity with t = 2, between -8 and 0."""
    unit = F.normalize(exact(features), dim=1)
    m, length = len(unit), unit.square().sum(1)
    rows = torch.arange(m, device=unit.device).split(AT_ONCE)
    table = torch.stack([(-2 * (length[part, None] + length - 2 * unit[part] @ unit.T)).exp().sum() for part in rows])
    return ((table.sum() - m) / (m * (m - 1))).log()  # less each feature with itself


def relative_distance(pairs: Float[Tensor, "m 2 k d"]) -> Float[Tensor, ""]:
    """Mean squared distance of the first of each pair of tokens from the second, in units of the second's variance over images at one
    position: 0 where they agree, 1 where the mean over images is as good a guess."""
    first, second = exact(pairs).unbind(1)
    return (first - second).square().mean() / (second - second.mean(0)).square().mean().clamp(min=1e-12)


def exact(values: Tensor) -> Tensor:
    """In float64."""
    return (values.cpu() if values.device.type == "mps" else values).double()
