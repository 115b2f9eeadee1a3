"""Intervals cover what they should, and are as wide as the theory of means says."""

import torch
from iwm_evals.bootstrap import interval

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
