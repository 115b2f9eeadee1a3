"""Observed actions measured on pairs whose truth is known: they enter every question that is asked of pairs, and no other."""

import pytest
import torch
from flat_metrics import flat
from iwm_devkit import check_evaluator
from iwm_devkit.known_model import PAIRED, KnownData, KnownModel, KnownPairs, Negative, Slide, blind, half, perfect, quiet
from iwm_evals.compose import Compose
from iwm_evals.dose import Dose
from iwm_evals.equivariance import Equivariance
from iwm_evals.error import Error
from iwm_evals.health import Health
from iwm_evals.inverse import Inverse
from iwm_evals.mrr import Mrr
from iwm_evals.pca import Pca
from iwm_evals.planning import Planning
from iwm_evals.undo import Undo

from iwm_core.interfaces import NotApplicable

BANK = 16
CHANCE = sum(1 / k for k in range(1, BANK + 1)) / BANK


def measure(evaluator, model, tmp_path, data=None):
    found = flat(evaluator.evaluate(model, data or KnownPairs(images=120), tmp_path, quiet))
    return {name: metric.value for name, metric in found.metrics.items()}, found


@pytest.mark.parametrize(
    "evaluator",
    [
        Inverse(images=40, bank=BANK, part_images=10),
        Error(images=40),
        Planning(images=16, candidates=16, rounds=1, samples=8, starts=1, steps=2),
        Equivariance(train=100, images=40),
        Health(images=40),
        Pca(images=40),
    ],
    ids=lambda evaluator: evaluator.name,
)
def test_evaluators_keep_their_contract_on_pairs(evaluator):
    check_evaluator(evaluator, KnownModel(parts=PAIRED), KnownPairs(images=60))


@pytest.mark.parametrize("evaluator", [Mrr(images=8), Dose(images=8), Compose(images=8), Undo(images=8)], ids=lambda e: e.name)
def test_what_must_be_made_cannot_be_asked_of_what_is_only_seen(evaluator, tmp_path):
    with pytest.raises(NotApplicable):
        measure(evaluator, KnownModel(parts=PAIRED), tmp_path)


def test_a_perfect_predictor_ranks_the_own_action_first(tmp_path):
    values, found = measure(Inverse(bank=BANK, part_images=20), KnownModel(parts=PAIRED), tmp_path)
    for name in ("inverse", "inverse.h1", "inverse.h5", "inverse.h10", "inverse.move.columns", "inverse.move.rows"):
        assert values[name] == 1
    assert values["inverse_chance"] == pytest.approx(CHANCE)
    assert values["inverse_random"] < 0.5
    # never first, and anywhere else alike: (H(k) - 1) / (k - 1)
    assert values["inverse_shuffled"] == pytest.approx((CHANCE * BANK - 1) / (BANK - 1), abs=0.06)
    assert found.settings["bank"] == BANK


def test_a_predictor_that_goes_half_of_the_way_takes_short_actions_for_longer_ones(tmp_path):
    values, _ = measure(Inverse(bank=BANK), KnownModel(half, parts=PAIRED), tmp_path)
    assert CHANCE < values["inverse"] < 0.9


def test_a_blind_predictor_gets_exactly_chance(tmp_path):
    values, _ = measure(Inverse(bank=BANK, part_images=20), KnownModel(blind, parts=PAIRED), tmp_path)
    for name in ("inverse", "inverse_shuffled", "inverse.move.columns"):
        assert values[name] == pytest.approx(CHANCE)
    assert values["inverse.h5"] == pytest.approx(5 / BANK)


def test_ranks_against_a_loop_over_pairs(tmp_path):
    """By the predictor's own words: the mean of the places that sorting by distance gives; no ties between distinct random numbers."""
    model, data = KnownModel(half, parts=PAIRED), KnownPairs(images=30)
    values, _ = measure(Inverse(bank=30), model, tmp_path, data)
    actions, places = data.actions("validation", 30), []
    for pair in data.batches("validation", 30, 1):
        errors = [(half(model.encode(pair.images), a[None, None])[0, 0] - model.targets(pair.target)[0]).square().sum() for a in actions]
        own = int(pair.index)
        places.append(1 + sum(bool(error < errors[own]) for error in errors))
    assert values["inverse"] == pytest.approx(sum(1 / place for place in places) / 30)


def test_few_distinct_actions_make_small_banks_and_one_makes_none(tmp_path):
    class Two(KnownPairs):
        def shown(self, split, index):
            return (index % 2)[:, None].float() * torch.tensor([[0.25, 0.5]])

    values, found = measure(Inverse(bank=64), KnownModel(parts=PAIRED), tmp_path, Two(images=20))
    assert found.settings["bank"] == 2
    assert (values["inverse"], values["inverse_chance"]) == (1, 0.75)

    class One(KnownPairs):
        def shown(self, split, index):
            return torch.full((len(index), 2), 0.25)

    with pytest.raises(NotApplicable, match="one and the same action"):
        measure(Inverse(), KnownModel(parts=PAIRED), tmp_path, One(images=20))


