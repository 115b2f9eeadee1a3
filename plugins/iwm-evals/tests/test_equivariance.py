"""Equivariance and invariance in worlds that show a known part of the action."""

import math

import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import WIDTH, KnownData, KnownModel, Negative, Slide, checkers, quiet, tokens_of
from iwm_evals.equivariance import Equivariance
from torch import Tensor

from iwm_core.interfaces import NotApplicable

ALONG = tokens_of(checkers())[:, 0] / math.sqrt(WIDTH)
"""The directions of the slides in a token, [2, d], of length 1."""


def measure(model, tmp_path, data=None, **fields):
    return flat(Equivariance(**fields).evaluate(model, data or KnownData(), tmp_path, quiet))


class Shown(KnownModel):
    """What the encoder shows of tokens of pixels, by a function of the components along the slides and of the rest."""

    def __init__(self, show, parts=None) -> None:
        super().__init__(parts={"slide": Slide()} if parts is None else parts)
        self.show = show

    def encode(self, images: Tensor) -> Tensor:
        tokens = super().encode(images)
        along = tokens @ ALONG.T
        return self.show(along, tokens - along @ ALONG)


def all_of_it(along: Tensor, rest: Tensor) -> Tensor:
    return along @ ALONG + rest


def nothing_of_slides(along: Tensor, rest: Tensor) -> Tensor:
    return rest.mul(1e4).round() / 1e4  # nor of the rounding of what was taken away


def slides_alone(along: Tensor, rest: Tensor) -> Tensor:
    """The whole image's slides; pixels of one image hardly spread along them."""
    return along @ ALONG


class Paper(KnownData):
    """White images: nothing but the action is in them."""

    def batches(self, split, count, size):
        for batch in super().batches(split, count, size):
            yield batch._replace(images=torch.full_like(batch.images, 0.5))


def test_features_that_are_linear_in_the_action_give_all_of_it(tmp_path):
    """What an image itself has along the slides is in source and target alike, so that it does not disturb."""
    for data in (Paper(), KnownData()):
        found = measure(Shown(all_of_it), tmp_path, data)
        metrics = found.metrics
        for name in ("equivariance", "equivariance.slide.columns", "equivariance.slide.rows"):
            assert metrics[name] == pytest.approx((1, 1, 1, 100), abs=1e-6)
            assert metrics[f"{name}_raw"] == pytest.approx((1, 1, 1, 100), abs=1e-6), "so do pixels"
            assert metrics[f"{name}_colour"].value < 0.99, "and colours do not"
        assert metrics["equivariance_chance"] == (0, 0, 0, 100)
    assert found.summary.startswith("the action is read from the features with R² 1.00 (from pixels 1.00)")


def test_an_encoder_that_is_blind_to_the_action_gives_nothing_and_is_invariant(tmp_path):
    metrics = measure(Shown(nothing_of_slides), tmp_path, KnownData(train=2000)).metrics
    blank = measure(Shown(nothing_of_slides), tmp_path, Paper()).metrics
    for name in ("equivariance", "equivariance.slide.columns", "equivariance.slide.rows"):
        assert metrics[name].value == pytest.approx(0, abs=0.03)
        assert blank[name] == pytest.approx((0, 0, 0, 100), abs=1e-9), "exactly, where nothing else varies"
    for name in ("invariance", "invariance.slide"):
        assert metrics[name] == pytest.approx((1, 1, 1, 100), abs=1e-6)
        assert metrics[f"{name}_raw"].value < 0.9, "pixels are not"


def test_an_encoder_that_shows_nothing_but_the_action_is_not_invariant(tmp_path):
    """Source and target are drawn independently: as alike as those of two images."""
    metric = measure(Shown(slides_alone), tmp_path).metrics["invariance"]
    assert abs(metric.value) < 0.15
    assert metric.low < 0 < metric.high


def test_numbers_are_read_one_by_one(tmp_path):
    def rows_alone(along: Tensor, rest: Tensor) -> Tensor:
        return along[..., 1:] @ ALONG[1:]

    metrics = measure(Shown(rows_alone), tmp_path, Paper()).metrics
    assert metrics["equivariance.slide.columns"].value == pytest.approx(0, abs=0.03)
    assert metrics["equivariance.slide.rows"].value == pytest.approx(1, abs=1e-6)
    mean = (metrics["equivariance.slide.columns"].value + metrics["equivariance.slide.rows"].value) / 2
    assert metrics["equivariance"].value == pytest.approx(mean, abs=1e-9)


def test_an_encoder_that_shows_signs_gives_three_quarters(tmp_path):
    """Of u uniform in [-1, 1], sign(u) explains E[|u|]² = 1/4 of a variance of 1/3."""

    def signs(along: Tensor, rest: Tensor) -> Tensor:
        return along.sign() @ ALONG

    metric = measure(Shown(signs), tmp_path, Paper(images=400, train=1500), draws=4).metrics["equivariance"]
    assert metric.value == pytest.approx(0.75, abs=0.02)
    assert metric.low < 0.75 < metric.high


