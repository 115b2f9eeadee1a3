"""Intervals over seeds and images: against known ones, and by how often they hold the truth."""

import math
import random

import pytest
from iwm_repro.spread import Found, Measured, correlation, difference, over_seeds, reach


@pytest.mark.parametrize(("values", "quantile"), [((1.0, 2.0), 12.706), ((1.0, 2.0, 3.0), 4.303), ((1.0, 1.5, 2.0, 4.0), 3.182)])
def test_the_reach_of_seeds_is_students(values, quantile):
    mean, k = sum(values) / len(values), len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (k - 1))
    assert reach(values) == pytest.approx(quantile * deviation / math.sqrt(k), rel=1e-3)


def test_one_value_tells_no_spread():
    assert reach([1.0]) == reach([]) == 0.0


def test_one_seed_has_the_interval_of_its_images():
    found = over_seeds({4: Measured(0.5, 0.4, 0.7, 64)})
    assert found[:4] == pytest.approx((0.5, 0.4, 0.7, 64))
    assert found.values == {"4": 0.5}


def test_seeds_that_agree_have_the_mean_interval_of_their_images():
    found = over_seeds({0: Measured(0.5, 0.4, 0.7, 64), 1: Measured(0.5, 0.3, 0.6, 32)})
    assert (found.low, found.high, found.images) == pytest.approx((0.35, 0.65, 32))


def test_a_difference_is_taken_seed_by_seed():
    """What both share, such as an easy seed, is no spread of the difference."""
    left = over_seeds({seed: Measured(0.5 + seed, 0.5 + seed, 0.5 + seed, 9) for seed in range(3)})
    right = over_seeds({seed: Measured(0.2 + seed, 0.2 + seed, 0.2 + seed, 9) for seed in range(3)})
    assert difference(left, right) == pytest.approx((0.3, 0.3, 0.3))
    assert difference(left, 0.5).value == pytest.approx(1.0)
    assert difference(left, 0.5).low == pytest.approx(left.low - 0.5)


def test_a_difference_of_other_seeds_is_that_of_the_means():
    left, right = (Found(value, 0, 1, 9, (0.3, 0.4), {seed: value}) for value, seed in ((0.9, "0"), (0.4, "1")))
    assert difference(left, right) == pytest.approx((0.5, 0.5 - math.hypot(0.3, 0.4), 0.5 + math.hypot(0.4, 0.3)))


def test_a_correlation_is_pearsons_with_fishers_interval():
    """Published: r = 0.5 of 30 pairs has 0.17 to 0.73 (Altman & Gardner, 1988)."""
    draw = random.Random(0)
    x = [draw.gauss(0, 1) for _ in range(30)]
    y = [draw.gauss(0, 1) for _ in x]
    mean = sum(x) / 30
    x = [value - mean for value in x]
    slope = sum(a * b for a, b in zip(x, y, strict=True)) / sum(a * a for a in x)
    rest = [b - slope * a - sum(y) / 30 for a, b in zip(x, y, strict=True)]  # without correlation to x
    scale = math.sqrt(sum(a * a for a in x) / sum(b * b for b in rest)) * math.sqrt(1 / 0.25 - 1)
    found = correlation(x, [a + scale * b for a, b in zip(x, rest, strict=True)])
    assert found == pytest.approx((0.5, 0.170, 0.729), abs=0.001)
    few = [float(value) for value in range(7)]
    assert correlation(few, few) is None
    assert correlation([1.0] * 8, [*few, 9.0]) is None


def test_intervals_of_three_seeds_hold_the_truth_at_least_as_often_as_they_say():
    """Seeds and images both vary; all seeds answer for the same images. Wide is allowed, narrow is not."""
    draw, held, sets = random.Random(1), 0, 1500
    for _ in range(sets):
        images = draw.gauss(0, 0.03)
        values = [0.5 + images + draw.gauss(0, 0.03) for _ in range(3)]
        found = over_seeds({seed: Measured(value, value - 0.0588, value + 0.0588, 64) for seed, value in enumerate(values)})
        held += found.low <= 0.5 <= found.high
    assert held / sets >= 0.94
