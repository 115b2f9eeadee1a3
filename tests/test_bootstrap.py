"""Intervals cover what they should, and are as wide as the theory of means says."""

import numpy as np
import torch

from iwm_core.bootstrap import interval, ratio_interval
from iwm_core.interfaces import Draws


def test_intervals_cover_the_mean_of_a_skewed_distribution():
    """400 samples of 80 squared uniforms, whose mean is 1/3. Four standard deviations of a count of 400 at 94.5 % are 4.6 %."""
    values = Draws(0, 0, torch.arange(80), "test").uniform(400).double().square()
    low, high = interval(values, seed=1)
    covered = float(((low < 1 / 3) & (high > 1 / 3)).double().mean())
    assert 0.895 < covered < 0.985


def test_width_is_that_of_the_normal_approximation():
    values = Draws(0, 0, torch.arange(500), "test").normal(20).double()
    low, high = interval(values, seed=2)
    theory = 2 * 1.96 * values.std(0, correction=0) / 500**0.5
    assert torch.allclose(high - low, theory, rtol=0.15)
    assert float(((high - low) / theory).mean() - 1) < 0.03


def test_it_is_a_function_of_the_seed():
    values = Draws(0, 0, torch.arange(30), "test").uniform(2).double()
    assert torch.equal(interval(values, seed=3), interval(values, seed=3))
    assert not torch.equal(interval(values, seed=3), interval(values, seed=4))


def test_one_image_and_equal_images_have_no_width():
    single = torch.tensor([[0.25, 1.0]], dtype=torch.float64)
    assert torch.equal(interval(single, seed=0), single.expand(2, -1))
    assert torch.equal(interval(single.expand(9, -1), seed=0), single.expand(2, -1))


def by_numpy(above: np.ndarray, below: np.ndarray, seed: int, resamples: int) -> np.ndarray:
    """The percentile bootstrap of a ratio of sums, one resample and one column at a time."""
    found = np.empty((2, above.shape[1]))
    for column in range(above.shape[1]):
        ratios = []
        for number in range(resamples):
            chosen = Draws(seed, 0, torch.tensor([number]), "bootstrap").integers(len(above), len(above))[0].numpy()
            ratios.append(above[chosen, column].sum() / below[chosen, column].sum())
        found[:, column] = np.percentile(ratios, [2.5, 97.5])
    return found


def test_the_interval_of_a_ratio_is_that_of_numpy():
    above, below = Draws(0, 0, torch.arange(23), "test").uniform(6).double().split(3, 1)
    expected = by_numpy(above.numpy(), below.numpy(), 5, 120)
    assert np.allclose(ratio_interval(above, below, 5, 120).numpy(), expected, rtol=1e-12)
    assert not np.allclose(interval(above / below, 5, 120).numpy(), expected, rtol=0.02)  # the mean of ratios is another number


def test_intervals_cover_the_ratio_of_two_means():
    """400 samples of 80 pairs: the numerator is a skewed third of the denominator on average, and goes with it."""
    draws = Draws(0, 0, torch.arange(80), "test")
    below = 0.1 + draws.uniform(400).double()
    above = below * draws.uniform(400).double().square()  # independent of it: the ratio of means is 1/3
    low, high = ratio_interval(above, below, seed=1)
    covered = float(((low < 1 / 3) & (high > 1 / 3)).double().mean())
    assert 0.895 < covered < 0.985


def test_a_ratio_to_ones_is_a_mean_and_an_equal_ratio_has_no_width():
    values = 0.1 + Draws(0, 0, torch.arange(30), "test").uniform(2).double()
    assert torch.equal(ratio_interval(values, torch.ones_like(values), seed=3), interval(values, seed=3))
    assert torch.equal(ratio_interval(values, values, seed=3), torch.ones(2, 2).double())


def test_resamples_without_a_denominator_are_left_out():
    below = torch.tensor([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    found = ratio_interval(torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]], dtype=torch.float64), below, seed=0)
    assert found[:, 0].tolist() == [0.5, 0.5]
    assert found[:, 1].isnan().all()
