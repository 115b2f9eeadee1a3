"""Intervals hold the truth as often as they say, in closed form, within what is possible; docs/metrics.md has the whole simulated table."""

import importlib.util
import math

import pytest
import scipy.stats
import torch
from iwm_evals.measuring.tables import metrics_table
from iwm_evals.statistics import bootstrap as resampling
from iwm_evals.statistics.bootstrap import bootstrap
from iwm_evals.statistics.intervals import around, interval, ratio_interval, ratio_terms, student, wilson
from iwm_evals.statistics.jackknife import jackknife
from places import ROOT

from iwm_core.interfaces import Draws, Metric

SCRIPT = ROOT / "docs/make_coverage.py"
spec = importlib.util.spec_from_file_location("make_coverage", SCRIPT)
assert spec is not None
assert spec.loader is not None
coverage = importlib.util.module_from_spec(spec)
spec.loader.exec_module(coverage)

DRAWS = 4000
SLACK = 3 * math.sqrt(0.9 * 0.1 / DRAWS)  # three standard deviations of a share of the draws


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("images", coverage.IMAGES)
def test_intervals_hold_the_truth_as_often_as_is_wanted(images):
    found = coverage.simulate(images, DRAWS)
    for name, least in coverage.WANTED[images].items():
        assert found[name] > least - SLACK, f"{name}: {found[name]:.3f} of {images} images"
    shares = [found[name] for name in found if name.startswith("right")]
    assert sum(shares) / len(shares) > 0.93 - SLACK
    assert min(shares) > 0.84


