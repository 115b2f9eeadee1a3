"""Health numbers on tensors whose values are known, and the words that follow from them."""

import numpy as np
import pytest
import torch
from iwm_evals.scores.health import Health, bounded, effective_rank, entropy_rank, gain, judge, singular_values, spread_rows, target_std

from iwm_core.interfaces import Targets
from iwm_core.process.display import summary


def with_singular_values(values, rows, seed=0):
    """A matrix [rows, len(values)] with these singular values."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.normal(size=(rows, len(values))))[0]
    right = np.linalg.qr(rng.normal(size=(len(values), len(values))))[0]
    return torch.tensor(left * np.asarray(values) @ right.T, dtype=torch.float32)


@pytest.mark.parametrize(
    ("values", "rank"), [([3.0] * 24, 24), ([5.0] + [0.0] * 23, 1), ([2.0, 2.0] + [0.0] * 22, 2), ([7.0] * 6 + [0.0] * 18, 6)]
)
def test_rank_of_equal_singular_values_is_their_number(values, rank):
    assert effective_rank(with_singular_values(values, 60)).item() == pytest.approx(rank, rel=1e-3)


def test_rank_of_one_direction_among_many():
    """As of a collapsed model: rounding must not pass for hundreds of small dimensions."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(1024, 1, generator=generator) @ torch.randn(1, 384, generator=generator)
    assert effective_rank(tokens).item() == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize(("rows", "width"), [(200, 16), (16, 16), (5, 32)])
def test_rank_equals_rankme_by_numpys_svd(rows, width):
    tokens = torch.randn(rows, width, generator=torch.Generator().manual_seed(1)) * torch.linspace(0.01, 2, width)
    values = np.linalg.svd(tokens.double().numpy(), compute_uv=False)
    share = values / values.sum()
    expected = np.exp(-sum(p * np.log(p) for p in share if p > 0))
    assert effective_rank(tokens).item() == pytest.approx(expected, rel=1e-3)
    assert effective_rank(7 * tokens).item() == pytest.approx(expected, rel=1e-3), "scale means nothing"


@pytest.mark.parametrize(("images", "rank"), [(128, 110), (256, 207), (1024, 528), (8192, 600)])
def test_one_distribution_has_the_rank_of_its_images_where_these_are_few(images, rank):
    """Of width 768, with variances that fall as 1/k: its own rank is 608."""
    deviations = torch.arange(1, 769).rsqrt()
    assert entropy_rank(deviations).item() == pytest.approx(608, abs=0.5)
    drawn = torch.randn(images, 768, generator=torch.Generator().manual_seed(0))
    assert effective_rank(drawn * deviations).item() == pytest.approx(rank, abs=3)
    assert bool(bounded(images, 768)) == (images < 4 * 768)


def test_singular_values_are_numpys_the_largest_first():
    tokens = torch.randn(9, 5, generator=torch.Generator().manual_seed(2))
    assert singular_values(tokens).tolist() == pytest.approx(np.linalg.svd(tokens.double().numpy(), compute_uv=False).tolist())


def test_rank_of_weights_counts_those_that_weigh():
    assert entropy_rank(torch.tensor([3.0, 0.0, 3.0, 3.0])).item() == pytest.approx(3)
    # Shares 1/2, 1/4, 1/4: an entropy of 3/2 bits.
    assert entropy_rank(torch.tensor([2.0, 1.0, 1.0])).item() == pytest.approx(2**1.5)


def test_rank_of_nothing_is_one():
    assert effective_rank(torch.zeros(10, 4)).item() == pytest.approx(1)


@pytest.mark.parametrize(("b", "n"), [(2, 3), (7, 11), (64, 196)])
def test_rows_are_few_and_spread(b, n):
    tokens = torch.arange(b * n, dtype=torch.float32).reshape(b, n, 1)
    rows = spread_rows(tokens, 100)[:, 0]
    assert min(b * n, 50) <= len(rows) <= 100
    assert len(set(rows.diff().tolist())) == 1
    assert rows[-1] > 0.95 * b * n - 1, "to the end of the batch"


def test_std_is_of_images_not_of_positions():
    generator = torch.Generator().manual_seed(0)
    same = torch.randn(1, 9, 5, generator=generator).expand(8, -1, -1)
    assert target_std(same).item() == pytest.approx(0, abs=1e-6)
    different = torch.randn(400, 9, 5, generator=generator)
    assert target_std(different).item() == pytest.approx(1, abs=0.05)
    assert target_std(torch.tensor([[[0.0]], [[4.0]]])).item() == pytest.approx(2)


def predictions():
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(6, 9, 5, generator=generator) + torch.randn(1, 9, 5, generator=generator)
    target = torch.stack([torch.randperm(9, generator=generator)[:4] for _ in range(6)]).reshape(6, 2, 2)
    wanted = torch.stack([teacher[i, target[i]] for i in range(6)])
    mean = torch.stack([teacher.mean(0)[target[i]] for i in range(6)])
    return teacher, Targets(torch.zeros(6, 1, dtype=torch.int64), target), wanted, mean


def test_gain_is_one_when_perfect_and_zero_for_the_batchs_mean():
    teacher, where, wanted, mean = predictions()
    assert gain(wanted, teacher, where).item() == pytest.approx(1)
    assert gain(mean, teacher, where).item() == pytest.approx(0, abs=1e-5)
    assert gain((wanted + mean) / 2, teacher, where).item() == pytest.approx(0.75)
    assert gain(2 * mean - wanted, teacher, where).item() == pytest.approx(-3)


