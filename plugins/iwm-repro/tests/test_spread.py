"""Intervals over seeds and images: against known ones, and by how often they hold the truth."""

import math
import random

import pytest
import scipy.stats
from claim_intervals import coverage
from hypothesis import given
from hypothesis import strategies as st
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


ENDS = ((0.0, 1.0), (-math.inf, 1.0), (0.0, math.inf))


numbers = st.lists(st.tuples(*[st.floats(0.0, 1.0)] * 3), min_size=1, max_size=4)
"""The value of each seed, and the ends of its interval over images, as shares of what is possible."""


def runs_of(numbers, ends):
    """Such seeds; where one end is open, what is possible reaches 3 beyond the other."""
    low, high = max(ends[0], min(ends[1], 3.0) - 3), min(ends[1], max(ends[0], -2.0) + 3)
    placed = ([low + share * (high - low) for share in sorted(number)] for number in numbers)
    return {seed: Measured(value, least, most, 64) for seed, (least, value, most) in enumerate(placed)}


@given(numbers, numbers, st.sampled_from(ENDS), st.sampled_from(ENDS))
def test_intervals_end_where_nothing_is_possible_beyond_and_are_the_same_elsewhere(some, more, ends, others):
    (left, free), (right, other) = (
        (over_seeds(runs, *of), over_seeds(runs)) for runs, of in ((runs_of(some, ends), ends), (runs_of(more, others), others))
    )
    reached = ends[0] - others[1], ends[1] - others[0]
    for found, without, (least, most) in ((left, free, ends), (difference(left, right), difference(free, other), reached)):
        assert found.value == without.value
        assert found.low == max(without.low, least)
        assert found.high == min(without.high, most)
        assert found.low <= found.value <= found.high
    assert difference(left, 1.0).high <= ends[1] - 1.0


def test_an_accuracy_of_three_seeds_is_no_more_than_one():
    """Of the first record of the claim `predictor`, whose interval went to 1.036."""
    found = over_seeds({seed: Measured(value, value - 0.04, value + 0.04, 512) for seed, value in enumerate((0.453, 0.672, 0.770))}, 0, 1)
    assert (found.value, found.low, found.high) == pytest.approx((0.632, 0.227, 1.0), abs=0.001)


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


values_of_models = st.lists(st.tuples(*[st.sampled_from((0.074, 0.1, 0.25, 0.6, 0.601, 0.9))] * 2), min_size=8, max_size=14)


@given(values_of_models)
def test_a_correlation_and_its_interval_are_scipys_with_ties_too(pairs):
    x, y = (list(one) for one in zip(*pairs, strict=True))
    found = correlation(x, y)
    if len({*x}) == 1 or len({*y}) == 1:
        assert found is None
        return
    other = scipy.stats.pearsonr(x, y)
    assert found is not None
    assert found == pytest.approx((other.statistic, *other.confidence_interval(0.95)), abs=1e-5)
    assert -1 <= found.low <= found.value <= found.high <= 1


@pytest.mark.parametrize("slope", [1.0, -1.0, 1e-9])
def test_models_on_a_line_correlate_perfectly(slope):
    x = [0.1 * one for one in range(8)]
    assert correlation(x, [0.3 + slope * one for one in x]) == pytest.approx([math.copysign(1.0, slope)] * 3, abs=1e-6)


@pytest.mark.parametrize(("name", "seeds"), [("both differ", 3), ("right or wrong", 3), ("ranks", 2), ("nearly always right", 1)])
def test_intervals_hold_the_truth(name, seeds):
    """A sample of `tests/slow/claim_intervals.py`; 0.93 less what 400 draws scatter."""
    for held in coverage(name, 400, seeds, 64):
        assert math.isnan(held) or held >= 0.93 - 0.02


def test_intervals_of_three_seeds_hold_the_truth_at_least_as_often_as_they_say():
    """Seeds and images both vary; all seeds answer for the same images. Wide is allowed, narrow is not."""
    draw, held, sets = random.Random(1), 0, 1500
    for _ in range(sets):
        images = draw.gauss(0, 0.03)
        values = [0.5 + images + draw.gauss(0, 0.03) for _ in range(3)]
        found = over_seeds({seed: Measured(value, value - 0.0588, value + 0.0588, 64) for seed, value in enumerate(values)})
        held += found.low <= 0.5 <= found.high
    assert held / sets >= 0.94
