"""Draws: known answers, statistics and independence of the counter-based generator.

Statistical tests use fixed seeds, so they give the same verdict every time; thresholds are the 0.1 % points of their distributions.
"""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from iwm_core.interfaces.draws import AT_ONCE, Draws, philox

ALPHA = 1e-3


def words(values: list[int]) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor([v], dtype=torch.int64) for v in values)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        # Known-answer vectors of philox4x32-10, published with the Random123 library.
        ([0, 0, 0, 0], (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF, 0xFFFFFFFF), [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_its_published_answers(counter, key, expected):
    assert [w.item() for w in philox(words(counter), key)] == expected
    assert [w.item() for w in philox(tuple(w.numpy() for w in words(counter)), key)] == expected


def draws(n: int = 4096, seed: int = 7, epoch: int = 0, name: str = "") -> Draws:
    return Draws(seed, epoch, torch.arange(n), name)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_uniform_is_uniform(seed):
    values = draws(seed=seed).uniform(8).numpy().ravel()
    assert values.min() >= 0
    assert values.max() < 1
    assert stats.kstest(values, "uniform").pvalue > ALPHA


def test_bits_of_neighbouring_words_are_uniform_together():
    """Serial test: pairs of neighbouring words, of neighbouring samples and of neighbouring epochs fill a 16×16 grid evenly."""
    first, other = draws().uniform(4), draws(epoch=1).uniform(4)
    pairs = {
        "words": (first[:, 0], first[:, 1]),
        "calls": (first[:, 3], Draws(7, 0, torch.arange(4096)).bits(8)[:, 4] / 2**32),
        "samples": (first[:-1, 0], first[1:, 0]),
        "epochs": (first[:, 0], other[:, 0]),
        "seeds": (first[:, 0], draws(seed=8).uniform(4)[:, 0]),
        "streams": (first[:, 0], draws(name="a").uniform(4)[:, 0]),
        "like-named streams": (draws(name="a").uniform(4)[:, 0], draws(name="b").uniform(4)[:, 0]),
    }
    for label, (x, y) in pairs.items():
        counts, _, _ = np.histogram2d(x.numpy(), y.numpy(), bins=16, range=[[0, 1], [0, 1]])
        assert stats.chisquare(counts.ravel()).pvalue > ALPHA, label


def test_neighbouring_keys_are_uncorrelated():
    """Over 64 neighbouring seeds, all pairwise correlations lie within what chance allows."""
    values = np.stack([draws(n=2048, seed=s).uniform(1).numpy().ravel() for s in range(64)])
    correlations = np.corrcoef(values)[np.triu_indices(64, 1)]
    assert abs(correlations).max() < stats.norm.isf(ALPHA / len(correlations) / 2) / np.sqrt(2048)


def test_normal_is_normal():
    values = draws().normal(5).numpy()
    assert values.shape == (4096, 5)
    assert stats.kstest(values.ravel(), "norm").pvalue > ALPHA
    assert abs(np.corrcoef(values.T)[np.triu_indices(5, 1)]).max() < 4.5 / np.sqrt(4096)


def test_bernoulli_has_its_rate():
    hits = draws().bernoulli(0.2, 4).numpy()
    assert hits.dtype == bool
    assert stats.binomtest(int(hits.sum()), hits.size, 0.2).pvalue > ALPHA


@pytest.mark.parametrize("high", [1, 2, 7, 1000])
def test_integers_cover_their_range_evenly(high):
    values = draws().integers(high, 8).numpy().ravel()
    assert values.min() >= 0
    assert values.max() < high
    if high > 1:
        assert stats.chisquare(np.bincount(values, minlength=high)).pvalue > ALPHA


def test_permutations_are_uniform():
    orders = draws(n=24_000).permutation(4)
    index = {order: i for i, order in enumerate(itertools.permutations(range(4)))}
    counts = np.bincount([index[tuple(o)] for o in orders.tolist()], minlength=24)
    assert stats.chisquare(counts).pvalue > ALPHA


def test_a_sample_does_not_depend_on_its_batch():
    whole = draws(n=100)
    parts = [Draws(7, 0, torch.tensor([i])) for i in (3, 99, 0)]
    for method in ("uniform", "normal"):
        expected = getattr(whole, method)(3)
        for part, i in zip(parts, (3, 99, 0), strict=True):
            assert torch.equal(getattr(part, method)(3)[0], expected[i])


def test_epoch_may_differ_by_sample():
    both = Draws(7, torch.tensor([0, 1]), torch.tensor([5, 5])).uniform(4)
    assert torch.equal(both[0], Draws(7, 0, torch.tensor([5])).uniform(4)[0])
    assert torch.equal(both[1], Draws(7, 1, torch.tensor([5])).uniform(4)[0])


def test_streams_start_afresh_and_are_named_by_path():
    parent = draws()
    before = parent.stream("x").uniform(2)
    parent.uniform(10)
    assert torch.equal(parent.stream("x").uniform(2), before)
    assert torch.equal(draws(name="/x").uniform(2), before)


def test_global_generator_is_untouched():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    draws().normal(7)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match="seed lies in"):
        Draws(seed, 0, torch.arange(1))


def test_index_beyond_32_bits_is_its_own_sample():
    low, high = Draws(0, 0, torch.tensor([5])), Draws(0, 0, torch.tensor([5 + 2**32]))
    assert not torch.equal(low.uniform(4), high.uniform(4))


METHODS = [("bits",), ("uniform",), ("uniform", -2.0, 0.3), ("normal",), ("bernoulli", 0.3), ("integers", 1000), ("permutation",)]


def made(draws: Draws, calls: list[tuple[tuple, int]]) -> list[torch.Tensor]:
    """What a sequence of calls gives; a probability and a bound come before the count."""
    found = []
    for (method, *options), n in calls:
        first = method in ("bernoulli", "integers")
        found.append(getattr(draws, method)(*options, n) if first else getattr(draws, method)(n, *options))
    return [*found, draws.stream("own").uniform(3)]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    index=st.lists(st.integers(0, 2**62), min_size=0, max_size=6),
    epoch=st.integers(0, 2**40),
    own=st.booleans(),
    calls=st.lists(st.tuples(st.sampled_from(METHODS), st.integers(1, 40)), min_size=1, max_size=4),
)
def test_the_host_draws_what_a_device_draws(seed, index, epoch, own, calls):
    """numpy on the host, tensors elsewhere: the same bits, whatever is asked for in whatever order."""
    numbers = torch.tensor(index, dtype=torch.int64)
    epochs = epoch + torch.arange(len(numbers)) if own else epoch
    host = made(Draws(seed, epochs, numbers, "a"), calls)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draws, "on_host", False)
        device = made(Draws(seed, epochs, numbers, "a"), calls)
    for one, two in zip(host, device, strict=True):
        assert one.dtype == two.dtype
        assert torch.equal(one, two)


def test_what_is_drawn_in_several_pieces_is_drawn_alike(monkeypatch):
    n, count = 500, 4 * (AT_ONCE // 500) * 3 + 5
    host = draws(n).bits(count)
    monkeypatch.setattr(Draws, "on_host", False)
    assert torch.equal(draws(n).bits(count), host)
