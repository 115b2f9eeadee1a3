"""Ridge regression against scikit-learn, and what its sums must be."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_evals.probes.ridge import PENALTIES, fit, merge, moments, predict, solve, squared_errors, total
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from iwm_core.interfaces import Draws


def problem(n: int, d: int, noise: float, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs of very different scales and offsets, two outputs of them."""
    draws = Draws(seed, 0, torch.arange(n), "ridge")
    scales = 10.0 ** torch.linspace(-3, 3, d)
    latent = draws.normal(d)
    weights = Draws(0, 0, torch.arange(d), "weights").normal(2)
    return latent * scales + 5 * scales, latent @ weights + noise * draws.normal(2) + 3


def by_sklearn(x: torch.Tensor, y: torch.Tensor, penalty: float) -> tuple[StandardScaler, Ridge]:
    scaler = StandardScaler().fit(x.double().numpy())
    return scaler, Ridge(alpha=penalty * len(x)).fit(scaler.transform(x.double().numpy()), y.double().numpy())


@pytest.mark.parametrize(("n", "noise"), [(300, 0.5), (40, 3.0)])
def test_the_penalty_and_the_predictions_are_those_of_sklearn(n, noise):
    (x, y), (held_x, held_y), (test, _) = (problem(count, 12, noise, seed) for seed, count in enumerate((n, 60, 50)))
    found = fit(moments(x, y), moments(held_x, held_y))
    errors = []
    for penalty in PENALTIES:
        scaler, ridge = by_sklearn(x, y, penalty)
        errors.append(((ridge.predict(scaler.transform(held_x.double().numpy())) - held_y.double().numpy()) ** 2).sum(0))
    best = np.array(PENALTIES)[np.argmin(errors, 0)]
    assert found.penalty.tolist() == best.tolist()
    assert np.allclose(squared_errors(solve(moments(x, y)), moments(x, y), moments(held_x, held_y)).numpy(), errors, rtol=1e-8)
    both_x, both_y = torch.cat([x, held_x]), torch.cat([y, held_y])
    for output, penalty in enumerate(best):
        scaler, ridge = by_sklearn(both_x, both_y, penalty)
        expected = ridge.predict(scaler.transform(test.double().numpy()))[:, output]
        assert np.allclose(predict(found, test)[:, output].numpy(), expected, rtol=1e-8)


def test_noise_asks_for_a_stronger_penalty():
    penalties = [float(fit(moments(*problem(30, 20, noise)), moments(*problem(200, 20, noise, 1))).penalty.min()) for noise in (0.0, 30.0)]
    assert penalties[0] == PENALTIES[-1]
    assert penalties[1] >= 0.1


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_moments_of_parts_are_those_of_the_whole(sizes):
    n = sum(sizes) + 1
    x, y = (1e4 + part.double() for part in problem(n, 3, 1.0))
    merged = total(moments(a, b) for a, b in zip(x.split([*sizes, 1]), y.split([*sizes, 1]), strict=True))
    joint = np.concatenate([x.numpy(), y.numpy()], 1)
    products = np.cov(joint.T, bias=True) * n
    assert merged.n == n
    assert np.allclose(merged.x_mean.numpy(), joint[:, :3].mean(0), rtol=1e-12)
    assert np.allclose(merged.y_mean.numpy(), joint[:, 3:].mean(0), rtol=1e-12)
    tolerance = 1e-9 * n * float(joint.max()) ** 2 * 1e-3
    assert np.allclose(merged.xx.numpy(), products[:3, :3], rtol=1e-6, atol=tolerance)
    assert np.allclose(merged.xy.numpy(), products[:3, 3:], rtol=1e-6, atol=tolerance)
    assert np.allclose(merged.yy.numpy(), products.diagonal()[3:], rtol=1e-6, atol=tolerance)


def test_a_linear_function_is_found_to_precision_whatever_the_offset():
    x, _ = problem(200, 12, 0.0)
    y = x[:, :1].double() * 7 + 100
    found = fit(moments(x[:150], y[:150]), moments(x[150:], y[150:]))
    assert torch.allclose(predict(found, x), y, rtol=1e-8)
    assert not torch.allclose(predict(found, x + 1e-3), y, rtol=1e-8)


def test_constant_and_repeated_inputs_give_the_mean():
    x, y = torch.full((40, 5), 0.1), torch.arange(40.0)[:, None]
    found = fit(total(moments(*pair) for pair in zip(x[:30].split(7), y[:30].split(7), strict=True)), moments(x[30:], y[30:]))
    assert torch.equal(found.weight, torch.zeros_like(found.weight))
    assert torch.allclose(predict(found, x), y.double().mean().expand(40, 1))
    rounding = 1e3 + 1e-4 * Draws(0, 0, torch.arange(40), "rounding").normal(5).double()
    found = fit(moments(rounding[:30], y[:30]), moments(rounding[30:], y[30:]))
    assert torch.equal(found.weight, torch.zeros_like(found.weight)), "what is less than float32 tells apart is no input"
    twice = torch.cat([y, y, x], 1)
    found = fit(moments(twice[::2], y[::2]), moments(twice[1::2], y[1::2]))
    assert torch.allclose(predict(found, twice), y.double(), atol=1e-6)


def test_an_empty_part_changes_nothing():
    x, y = problem(9, 3, 1.0)
    whole, empty = moments(x, y), moments(x[:0], y[:0])
    for merged in (merge(whole, empty), merge(empty, whole)):
        assert all(torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in zip(merged, whole, strict=True))
