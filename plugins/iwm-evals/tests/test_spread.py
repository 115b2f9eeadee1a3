"""Measures of spread where their values are known, and intervals whose error is known."""

import math

import numpy as np
import pytest
import torch
from iwm_evals.scores import spread
from iwm_evals.scores.spread import lidar, relative_distance, uniformity
from iwm_evals.statistics.jackknife import jackknife

from iwm_core.interfaces import Metric


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def stars(directions, width, size=1.0):
    """One feature forth and one back along each of the first ``directions`` axes."""
    axes = size * torch.eye(width)[:directions]
    return torch.cat([axes, -axes])


def viewed(features, noise):
    """Each feature, with views at ``noise`` (a size for each axis) on both sides along each axis: their mean is the feature."""
    steps = torch.cat([torch.diag(noise), -torch.diag(noise)])
    return features[:, None] + steps


@pytest.mark.parametrize("directions", [1, 2, 5, 8])
def test_lidar_counts_equal_directions_between_images(directions):
    assert lidar(viewed(stars(directions, 8), 0.1 * torch.ones(8))).item() == pytest.approx(directions, rel=1e-9)


def test_lidar_leaves_out_what_views_do_not_share():
    """Four directions: two tell images apart, two are noise of the views, which RankMe would count."""
    noise = torch.tensor([0.0, 0.0, 3.0, 3.0])
    views = viewed(stars(2, 4), noise)
    assert lidar(views).item() == pytest.approx(2)
    assert spread.entropy_rank(torch.linalg.svdvals(views.flatten(0, 1).double())).item() > 3


def test_lidar_weighs_a_direction_by_signal_over_noise():
    noise = torch.tensor([0.5, 2.0, 1.0])
    within = noise.square() / 3 + 1e-4
    ratio = (1 / within / (1 / within).sum()).double()
    expected = math.exp(-(ratio * ratio.log()).sum())
    assert lidar(viewed(stars(3, 3), noise)).item() == pytest.approx(expected, rel=1e-6)
    assert expected < 2.5


def test_lidar_agrees_with_the_roots_of_matrices():
    views = random(12, 6, 5) * torch.linspace(0.1, 1, 5) + random(12, 1, 5, seed=1)
    x = views.double().numpy()
    means = x.mean(1)
    within = sum(np.outer(v - mean, v - mean) for image, mean in zip(x, means, strict=True) for v in image) / 72 + 1e-4 * np.eye(5)
    between = sum(np.outer(mean - means.mean(0), mean - means.mean(0)) for mean in means) / 12
    values, vectors = np.linalg.eigh(within)
    root = vectors @ np.diag(values**-0.5) @ vectors.T
    share = np.linalg.eigvalsh(root @ between @ root)
    share /= share.sum()
    assert lidar(views).item() == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-6)


def test_lidar_of_images_that_are_all_alike_is_one():
    assert lidar(torch.full((5, 4, 3), 0.1)).item() == pytest.approx(1, abs=1e-6)


def test_uniformity_of_known_configurations():
    same = torch.full((7, 3), 0.3)
    assert uniformity(same).item() == pytest.approx(0, abs=1e-12)
    assert uniformity(torch.zeros(4, 3)).item() == pytest.approx(0, abs=1e-12)
    assert uniformity(torch.tensor([[2.0, 0.0], [-0.1, 0.0]])).item() == pytest.approx(-8), "two opposite points, whatever their length"
    assert uniformity(5 * torch.eye(6)).item() == pytest.approx(-4), "right angles: every squared distance is 2"
    # A square: of the three others, two at a squared distance of 2 and one at 4.
    assert uniformity(stars(2, 2)).item() == pytest.approx(math.log((2 * math.exp(-4) + math.exp(-8)) / 3))


