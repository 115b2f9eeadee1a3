"""Prediction error on the known world: 0 for the perfect model, 1 for one that does nothing, a quarter for one that goes half the way."""

import math
from dataclasses import dataclass

import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import KnownData, KnownModel, Negative, Slide, blind, half, perfect, quiet
from iwm_evals.error import Error
from iwm_evals.statistics.metrics import ratio_metrics
from torch import Tensor

from iwm_core.interfaces import Draws, NotApplicable

CONTROLS = ("_shuffled", "_null", "_identity")


def knows_slides(tokens: Tensor, actions: Tensor) -> Tensor:
    return perfect(tokens, actions * torch.tensor([1.0, 1.0, 0.0]))


def offset(tokens: Tensor, actions: Tensor) -> Tensor:
    return perfect(tokens, actions) + 0.01


def measure(tmp_path, answer=perfect, seed: int = 0, available: int = 40, constant: bool = False, parts=None, **fields):
    return flat(Error(**fields).evaluate(KnownModel(answer, constant, parts), KnownData(seed, available), tmp_path, quiet))


def values(found) -> dict[str, float]:
    return {name: metric.value for name, metric in found.metrics.items()}


def by_loops(answer, seed: int, images: int, draws: int) -> dict[str, float]:
    """Pair by pair, in float64; the mean of the targets in a first loop."""
    model, action = KnownModel(answer), KnownModel(answer).actions
    pairs = []
    for batch in KnownData(seed, images).batches("validation", images, 1):
        for version in range(draws):
            source, target = action.sample(Draws(seed, version, batch.index, "error/pairs"))
            pairs.append((batch.images, source, target))
    targets = [model.targets(action.apply_target(image, target))[0].double() for image, _, target in pairs]
    mean = torch.stack(targets).mean(0)
    sums = dict.fromkeys(("error", "moved", "spread", "negative", "negative_moved"), 0.0)
    for (image, source, target), wanted in zip(pairs, targets, strict=True):
        start = model.encode(action.apply(image, source))
        predicted = model.predict(start, action.encode(source, target)[:, None])[0, 0].double()
        sums["error"] += float((predicted - wanted).square().sum())
        sums["moved"] += float((start[0].double() - wanted).square().sum())
        sums["spread"] += float((mean - wanted).square().sum())
        if source[0, 2] != target[0, 2]:
            start, wanted = model.encode(1 - image), model.targets(image)[0].double()
            predicted = model.predict(start, torch.tensor([[[0.0, 0.0, 1.0]]]))[0, 0].double()
            sums["negative"] += float((predicted - wanted).square().sum())
            sums["negative_moved"] += float((start[0].double() - wanted).square().sum())
    return {
        "error": sums["error"] / sums["moved"],
        "unexplained": sums["error"] / sums["spread"],
        "unexplained_identity": sums["moved"] / sums["spread"],
        "error.negative": sums["negative"] / sums["negative_moved"],
    }


def test_a_perfect_predictor_has_no_error_and_told_nothing_moves_nothing(tmp_path):
    found = measure(tmp_path, perfect)
    for name in ("error", "unexplained", "error.slide", "error.negative"):
        assert found.metrics[name][:3] == pytest.approx((0, 0, 0), abs=1e-10)
    for name in ("error_null", "error_identity", "error.slide_null", "error.negative_null"):
        assert found.metrics[name][:3] == (1, 1, 1)
    assert found.metrics["error_shuffled"].low > 1
    assert set(found.about) == {name.split(".")[0] for name in found.metrics if not name.endswith(CONTROLS)}


def test_the_action_of_another_pair_doubles_the_error(tmp_path):
    """Two independent actions of mean 0 lie twice as far apart, in squares, as one of them from none."""
    found = measure(tmp_path, perfect, available=200, parts={"slide": Slide()})
    assert found.metrics["error_shuffled"].value == pytest.approx(2, abs=0.15)


def test_a_blind_predictor_is_exactly_no_better_than_not_applying_the_action(tmp_path):
    found = measure(tmp_path, blind)
    for name in ("error", "error.slide", "error.negative", *(f"error{control}" for control in CONTROLS)):
        assert found.metrics[name][:3] == (1, 1, 1)
    assert found.metrics["error_identity"].exact, "by definition"
    assert not found.metrics["error"].exact, "of these images alone"
    unexplained = found.metrics["unexplained"]
    assert unexplained.value > 0.5
    assert all(found.metrics[f"unexplained{control}"] == unexplained for control in CONTROLS)


def test_half_of_the_way_leaves_a_quarter_of_the_error(tmp_path):
    found = measure(tmp_path, half)
    for name in ("error", "error.slide", "error.negative"):
        assert found.metrics[name][:3] == pytest.approx((0.25, 0.25, 0.25), abs=1e-6)
    assert found.metrics["unexplained"].value == pytest.approx(found.metrics["unexplained_identity"].value / 4, abs=1e-6)


def test_parts_tell_which_action_is_known(tmp_path):
    found = values(measure(tmp_path, knows_slides))
    assert found["error.slide"] == pytest.approx(0, abs=1e-10)
    assert found["error.negative"] == 1
    assert 0.1 < found["error"] < 0.99


