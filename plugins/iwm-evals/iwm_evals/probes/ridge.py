"""Ridge regression from sums over the data, so that its memory does not depend on how many images there are.

Decisions:
- All that a fit needs of (x, y) are their counts, means and centred products, `Moments`: they are gathered batch by batch, in float64, and
  merged as Chan, Golub and LeVeque do ("Algorithms for computing the sample variance", 1983), which cancels nothing.
- Inputs are standardised, and the objective is mean squared error + penalty · |weights|²: a penalty means the same for any number
  of images, width and scale of features. One eigendecomposition serves all penalties.
- The penalty is chosen on held-out images, which are sums as well, for each output by itself: outputs are regressions of their own.
  The chosen one is fitted again on all of them.
- An input that varies by less than the rounding of the float32 numbers it came as is constant, and gets no weight.

    train, held = total(moments(x, y) for x, y in …), total(moments(x, y) for x, y in …)
    guess = predict(fit(train, held), x)
"""

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

PENALTIES = tuple(10.0**power for power in range(3, -10, -1))
"""What is tried, the strongest first: it wins where all are as good."""

ROUNDING = 1e-6  # a spread this small beside the values themselves is rounding


class Moments(NamedTuple):
    """Sums over ``n`` pairs of inputs and outputs, float64 on the CPU: means, and centred products."""

    n: int
    x_mean: Float[Tensor, "d"]
    y_mean: Float[Tensor, "o"]
    xx: Float[Tensor, "d d"]
    xy: Float[Tensor, "d o"]
    yy: Float[Tensor, "o"]


class Ridge(NamedTuple):
    """A fitted regression: ``x @ weight + bias``, and the penalty chosen for each output."""

    weight: Float[Tensor, "d o"]
    bias: Float[Tensor, "o"]
    penalty: Float[Tensor, "o"]


def moments(x: Float[Tensor, "b d"], y: Float[Tensor, "b o"]) -> Moments:
    """Those of a batch, of any device and precision; ``b`` may be 0."""
    x, y = x.cpu().double(), y.cpu().double()
    n = len(x)
    x_mean, y_mean = x.sum(0) / max(n, 1), y.sum(0) / max(n, 1)
    x, y = x - x_mean, y - y_mean
    return Moments(n, x_mean, y_mean, x.T @ x, x.T @ y, y.square().sum(0))


def merge(a: Moments, b: Moments) -> Moments:
    """The moments of both together."""
    n = a.n + b.n
    dx, dy, share = b.x_mean - a.x_mean, b.y_mean - a.y_mean, b.n / max(n, 1)
    weight = a.n * share
    return Moments(
        n,
        a.x_mean + share * dx,
        a.y_mean + share * dy,
        a.xx + b.xx + weight * torch.outer(dx, dx),
        a.xy + b.xy + weight * torch.outer(dx, dy),
        a.yy + b.yy + weight * dy.square(),
    )


def total(parts: Iterable[Moments]) -> Moments:
    """The moments of all parts, of which there is at least one."""
    return reduce(merge, parts)


def fit(train: Moments, held: Moments) -> Ridge:
    """The ridge regression whose penalties are the best for ``held``, fitted on both; finite moments of at least one pair each."""
    assert train.n, "there is nothing to fit"
    assert held.n, "there is nothing to choose the penalty on"
    chosen = squared_errors(solve(train), train, held).argmin(0)
    both = merge(train, held)
    weight = solve(both)[chosen, :, torch.arange(len(chosen))].T
    return Ridge(weight, both.y_mean - both.x_mean @ weight, torch.tensor(PENALTIES, dtype=torch.float64)[chosen])


def predict(ridge: Ridge, x: Float[Tensor, "b d"]) -> Float[Tensor, "b o"]:
    """The regression's outputs; float64 on the CPU."""
    return x.cpu().double() @ ridge.weight + ridge.bias


def solve(of: Moments) -> Float[Tensor, "c d o"]:
    """The weights under each of `PENALTIES`, for centred inputs and outputs."""
    variance = of.xx.diagonal() / of.n
    constant = variance <= (ROUNDING * of.x_mean).square()
    scale = torch.where(constant, torch.inf, variance.sqrt())
    values, vectors = torch.linalg.eigh(of.xx / of.n / torch.outer(scale, scale))
    along = vectors.T @ (of.xy / of.n / scale[:, None])
    strengths = torch.tensor(PENALTIES, dtype=torch.float64)[:, None] + values.clamp_min(0)
    return vectors @ (along / strengths[:, :, None]) / scale[:, None]


def squared_errors(weights: Float[Tensor, "c d o"], train: Moments, held: Moments) -> Float[Tensor, "c o"]:
    """The sum of squared errors over ``held`` of each candidate fitted on ``train``."""
    spread = held.yy - 2 * (weights * held.xy).sum(1) + (weights * (held.xx @ weights)).sum(1)
    shift = (held.y_mean - train.y_mean) - (held.x_mean - train.x_mean) @ weights
    return spread + held.n * shift.square()