def test_a_number_of_few_values_is_asked_among_these(tmp_path):
    """Yes or no, in a bank of two: a perfect model is always right, and chance is 3/4."""

    class Switch(KnownPairs):
        def shown(self, split, index):
            drawn = super().shown(split, index)
            return torch.cat([(drawn[:, :1] > 0).float() / 2, drawn[:, 1:]], 1)

    values, _ = measure(Inverse(bank=16, part_images=20), KnownModel(parts=PAIRED), tmp_path, Switch(images=60))
    assert values["inverse.move.columns"] == 1
    assert values["inverse.move.columns_chance"] == pytest.approx(0.75)
    assert values["inverse.move.rows"] == 1
    assert values["inverse.move.rows_chance"] == pytest.approx(CHANCE)

    class Fixed(KnownPairs):
        def shown(self, split, index):
            return super().shown(split, index) * torch.tensor([0.0, 1.0])

    values, _ = measure(Inverse(bank=16, part_images=20), KnownModel(parts=PAIRED), tmp_path, Fixed(images=60))
    assert not [name for name in values if "columns" in name]


def test_single_images_show_no_action(tmp_path):
    with pytest.raises(NotApplicable, match="no pairs"):
        measure(Inverse(), KnownModel(), tmp_path, KnownData(images=20))


def test_error_is_that_of_the_observed_targets(tmp_path):
    values, _ = measure(Error(images=60, draws=1), KnownModel(parts=PAIRED), tmp_path)
    assert values["error"] == pytest.approx(0, abs=1e-9)
    assert values["error_null"] == pytest.approx(1)
    assert values["error.move"] == pytest.approx(0, abs=1e-9)
    # told another pair's action, the error is twice the square of a slide, as the two are independent: |a - b|² = 2 |a|²
    assert values["error_shuffled"] == pytest.approx(2, rel=0.25)
    values, _ = measure(Error(images=60, draws=1), KnownModel(half, parts=PAIRED), tmp_path)
    assert values["error"] == pytest.approx(0.25)


def test_planning_finds_the_observed_action(tmp_path):
    fast = Planning(images=60, candidates=32, steps=20, rounds=6, samples=64, chunk=4096)
    values, found = measure(fast, KnownModel(parts=PAIRED), tmp_path)
    assert values["planning_relative.cem"] < 1e-2
    assert values["planning.gradient.move.rows"] < 1e-2
    # two numbers uniform in [-1/2, 1/2) are 1/3 apart
    assert values["planning.cem.move.columns_chance"] == pytest.approx(1 / 3, abs=0.04)
    (gallery,) = found.galleries
    assert gallery.headings == ("source", "goal")
    assert all(len(row.images) == 2 for row in gallery.rows)


def test_the_observed_action_is_read_from_pairs(tmp_path):
    values, _ = measure(Equivariance(train=300, images=100, draws=1), KnownModel(parts=PAIRED), tmp_path)
    assert values["invariance.move"] < 1
    single, _ = measure(Equivariance(train=300, images=100, draws=1), KnownModel(), tmp_path, KnownData(images=100))
    assert "invariance.move" not in single


MIXED = {**PAIRED, "slide": Slide(), "negative": Negative()}


def moves_and_slides(tokens, actions):
    """Both actions slide; the observed one comes first."""
    return perfect(tokens, torch.cat([actions[..., :2] + actions[..., 2:4], actions[..., 4:]], -1))


def test_made_and_observed_actions_together(tmp_path):
    """Each is measured where it acts: a made one also on images alone, an observed one on pairs, and all at once on pairs."""
    model = KnownModel(moves_and_slides, parts=MIXED)
    values, _ = measure(Error(images=60), model, tmp_path)
    for name in ("error", "error.move", "error.slide", "error.negative"):
        assert values[name] == pytest.approx(0, abs=1e-9), name
    assert values["error_shuffled"] > 0.5
    assert measure(Inverse(bank=BANK), model, tmp_path)[0]["inverse"] == 1
    values, found = measure(Mrr(images=20, bank=BANK, part_images=4), model, tmp_path)
    assert values["mrr"] == 1
    assert not any("move" in name for name in found.metrics)
    values, found = measure(Dose(images=10), model, tmp_path)
    assert {name.split(".")[1] for name in found.metrics if "." in name} == {"slide"}
    values, found = measure(Undo(images=30), model, tmp_path)
    assert values["undo"] == pytest.approx(0, abs=1e-9)
    assert "undo.move" not in values
    assert measure(Compose(images=20), model, tmp_path)[0]["compose.twice"] == pytest.approx(0, abs=1e-6)