def test_a_constant_encoder_knows_nothing_and_is_not_praised_for_it(tmp_path):
    metrics = measure(KnownModel(constant=True, parts={"slide": Slide()}), tmp_path).metrics
    assert metrics["equivariance"] == pytest.approx((0, 0, 0, 100), abs=0.02)
    assert metrics["invariance"] == (0, 0, 0, 100)


def test_each_action_is_judged_by_itself(tmp_path):
    parts = {"slide": Slide(), "negative": Negative()}
    metrics = measure(Shown(nothing_of_slides, parts), tmp_path).metrics
    assert metrics["invariance.slide"].value == pytest.approx(1, abs=1e-6)
    # A negative is the opposite of its image, which is further than another image.
    assert metrics["invariance.negative"].value == pytest.approx(-1, abs=0.1)
    assert metrics["invariance.negative"].value < metrics["invariance"].value < 1
    assert "equivariance.negative.undo" in metrics


def test_a_number_that_never_varies_is_left_out(tmp_path):
    found = measure(KnownModel(parts={"slide": Slide(), "negative": Negative(p=0.0)}), tmp_path)
    assert "equivariance.slide.rows" in found.metrics
    assert not [name for name in found.metrics if "negative" in name]
    assert set(found.charts[1].series[0].x) == {"slide.columns", "slide.rows"}


def test_where_sources_are_made_from_targets_pairs_differ_by_the_source(tmp_path):
    class FromTarget(Shown):
        def views(self, images, params, target=None):
            return self.actions.views(images, params, "target", target)

    metrics = measure(FromTarget(nothing_of_slides, {"slide": Slide(), "negative": Negative(p=0.4)}), tmp_path, draws=1).metrics
    assert metrics["invariance.slide"] == pytest.approx((1, 1, 1, 100), abs=1e-6)
    assert 25 < metrics["invariance.negative"].n < 55
    assert measure(FromTarget(all_of_it), tmp_path, Paper()).metrics["equivariance"].value == pytest.approx(1, abs=1e-6)


def test_numbers_do_not_depend_on_chunks_and_are_the_same_again(tmp_path):
    model, data = KnownModel(), KnownData(images=30, train=60)
    first = measure(model, tmp_path, data)
    assert measure(model, tmp_path, data) == first
    chunked = measure(model, tmp_path, data, chunk=7).metrics
    for name, metric in chunked.items():
        assert metric == pytest.approx(first.metrics[name], rel=1e-5, abs=1e-6)
    assert measure(model, tmp_path, KnownData(seed=1, images=30, train=60)).metrics != first.metrics


def test_charts_hold_the_metrics(tmp_path):
    found = measure(KnownModel(), tmp_path, KnownData(images=30, train=60))
    position, numbers, invariance = found.charts
    assert [series.label for series in position.series] == ["features", "raw pixels", "colours alone"]
    for series, ending in zip(position.series, ("", "_raw", "_colour"), strict=True):
        assert (series.x, series.y) == ([found.metrics[f"invariance{ending}"].value], [found.metrics[f"equivariance{ending}"].value])
    assert numbers.series[0].x == ["slide.columns", "slide.rows", "negative.undo"]
    assert invariance.series[2].y == [found.metrics[f"invariance.{name}_colour"].value for name in ("slide", "negative")]
    assert set(found.about) == {"equivariance", "invariance"}


def test_what_cannot_be_measured(tmp_path):
    with pytest.raises(NotApplicable, match="has no action"):
        measure(KnownModel(parts={}), tmp_path)
    with pytest.raises(NotApplicable, match="no number of this recipe's action varies"):
        measure(KnownModel(parts={"slide": Slide(strength=0.0)}), tmp_path)
    with pytest.raises(NotApplicable, match="2 are too few"):
        measure(KnownModel(), tmp_path, KnownData(images=2))
    with pytest.raises(NotApplicable, match="at least 10 training images"):
        measure(KnownModel(), tmp_path, KnownData(train=5))
    with pytest.raises(ValueError, match="this data has none"):
        measure(KnownModel(), tmp_path, KnownData(images=0))
    with pytest.raises(ValueError, match="not finite"):
        measure(Shown(lambda along, rest: math.nan * rest), tmp_path)


def test_one_patch_and_three_images(tmp_path):
    found = measure(Shown(lambda along, rest: all_of_it(along, rest).mean(1, keepdim=True)), tmp_path, KnownData(images=3, train=10))
    assert found.settings["images"] == 3
    assert found.settings["train"] == 10
    assert all(metric.low <= metric.value <= metric.high for metric in found.metrics.values())
