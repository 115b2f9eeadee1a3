"""Action inference measured on worlds whose truth is known."""

import math
from dataclasses import dataclass

import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import KnownData, KnownModel, Negative, Slide, blind, half, perfect, quiet
from iwm_evals.planning import Planning
from iwm_evals.plans import BankSearch, Found
from torch import Tensor

from iwm_core.interfaces import ActionParams, Draws, NotApplicable
from iwm_core.plugins.loader import Entry, load_plugins


@dataclass(kw_only=True)
class Last(BankSearch):
    """The last of the candidates, whatever it is."""

    name = "last"

    def search(self, problem):
        return Found(problem.candidates[:, -1], problem.distances[:, -1])


NUMBERS = ("slide.columns", "slide.rows")
SEARCHES = ("cem", "gradient", "bank")
FAST = {"candidates": 32, "steps": 20, "rounds": 6, "samples": 64, "chunk": 4096}


def measure(model, tmp_path, images=60, seed=0, **fields):
    return flat(Planning(images=images, **(FAST | fields)).evaluate(model, KnownData(seed=seed, images=images), tmp_path, quiet))


def values(found):
    return {name: metric.value for name, metric in found.metrics.items()}


def test_a_perfect_predictor_knows_what_was_done(tmp_path):
    found = values(measure(KnownModel(), tmp_path))
    assert list(found) == [
        *(f"planning_relative.{search}{control}" for search in SEARCHES for control in ("", "_null")),
        *(f"planning.{search}.{number}{c}" for search in SEARCHES for number in NUMBERS for c in ("", "_chance", "_null")),
    ]
    for search in ("cem", "gradient"):
        assert found[f"planning_relative.{search}"] < 1e-3
        assert all(found[f"planning.{search}.{number}"] < 1e-3 for number in NUMBERS)
    assert 0.02 < found["planning_relative.bank"] < 0.5  # as near as 32 draws come


def test_controls_have_their_analytic_values(tmp_path):
    """Encoded numbers are uniform in [-1/2, 1/2): two draws are 1/3 apart, one is 1/4 from zero."""
    metrics = measure(KnownModel(), tmp_path, images=400, searches=["bank"]).metrics
    for number in NUMBERS:
        for control, expected, deviation in (("chance", 1 / 3, 0.08), ("null", 1 / 4, math.sqrt(1 / 48))):
            metric = metrics[f"planning.bank.{number}_{control}"]
            assert metric.value == pytest.approx(expected, abs=4 * deviation / 20)
            assert metric.low < metric.value < metric.high
            assert metric.n == 400
    assert metrics["planning_relative.bank_null"].value == pytest.approx(3 / 4, abs=0.06)


@pytest.mark.parametrize("constant", [False, True], ids=["blind predictor", "and constant encoder"])
def test_knowing_nothing_is_chance(constant, tmp_path):
    metrics = measure(KnownModel(blind, constant), tmp_path, images=400, candidates=16, rounds=2, samples=4, steps=2).metrics
    for search in SEARCHES:
        relative = metrics[f"planning_relative.{search}"]
        assert relative.low < 1 < relative.high
        assert relative.low > 0.9 > metrics[f"planning_relative.{search}_null"].high
        for number in NUMBERS:
            error, chance = (metrics[f"planning.{search}.{number}{control}"] for control in ("", "_chance"))
            assert error.value == pytest.approx(chance.value, abs=4 * (error.high - error.low) / 4)


def test_where_all_goals_look_like_the_source_nothing_is_found_to_be_done(tmp_path):
    found = values(measure(KnownModel(constant=True), tmp_path, searches=["gradient"]))
    for number in NUMBERS:
        assert found[f"planning.gradient.{number}"] == pytest.approx(found[f"planning.gradient.{number}_null"], abs=1e-3)


def test_a_predictor_that_goes_half_as_far_is_answered_with_twice_the_action(tmp_path):
    """min(2 x, 1/2) is |x| off where |x| < 1/4, else 1/2 - |x|: 1/8 in the mean."""
    metrics = measure(KnownModel(half), tmp_path, images=120, searches=["gradient"]).metrics
    for number in NUMBERS:
        assert metrics[f"planning.gradient.{number}"].value == pytest.approx(1 / 8, abs=4 * math.sqrt(1 / 192 / 120))
    assert metrics["planning_relative.gradient"].value == pytest.approx(3 / 8, abs=0.05)


@dataclass(kw_only=True)
class Thirds(Slide):
    """A slide of the target by -1, 0 or 1."""

    def sample(self, draws: Draws) -> ActionParams:
        target = draws.integers(3, 2).float() - 1
        return ActionParams(torch.zeros_like(target), target)


def test_bank_search_is_exact_where_the_truth_is_in_the_bank(tmp_path):
    """Of values -1/2, 0 and 1/2, 4 pairs in 9 lie 1/2 apart and 2 lie 1 apart."""
    parts = {"slide": Thirds(), "negative": Negative()}
    metrics = measure(KnownModel(parts=parts), tmp_path, candidates=256).metrics
    for search in SEARCHES:
        assert metrics[f"planning_relative.{search}"][:3] == (0, 0, 0)
        for number in NUMBERS:
            assert metrics[f"planning.{search}.{number}"][:3] == (0, 0, 0)
            assert metrics[f"planning.{search}.{number}_chance"].value == pytest.approx(4 / 9, abs=0.05)
    assert measure(KnownModel(blind, parts=parts), tmp_path).metrics["planning_relative.bank"].value > 0.8


def test_a_second_run_gives_the_same_numbers(tmp_path):
    first, second, other = (measure(KnownModel(half), tmp_path, 12, seed) for seed in (0, 0, 1))
    assert first.metrics == second.metrics != other.metrics
    assert first.charts == second.charts
    assert first.summary == second.summary
    for one, two in zip(first.galleries[0].rows, second.galleries[0].rows, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.images, two.images, strict=True))