def test_uniformity_is_over_all_pairs_in_any_chunks(monkeypatch):
    features = random(23, 4)
    unit = features.double() / features.double().norm(dim=1, keepdim=True)
    pairs = [math.exp(-2 * float((unit[i] - unit[j]).square().sum())) for i in range(23) for j in range(i)]
    expected = math.log(sum(pairs) / len(pairs))
    assert uniformity(features).item() == pytest.approx(expected, rel=1e-6)
    monkeypatch.setattr(spread, "AT_ONCE", 5)
    assert uniformity(features).item() == pytest.approx(expected, rel=1e-6)


def test_distance_in_units_of_the_variance_over_images():
    teacher = random(9, 4, 3) + 10 * random(1, 4, 3, seed=1)  # what all images share does not count
    mean = teacher.mean(0).expand_as(teacher)
    for student, expected in ((teacher, 0), (mean, 1), ((teacher + mean) / 2, 0.25), (2 * mean - teacher, 4)):
        assert relative_distance(torch.stack([student, teacher], 1)).item() == pytest.approx(expected, abs=1e-6)


def test_an_interval_of_a_mean_is_students():
    """For a mean, leaving out one of ten images at a time gives the standard error of the textbook."""
    values = random(10)
    found = jackknife(lambda rows: rows.mean(), values)
    reach = 2.26215716 * values.std().item() / math.sqrt(10)
    assert found[:4] == pytest.approx((values.mean().item(), values.mean().item() - reach, values.mean().item() + reach, 10), abs=1e-5)


def test_an_interval_stays_within_what_is_possible_and_around_its_value():
    found = jackknife(lambda rows: rows.std(), random(12), least=0.99, most=1.0)
    value = random(12).std().item()
    assert found.low == pytest.approx(min(value, 0.99))
    assert found.high == pytest.approx(max(value, 1.0))
    assert jackknife(lambda rows: rows.std(), torch.ones(3)) == Metric(0, 0, 0, 3)


def test_an_interval_of_a_spread_is_as_far_above_as_below_by_a_factor():
    values = random(10)
    found, student = jackknife(lambda rows: 1 + rows.mean().abs(), values, least=1), 2.26215716
    mean, error = abs(values.mean().item()), values.std().item() / math.sqrt(10)
    factor = math.exp(student * error / mean)
    assert found[:3] == pytest.approx((1 + mean, 1 + mean / factor, 1 + mean * factor), rel=1e-5)
    assert jackknife(lambda rows: rows.std(), torch.ones(3), least=0)[:4] == (0, 0, 0, 3)
    one = torch.tensor([1.0] + [0.0] * 19)
    assert jackknife(lambda rows: rows.std(), one, least=0).high < 3, "bounded, where one image makes the whole spread"


@pytest.mark.parametrize("images", [8, 16])
def test_intervals_of_a_spread_hold_what_as_many_images_give_on_average(images):
    """A symmetric interval holds it in 0.907 and 0.935 of the cases."""
    stds = [jackknife(lambda rows: rows.std(0, correction=0), random(images, seed=seed), least=0) for seed in range(2000)]
    average = sum(m.value for m in stds) / len(stds)
    assert sum(m.low <= average <= m.high for m in stds) / len(stds) > {8: 0.92, 16: 0.94}[images]


@pytest.mark.parametrize("images", [25, 60])
def test_intervals_of_a_rank_and_of_a_spread_cover_the_truth(images):
    """Of 200 intervals at 95 %, at least 87 % (five standard errors less) hold the value of very many images."""
    scale = torch.linspace(0.2, 1, 4)
    rank = spread.entropy_rank(scale).item()

    def effective(rows):
        return spread.entropy_rank(torch.linalg.svdvals(rows))

    samples = [random(images, 4, seed=seed) * scale for seed in range(200)]
    ranks = [jackknife(effective, sample, least=1, most=4) for sample in samples]
    stds = [jackknife(lambda rows: rows.std(0).mean(), sample, least=0) for sample in samples]
    assert sum(m.low <= rank <= m.high for m in ranks) / 200 > 0.87
    assert sum(m.low <= scale.mean().item() * (1 - 1 / (4 * images)) <= m.high for m in stds) / 200 > 0.87
    assert sum(m.high - m.low for m in ranks) / 200 < 1.5, "and they are not just wide"