def test_numbers_that_are_not_finite_do_not_crash():
    teacher, where, wanted, _ = predictions()
    broken = torch.full_like(teacher, float("nan"))
    assert effective_rank(spread_rows(broken)).isnan()
    assert effective_rank(torch.full((4, 3), float("inf"))).isnan()
    assert target_std(broken).isnan()
    assert gain(wanted, broken, where).isnan()


HEALTHY = {"target_std": 0.6, "effective_rank": 60.0, "gain": 0.3}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"gain": -2.0}, None),
        ({"target_std": 0.001}, "collapse: the teacher gives every image the same tokens"),
        ({"target_std": 0.001, "effective_rank": 1.0}, "collapse: the teacher gives every image the same tokens"),
        ({"effective_rank": 1.7}, "partial collapse: the teacher's tokens span 1.7 of 192 dimensions"),
        ({"effective_rank": 3.0}, "partial collapse: the teacher's tokens span 3.0 of 192 dimensions"),
        ({"effective_rank": 4.0}, None),
        ({"target_std": 0.05}, "partial collapse: the teacher's tokens hardly differ between images"),
        ({"target_std": 0.2}, None),
    ],
)
def test_verdict_in_words(change, words):
    verdict = Health(**HEALTHY | change).verdict(width=192, images=64)
    if words is None:
        assert verdict is None
        return
    assert verdict is not None
    assert verdict.startswith(words)
    assert "train.momentum.start" in verdict, "it names what to try"
    assert "\n" not in verdict


def test_one_image_cannot_be_judged():
    assert Health(target_std=0.0, effective_rank=1.0, gain=0.0).verdict(width=192, images=1) is None


def test_what_cannot_be_measured_is_no_number():
    teacher, where, wanted, _ = predictions()
    one = Targets(where.context[:1], where.target[:1])
    assert gain(wanted[:1], teacher[:1], one).isnan(), "the mean of one image is the image itself"
    assert target_std(teacher[:1]).isnan()
    constant = teacher[:1].expand(6, -1, -1)
    assert gain(wanted, constant, where).isnan(), "all images look the same"
    assert gain(wanted, torch.zeros_like(teacher), where).isnan()
    assert target_std(constant).item() == 0
    assert effective_rank(torch.ones(1, 4)).item() == pytest.approx(1), "one token"
    assert judge(192, float("nan"), 1.0).word == "not available"
    line = {"loss": 1.0, "images_per_s": 1.0, "data_wait": 0.0, "target_std": float("nan"), "effective_rank": 3.0, "gain": float("nan")}
    said = summary(line | {"rank_bounded": True})
    assert "std not available  rank 3.0 (bounded by the batch)  gain not available" in said


@pytest.mark.parametrize(("images", "told"), [(256, True), (3071, True), (3072, False)])
def test_a_rank_of_few_images_says_so(images, told):
    assert ("bounded by the number" in bounded(images, 768)) == told


ALIVE = {"target_std": 0.6, "effective_rank": 60.0, "prediction_std": 0.5, "teacher_distance": 0.1, "rankme": 20.0}


@pytest.mark.parametrize(
    ("change", "word", "named", "advice"),
    [
        ({}, "healthy", "target std 0.60, tokens span 60.0 of 192 dimensions", ""),
        ({"target_std": 0.019}, "collapse", "target std 0.019", "train.momentum.start"),
        ({"effective_rank": 3.8}, "partial collapse", "span 3.8 of 192 dimensions", "targets.scale"),
        ({"target_std": 0.099}, "partial collapse", "target std 0.099", "train.lr.warmup"),
        ({"prediction_std": 0.11}, "watch", "prediction std 0.110, target std 0.600", "predictor.depth"),
        ({"prediction_std": 0.13}, "healthy", "target std", ""),
        ({"teacher_distance": 1.01}, "watch", "teacher distance 1.01", "train.lr.peak"),
        ({"teacher_distance": 0.99}, "healthy", "target std", ""),
        ({"rankme": 1.9}, "watch", "RankMe 1.9", "targets.scale"),
        ({"rankme": 2.1}, "healthy", "target std", ""),
        (dict.fromkeys(("prediction_std", "teacher_distance", "rankme")), "healthy", "target std", ""),
        # The worst comes first.
        ({"prediction_std": 0.0, "effective_rank": 1.0, "target_std": 0.0}, "collapse", "target std 0.000", "train.momentum.start"),
        ({"prediction_std": 0.0, "effective_rank": 1.0}, "partial collapse", "span 1.0", "train.momentum.start"),
    ],
)
def test_the_verdict_names_the_number_that_decided_and_what_to_try(change, word, named, advice):
    verdict = judge(192, **ALIVE | change)
    assert verdict.word == word
    assert named in verdict.reason
    assert advice in verdict.advice
    assert bool(verdict.advice) == (word != "healthy")
    assert str(verdict).startswith(f"{word}: {verdict.reason}")


@pytest.mark.parametrize("std", [0.0, 0.01, 0.03, 0.09, 0.11, 0.8])
@pytest.mark.parametrize("rank", [1.0, 1.9, 2.5, 3.8, 3.9, 50.0])
def test_training_warns_in_the_very_words_of_the_verdict(std, rank):
    warning = Health(target_std=std, effective_rank=rank, gain=0.0).verdict(width=192, images=64)
    verdict = judge(192, std, rank, prediction_std=0.0, teacher_distance=9.0, rankme=1.0)
    if warning is None:
        assert verdict.word == "watch", "what is to be watched alone is no warning"
    else:
        assert warning == str(verdict)
        assert "collapse" in verdict.word
