"""Ranks with ties against all orders of the ties, and distances against plain float64."""

from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_evals.scores.ranking import chance_reciprocal_rank, distances, hit_rate, rank, reciprocal_rank, stand

from iwm_core.interfaces import Draws


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=5), st.data())
def test_ties_are_the_mean_over_every_order(values, data):
    truth = data.draw(st.integers(0, len(values) - 1))
    ranks = [sorted(order, key=values.__getitem__).index(truth) + 1 for order in permutations(range(len(values)))]
    standing = stand(torch.tensor([values], dtype=torch.float64), torch.tensor([truth]))
    assert float(rank(standing)) == pytest.approx(sum(ranks) / len(ranks))
    assert float(reciprocal_rank(standing)) == pytest.approx(sum(1 / r for r in ranks) / len(ranks))
    for k in (1, 2, 5, 9):
        assert float(hit_rate(standing, k)) == pytest.approx(sum(r <= k for r in ranks) / len(ranks))


def test_chance_is_the_number_of_the_paper():
    assert chance_reciprocal_rank(256) == pytest.approx(0.0239, abs=5e-5)
    assert chance_reciprocal_rank(1) == 1


def test_distances_order_small_differences_on_a_large_common_part():
    """Elements that differ in the last bits of float32, as augmentations of one image do after many layers."""
    draws = Draws(0, 0, torch.arange(40), "test")
    common = 1000 * Draws(0, 0, torch.arange(1), "common").normal(500)
    bank, predictions = common + draws.normal(500) * 1e-3, common + draws.normal(500) * 1e-3
    exact = (predictions.double()[:, None] - bank.double()).square().sum(-1)
    assert torch.equal(distances(predictions.split(7), bank).argsort(1), exact.argsort(1))


@pytest.mark.parametrize("features", [192, 12288])
def test_equal_latents_are_tied_and_equal_predictions_rank_alike(features):
    base = Draws(1, 0, torch.arange(1), "test").normal(features)[0]
    bank = torch.stack([base.roll(2 * i) for i in range(67)])
    bank[5] = bank[64] = bank[66]
    other = Draws(2, 0, torch.arange(1), "test").normal(features)[0]
    predictions = torch.stack([other.roll(2 * i) for i in range(61)])
    predictions[3] = predictions[60]
    found = distances(predictions.split(32), bank)
    assert torch.equal(found[:, 5], found[:, 64])
    assert torch.equal(found[:, 5], found[:, 66])
    assert torch.equal(found[3], found[60])
    assert len(found[0].unique()) == 65  # and nothing else is tied


def test_distances_do_not_depend_on_the_precision_of_matrix_products():
    bank, predictions = Draws(3, 0, torch.arange(9), "test").normal(50).split([5, 4])
    plain = distances([predictions], bank)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(distances([predictions], bank), plain)