@pytest.mark.parametrize("answer", [knows_slides, offset])
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_loops(answer, seed, tmp_path):
    found = values(measure(tmp_path, answer, seed, images=7, available=7, draws=3, chunk=3))
    expected = by_loops(answer, seed, 7, 3)
    assert min(expected.values()) > 1e-5
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_pairs_whose_sides_are_equal_are_no_part_of_an_action(tmp_path):
    found = measure(tmp_path, offset, parts={"slide": Slide(), "negative": Negative(p=0.1)}, draws=2, available=60)
    drawn = [Negative(p=0.1).sample(Draws(0, version, torch.arange(60), "error/pairs").stream("negative")).source for version in (0, 1)]
    assert found.metrics["error.negative"].n == int((torch.cat(drawn, 1) > 0).any(1).sum()) < 30
    assert found.metrics["error"].n == found.metrics["error.slide"].n == 60
    # Were they counted, an error where there is nothing to do would be set against no distance at all.
    always = measure(tmp_path, offset, parts={"slide": Slide(), "negative": Negative(p=1)}, draws=2, available=60)
    assert found.metrics["error.negative"].value == pytest.approx(always.metrics["error.negative"].value, rel=0.1)


def test_a_second_run_and_other_batches_give_the_same_numbers(tmp_path):
    first, second = (measure(tmp_path, half, seed=3) for _ in range(2))
    assert first.metrics == second.metrics != measure(tmp_path, half, seed=4).metrics
    assert values(measure(tmp_path, half, seed=3, chunk=7)) == pytest.approx(values(first), rel=1e-6)


def test_intervals_hold_the_value_and_one_image_has_none(tmp_path):
    metric = measure(tmp_path, offset).metrics["error"]
    assert metric.low < metric.value < metric.high
    assert metric.n == 40
    metric = measure(tmp_path, offset, available=1).metrics["error"]
    assert metric.low == 0 < metric.value < metric.high == math.inf, "one image tells nothing of others"


def test_bars_are_cut_where_one_would_hide_the_others(tmp_path):
    def far(tokens: Tensor, actions: Tensor) -> Tensor:
        return perfect(tokens, actions) + 2 * actions[..., 2:, None]

    found = measure(tmp_path, far)
    (chart,) = found.charts
    told, untold = chart.series
    assert told.x == untold.x == ["all", "slide", "negative"]
    assert told.y == [found.metrics[name].value for name in ("error", "error.slide", "error.negative")]
    assert (max(told.y) > 2, chart.longest) == (True, 2), "bars are cut, numbers are not"
    assert untold.y == [1, 1, 1]
    assert f"negative {found.metrics['error.negative'].value:.3g}" in chart.about
    assert chart.levels == {"action not applied": 1}
    assert "beyond" not in measure(tmp_path, half).charts[0].about


def test_progress_covers_both_passes(tmp_path):
    steps = []

    def track(items, label, total):
        for item in items:
            steps.append((label, total))
            yield item

    Error(images=20, draws=2, chunk=8).evaluate(KnownModel(), KnownData(0, 18), tmp_path, track)
    assert steps == [("error: mean target", 6)] * 6 + [("error", 6)] * 6


def test_what_cannot_be_measured(tmp_path):
    with pytest.raises(NotApplicable, match="no action"):
        measure(tmp_path, parts={})
    with pytest.raises(NotApplicable, match="latents of sources and targets do not differ"):
        measure(tmp_path, blind, constant=True)
    with pytest.raises(NotApplicable, match="latents of sources and targets do not differ"):
        measure(tmp_path, parts={"slide": Slide(strength=0)})
    with pytest.raises(ValueError, match="validation images, and this data has none"):
        measure(tmp_path, available=0)
    with pytest.raises(ValueError, match="not finite"):
        measure(tmp_path, lambda tokens, actions: perfect(tokens, actions) * math.nan)
    with pytest.raises(ValueError, match=r"^error\.draws must be"):
        Error(draws=0)


def test_an_action_of_another_output_size_and_one_number_less(tmp_path):
    """A model may see its views through an action that changes their size: nothing here assumes the size of the image."""

    @dataclass(kw_only=True)
    class Tile(Slide):
        def apply(self, images: Tensor, params: Tensor) -> Tensor:
            return super().apply(images, params).repeat(1, 1, 1, 2)[..., :8]

    assert values(measure(tmp_path, half, parts={"slide": Tile()}))["error"] == pytest.approx(0.25, abs=1e-6)


def test_n_counts_the_images_of_the_interval():
    above = torch.tensor([[0.0, 1.0], [3.0, 1.0], [0.0, 1.0]], dtype=torch.float64)
    one, all_three = ratio_metrics(above, torch.tensor([[0.0, 0.0], [2.0, 2.0], [0.0, 0.0]], dtype=torch.float64))
    assert one[:4] == (1.5, 0, math.inf, 1)
    assert all_three[:4] == (1.5, 0, math.inf, 3), "one distance to compare with tells no spread"