def test_passes_and_images_change_nothing_but_rounding(tmp_path):
    whole, small = (values(measure(KnownModel(), tmp_path, 12, chunk=chunk)) for chunk in (4096, 8))
    assert whole == pytest.approx(small, abs=1e-4)


def test_the_gallery_shows_what_the_answer_makes(tmp_path):
    model = KnownModel()
    found = measure(model, tmp_path, images=20)
    (gallery,) = found.galleries
    assert found.settings["shown"] == "cem", "whichever search came out best"
    assert found.settings["shown"] in gallery.subtitle
    assert len(gallery.rows) == 8
    originals = next(iter(KnownData(images=20).batches("validation", 20, 20))).images
    for row in gallery.rows:
        source, goal, made = row.images
        assert any(torch.equal(source, original) for original in originals)
        assert list(row.numbers) == list(NUMBERS)
        params = torch.tensor([[2 * value for value in row.numbers.values()] + [0.0]])
        torch.testing.assert_close(model.actions.apply_target(source[None], params)[0], made)
        torch.testing.assert_close(made, goal, atol=1e-3, rtol=0)
        assert row.right is True
        assert row.verdict.startswith("off by 0.00, chance by 0.")
    wrong = measure(KnownModel(blind), tmp_path, images=20).galleries[0]
    assert sum(row.right is False for row in wrong.rows) >= 4


def test_charts_compare_with_chance_and_with_the_truth(tmp_path):
    found = measure(KnownModel(), tmp_path, images=200, searches=["cem", "bank", "cem"], candidates=16)
    assert found.settings["searches"] == ["cem", "bank"]
    errors, answers = found.charts
    assert (errors.kind, errors.levels, [one.label for one in errors.series]) == ("bars", {"chance": 1.0}, ["cem", "bank", "null action"])
    for one in errors.series:
        assert one.x == list(NUMBERS)
        for number, y, low, high in zip(one.x, one.y, one.low, one.high, strict=True):
            error = found.metrics[f"planning.cem.{number}_null" if one.label == "null action" else f"planning.{one.label}.{number}"].value
            assert y == pytest.approx(error / found.metrics[f"planning.cem.{number}_chance"].value)
            assert low <= y <= high
    assert answers.kind == "points"
    assert answers.diagonal == "truth"
    assert [one.label for one in answers.series] == list(NUMBERS)
    assert sum(len(one.x) for one in answers.series) <= 200
    for one in answers.series:
        assert one.y == pytest.approx(one.x, abs=2e-3)
    blind_points = measure(KnownModel(blind), tmp_path, images=200, searches=["bank"], candidates=4).charts[1].series[0]
    assert abs(torch.corrcoef(torch.tensor([blind_points.x, blind_points.y]))[0, 1]) < 0.4


def test_the_summary_says_how_far_off_in_words(tmp_path):
    found = measure(KnownModel(half), tmp_path, images=20)
    relative = found.metrics["planning_relative.cem"]
    assert found.summary.startswith(f"the action that cem finds between two images is off by {relative.value:.2f} ({relative.low:.2f} to ")
    assert "where chance is by 0." in found.summary
    null = f"{found.metrics['planning_relative.cem_null'].value:.2f} of the null action"
    assert f"times as much as a random guess, below the {null} (" in found.summary
    assert "no better than the" in measure(KnownModel(blind), tmp_path, images=20).summary, "above zeros, and at chance"
    assert set(found.about) == {"planning", "planning_relative"}


def test_fewer_images_than_asked_are_all_measured(tmp_path):
    found = flat(Planning(**FAST).evaluate(KnownModel(), KnownData(images=3), tmp_path, quiet))
    assert found.settings["images"] == found.metrics["planning_relative.cem"].n == len(found.galleries[0].rows) == 3
    assert flat(Planning(**FAST).evaluate(KnownModel(), KnownData(images=1), tmp_path, quiet)).metrics["planning_relative.cem"].n == 1


@pytest.mark.parametrize("parts", [{}, {"negative": Negative()}, {"slide": Slide(strength=0)}])
def test_nothing_to_find(parts, tmp_path):
    with pytest.raises(NotApplicable, match="no action of this recipe changes a target"):
        measure(KnownModel(parts=parts), tmp_path)


def test_what_cannot_be_measured(tmp_path):
    def broken(tokens: Tensor, actions: Tensor) -> Tensor:
        return perfect(tokens, actions) * math.nan

    with pytest.raises(ValueError, match="validation images, and this data has none"):
        Planning().evaluate(KnownModel(), KnownData(images=0), tmp_path, quiet)
    with pytest.raises(ValueError, match="not finite"):
        measure(KnownModel(broken), tmp_path, images=2)
    with pytest.raises(ValueError, match=r"^planning.searches is empty; name some of those that `iwm components search` lists$"):
        measure(KnownModel(), tmp_path, searches=[])


def test_a_search_of_another_plugin_is_measured_by_its_name(tmp_path, monkeypatch):
    found = load_plugins().entries("search")
    monkeypatch.setitem(found, "last", Entry("search", "last", Last, found["cem"].plugin))
    metrics = measure(KnownModel(), tmp_path, images=200, searches=["last", "bank"]).metrics
    assert metrics["planning_relative.last"].low < 1 < metrics["planning_relative.last"].high, "an independent draw is chance"
    assert metrics["planning_relative.bank"].high < 0.5
    with pytest.raises(ValueError, match=r"^planning\.searches: no installed plugin gives the search 'lats'; did you mean last\?"):
        Planning(searches=["lats"])