def test_the_percentile_bootstrap_would_not():
    """What these intervals are better than."""
    values = torch.randn(8, 400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    chosen = torch.randint(8, (500, 8), generator=torch.Generator().manual_seed(1))
    low, high = values[chosen].mean(1).quantile(torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0)
    assert float(((low < 0) & (high > 0)).double().mean()) < 0.91
    low, high = interval(values)
    assert float(((low < 0) & (high > 0)).double().mean()) > 0.93


def test_symmetric_numbers_have_students_interval():
    values = torch.tensor([-3.0, -1.0, -0.5, 0.5, 1.0, 3.0], dtype=torch.float64)[:, None]
    expected = scipy.stats.t.interval(0.95, 5, loc=0.0, scale=scipy.stats.sem(values[:, 0]))
    assert interval(values)[:, 0].tolist() == pytest.approx(expected, rel=1e-9)


def test_halls_statistic_is_t_at_both_ends():
    values = random(20, 3).square()
    n, mean, t = 20, values.mean(0), student(19)
    spread, skewness = values.std(0), torch.from_numpy(scipy.stats.skew(values.numpy()))
    for end, wanted in zip(interval(values), (t, -t), strict=True):
        u = (mean - end) / spread
        statistic = math.sqrt(n) * (u + skewness * u**2 / 3 + skewness**2 * u**3 / 27 + skewness / (6 * n))
        assert statistic.tolist() == pytest.approx([wanted] * 3, rel=1e-9)


def test_right_and_wrong_have_wilsons_interval():
    expected = scipy.stats.binomtest(7, 40).proportion_ci(method="wilson")
    found = wilson(torch.tensor([7 / 40], dtype=torch.float64), 40, scipy.stats.norm.ppf(0.975))[:, 0]
    assert found.tolist() == pytest.approx([expected.low, expected.high], rel=1e-9)


def test_where_all_are_right_or_wrong_there_is_a_width_within_what_is_possible():
    low, high = interval(torch.tensor([[1.0, 0.0]] * 12, dtype=torch.float64), least=0, most=1)
    t2 = student(11) ** 2
    assert low.tolist() == pytest.approx([12 / (12 + t2), 0])
    assert high.tolist() == pytest.approx([1, t2 / (12 + t2)])
    assert 0.6 < low[0] < 0.8


@pytest.mark.parametrize("value", [0.074, 0.5, 0.7])
def test_images_that_agree_between_the_ends_are_no_less_certain_than_others(value):
    """A chance that holds by arithmetic, as that of a part of which a model knows nothing, is told as what it is."""
    for images in (8, 64):
        low, high = interval(torch.full((images, 1), value, dtype=torch.float64), least=1 / 64, most=1)[:, 0].tolist()
        assert low <= value <= high < low + 5e-3
        low, high = around(value, 0.0, images, images - 1, 1 / 64, 1)
        assert low <= value <= high < low + 0.05


ALIKE = {
    "all right": torch.ones(8),
    "all wrong": torch.zeros(8),
    "one wrong": torch.tensor([0.0] + [1.0] * 7),
    "half right": torch.tensor([0.0, 1.0] * 4),
    "all agree": torch.full((8,), 0.0741),
    "one apart": torch.tensor([0.9] + [0.0741] * 7),
    "nearly right": torch.tensor([0.5] + [1.0] * 7),
    "anything": random(8),
}


@pytest.mark.parametrize("name", ALIKE)
def test_a_millionth_moves_no_interval_by_much(name):
    values = ALIKE[name].double()[:, None]
    moved = (values + 1e-6 * (2 * random(8, 50, seed=1) - 1)).clamp(0, 1)
    assert (interval(moved, least=0, most=1) - interval(values, least=0, most=1)).abs().max() < 1e-3
    value, error = float(values.mean()), float(values.std() / 8**0.5)
    for more in (0.0, 1e-6):
        near = around(min(value + more, 1.0), error + more, 8, 7, 0, 1)
        assert near == pytest.approx(around(value, error, 8, 7, 0, 1), abs=1e-3)


def test_what_is_nearly_right_has_a_width_as_what_is_right():
    """Images that have 0.999, of which one in 33 has 0.1."""
    few = 0.1 + 0.899 * (random(8, DRAWS) > 0.03).double() - 1e-4 * random(8, DRAWS, seed=1)
    low, high = interval(few, least=0, most=1)
    truth = 0.1 + 0.899 * 0.97 - 5e-5
    assert float(((low <= truth) & (truth <= high)).double().mean()) > 0.95


def test_equal_numbers_without_ends_have_no_width():
    assert interval(torch.full((9, 1), 3.0, dtype=torch.float64)).tolist() == [[3.0], [3.0]]


@pytest.mark.parametrize("images", [16, 32, 256])
def test_outliers_to_both_sides_are_not_taken_for_skewness(images):
    found, whole = coverage.simulate(images, DRAWS)["heavy"], {16: 0.927, 32: 0.928, 256: 0.938}[images]
    assert found > whole, "what the whole correction gives"


def test_one_image_tells_no_spread():
    assert interval(random(1, 2), least=0, most=1).tolist() == [[0, 0], [1, 1]]
    assert interval(random(1, 1)).tolist() == [[-math.inf], [math.inf]]


@pytest.mark.parametrize("power", [0.02, 1, 40])
def test_intervals_stay_within_what_is_possible_and_hold_the_value(power):
    for images in (2, 3, 9, 50):
        values = random(images, 200, seed=images) ** power
        low, high = interval(values, least=0, most=1)
        mean = values.mean(0)
        assert ((low >= 0) & (low <= mean) & (mean <= high) & (high <= 1)).all()


def test_a_ratio_to_ones_is_a_mean_and_an_equal_ratio_has_no_width():
    values = 0.1 + random(30, 2)
    assert torch.allclose(ratio_interval(values, torch.ones_like(values)), interval(values), rtol=1e-12)
    assert torch.equal(ratio_interval(values, values), torch.ones(2, 2).double())
    assert ratio_terms(values, 1 + values).mean(0).tolist() == pytest.approx((values.sum(0) / (1 + values).sum(0)).tolist())


def test_images_that_tell_nothing_of_a_ratio_do_not_count():
    above, below = random(6, 1), 1 + random(6, 1, seed=1)
    more = [torch.cat([part, torch.zeros(50, 1, dtype=torch.float64)]) for part in (above, below)]
    assert torch.allclose(ratio_interval(*more), ratio_interval(above, below), rtol=1e-12)
    nothing = torch.zeros(4, 1, dtype=torch.float64)
    assert ratio_interval(nothing, nothing).isnan().all()


def test_one_image_that_has_a_denominator_tells_no_spread_of_a_ratio():
    above = torch.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    below = torch.tensor([[0.0, 0.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    low, high = ratio_interval(above, below)
    assert (low[:2] == -math.inf).all()
    assert (high[:2] == math.inf).all(), "also where others have what is divided by it"
    assert low[2].isnan()
    assert high[2].isnan()


def test_students_quantiles_are_scipys():
    for freedom in (1, 2, 3, 7, 10, 99, 299, 301, 5000, 10**6):
        assert student(freedom) == pytest.approx(scipy.stats.t.ppf(0.975, freedom), rel=1e-6)


def test_a_number_with_a_known_error():
    assert around(2.0, 0.5, 9, 8) == pytest.approx((2 - 0.5 * student(8), 2 + 0.5 * student(8)))
    assert around(0.9, 0.2, 9, 8, most=1.0)[1] == 1.0, "cut to what is possible"
    low, high = around(0.3, math.sqrt(0.3 * 0.7 / 20), 20, 19, 0, 1)
    assert [low, high] == pytest.approx(wilson(torch.tensor([0.3], dtype=torch.float64), 20, student(19))[:, 0].tolist())
    assert around(1.0, 0.0, 20, 19, 0, 1) == pytest.approx((20 / (20 + student(19) ** 2), 1.0)), "all right"
    assert around(0.5, math.nan, 1, 0, 0, 1) == (0, 1)


def test_a_resampled_mean_has_the_interval_of_a_mean():
    rows = Draws(0, 0, torch.arange(60), "test").uniform(1).double()
    rows[:, 0] = (rows[:, 0] < 0.3).double()
    found = bootstrap(lambda part: {"share": float(part.mean()), "twice.x": float(2 * part.mean())}, rows, 0, 400, {"share": (0, 1)})
    expected = interval(rows, least=0, most=1)[:, 0].tolist()
    assert found["share"][1:3] == pytest.approx(expected, abs=0.012)
    assert found["twice.x"].high - found["twice.x"].low == pytest.approx(4 * student(59) * float(rows.std()) / 60**0.5, rel=0.1)
    again = bootstrap(lambda part: {"share": float(part.mean())}, rows, 0, 400, {"share": (0, 1)})
    assert again["share"] == found["share"], "a function of the seed"


def test_resamples_that_leave_a_number_undefined_do_not_count():
    def statistic(rows):
        return {"mean": float(rows.mean()) if rows.any() else math.nan}

    found = bootstrap(statistic, torch.tensor([[0.0]] * 5 + [[1.0]]), 0)["mean"]
    assert math.isfinite(found.low + found.high)


def test_all_right_in_a_tuning_is_not_exact():
    found = bootstrap(lambda rows: {"accuracy": float(rows.mean())}, torch.ones(40, 1), 0, 50, {"accuracy": (0, 1)})["accuracy"]
    assert (found.value, found.high, found.exact) == (1.0, 1.0, False)
    assert 0.85 < found.low < 0.95


def test_names_of_before_give_the_same_intervals():
    values = random(12, 2)
    assert torch.equal(resampling.interval(values, 3, 100), interval(values))
    assert torch.equal(resampling.ratio_interval(values, 1 + values, 3), ratio_interval(values, 1 + values))


def test_the_jackknife_of_a_mean_holds_it_as_often_as_it_says():
    samples = Draws(1, 0, torch.arange(12), "test").normal(600).double().T
    held = [found.low <= 0 <= found.high for found in (jackknife(torch.mean, sample) for sample in samples)]
    assert 0.92 < sum(held) / len(held) < 0.98


@pytest.mark.parametrize(("least", "most"), [(-math.inf, math.inf), (0, 1), (-math.inf, 1)])
@pytest.mark.parametrize("images", [1, 2, 8])
def test_what_is_not_available_has_no_interval(images, least, most):
    values = torch.full((images, 2), 0.5, dtype=torch.float64)
    values[0, 0] = torch.nan
    low, high = interval(values, least=least, most=most)
    assert low.isnan().tolist() == high.isnan().tolist() == [True, False]
    for error in 0.0, 0.1, math.nan, math.inf:
        assert all(math.isnan(end) for end in around(math.nan, error, images, images - 1, least, most))
    metric = Metric(*map(float, (values.mean(0)[0], low[0], high[0])), images)
    _, [(name, value, told, _)] = metrics_table({"x": metric})
    assert (name, value, told) == ("x", "not available", "")
