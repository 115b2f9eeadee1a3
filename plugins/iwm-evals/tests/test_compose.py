"""Composition on worlds whose truth is known: slides add up, so two of them are one."""

import math

import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import (
    PIXELS,
    SLIDE,
    KnownData,
    KnownModel,
    Negative,
    Slide,
    blind,
    half,
    moved,
    perfect,
    quiet,
    tokens_of,
)
from iwm_evals.compose import Compose, fit_reentry
from torch import Tensor

from iwm_core.interfaces import Draws, NotApplicable

STEPS = ("once", "twice", "second", "reentered")
NUMBERS = 3 * PIXELS * PIXELS


def measure(model, tmp_path, images=8, seed=0, **fields):
    return flat(Compose(images=images, fit=20, **fields).evaluate(model, KnownData(seed=seed, images=images), tmp_path, quiet))


def drawn(images, pairs=2, seed=0):
    """Both targets of each image and pair, [images, pairs, 2], as the evaluator draws them."""
    index = torch.arange(images)
    both = []
    for side in ("first", "second"):
        versions = [Draws(seed, torch.full_like(index, pair), index, f"compose/{side}") for pair in range(pairs)]
        both.append(torch.stack([KnownModel().actions.sample(version).target[:, :2] for version in versions], 1))
    return both


@pytest.mark.parametrize(("answer", "left"), [(perfect, 0.0), (half, 0.25), (blind, 1.0)])
def test_every_number_has_its_analytic_value(answer, left, tmp_path):
    found = measure(KnownModel(answer), tmp_path).metrics
    assert list(found) == [
        *(f"compose.{name}" for name in ("once", "once_null", "twice", "twice_null", "difference")),
        *(f"compose.{name}" for name in ("second", "second_null", "reentered", "reentered_null")),
        "reentry",
    ]
    for step in STEPS:
        assert found[f"compose.{step}"] == pytest.approx((left, left, left, 8), abs=1e-5)
        assert found[f"compose.{step}_null"] == pytest.approx((1, 1, 1, 8), abs=1e-5)
    assert found["compose.difference"] == pytest.approx((0, 0, 0, 8), abs=1e-9)
    assert found["reentry"] == pytest.approx((1, 1, 1, 8), abs=1e-9)


def test_an_error_that_adds_up_is_twice_as_long_after_two_steps(tmp_path):
    bias = 0.05

    def drifting(tokens: Tensor, actions: Tensor) -> Tensor:
        return perfect(tokens, actions) + bias

    found = measure(KnownModel(drifting), tmp_path).metrics
    first, second = drawn(8)
    error = 8 * 2 * NUMBERS * bias**2
    # The two patterns are of +1 and -1 and orthogonal.
    moved_whole = float(NUMBERS * SLIDE**2 * second.square().sum())
    moved_second = float(NUMBERS * SLIDE**2 * (second - first).square().sum())
    expected = {
        "once": error / moved_whole,
        "twice": 4 * error / moved_whole,
        "difference": error / moved_whole,
        "second": error / moved_second,
        "reentered": error / moved_second,
    }
    assert {name: found[f"compose.{name}"].value for name in expected} == pytest.approx(expected, rel=1e-4)
    for name in expected:
        assert found[f"compose.{name}"].low < expected[name] < found[f"compose.{name}"].high


class Scaled(KnownModel):
    """A source's channels have scales and offsets of their own; targets and predictions have not."""

    gain = torch.linspace(0.5, 3, 48)

    def encode(self, images: Tensor) -> Tensor:
        return (tokens_of(images) - 0.5) * self.gain + 2

    def targets(self, images: Tensor) -> Tensor:
        return tokens_of(images) - 0.5

    def predict(self, tokens: Tensor, actions: Tensor) -> Tensor:
        return moved((tokens - 2) / self.gain, actions, 1.0)


def test_predictions_come_back_as_sources_through_the_map(tmp_path):
    found = measure(Scaled(), tmp_path).metrics
    for name in (*STEPS, "difference"):
        assert found[f"compose.{name}"].value == pytest.approx(0, abs=1e-6)
    assert found["reentry"].value == pytest.approx(1, abs=1e-6)
    reentry = fit_reentry(Scaled(), KnownData().batches("train", 40, 7))
    torch.testing.assert_close(reentry.gain, Scaled.gain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(reentry.offset, torch.full((48,), 2.0), rtol=1e-4, atol=1e-4)


class Forgetful(KnownModel):
    """Targets know nothing of the last channels, and halve the others of every other token."""

    def targets(self, images: Tensor) -> Tensor:
        tokens = self.encode(images).clone()
        tokens[:, :, 30:] = 0.7
        tokens[:, ::2] /= 2
        return tokens


def test_what_the_map_cannot_bring_back_is_told_as_its_r2(tmp_path):
    """Against a line fitted to each channel by itself."""
    model, data = Forgetful(), KnownData(images=8)
    clean = torch.cat([batch.images for batch in data.batches("train", 20, 20)])
    x, y = (side(clean).flatten(0, 1).double() for side in (model.targets, model.encode))
    first, _ = drawn(8)
    images = next(iter(data.batches("validation", 8, 8))).images
    views = torch.cat([model.actions.apply_target(images, torch.cat([first[:, pair], torch.zeros(8, 1)], 1)) for pair in range(2)])
    wrong = scatter = 0.0
    for channel in range(48):
        ones = torch.ones(len(x), dtype=torch.float64)
        line = torch.linalg.pinv(torch.stack([x[:, channel], ones], 1)) @ y[:, channel]
        got, true = (side(views).double()[:, :, channel] for side in (model.targets, model.encode))
        wrong += float((line[0] * got + line[1] - true).square().sum())
        scatter += float((true - y[:, channel].mean()).square().sum())
    found = measure(model, tmp_path).metrics["reentry"]
    assert 0.2 < 1 - wrong / scatter < 0.9
    assert found.value == pytest.approx(1 - wrong / scatter, abs=1e-4)
    assert found.low < found.value < found.high


def test_chart_and_summary(tmp_path):
    found = measure(KnownModel(half), tmp_path)
    (chart,) = found.charts
    told, nothing = chart.series
    assert chart.kind == "bars"
    assert chart.levels == {"not moving": 1.0}
    assert told.y == pytest.approx([0.25, 0.25, 0.25, 0.25, 0.0], abs=1e-5)
    assert nothing.y == pytest.approx([1.0] * 4, abs=1e-5)
    assert told.x == [*nothing.x, "between one step and two"]
    assert "the squared error of two steps is 0.25 (0.25 to 0.25) times that of not moving, of one step 0.25" in found.summary
    assert found.summary.endswith("R² of 1.00")
    assert set(found.about) == {"compose", "reentry"}


def test_passes_and_a_second_run_change_nothing(tmp_path):
    def wavy(tokens: Tensor, actions: Tensor) -> Tensor:
        return perfect(tokens, actions) + 0.03 * torch.sin(30 * tokens[:, None] + 5 * actions.sum(-1)[..., None, None])

    first, second, small, other = (
        measure(KnownModel(wavy), tmp_path, seed=seed, chunk=chunk) for seed, chunk in ((0, 64), (0, 64), (0, 3), (1, 64))
    )
    assert first.metrics == second.metrics != other.metrics
    assert {n: m.value for n, m in first.metrics.items()} == pytest.approx({n: m.value for n, m in small.metrics.items()}, abs=1e-5)


def test_passes_are_bounded(tmp_path):
    most = []

    def counted(tokens: Tensor, actions: Tensor) -> Tensor:
        most.append(len(tokens) * actions.shape[1])
        return perfect(tokens, actions)

    measure(KnownModel(counted), tmp_path, images=8, chunk=10, pairs=3)
    assert max(most) == 9  # three images, three actions
    assert sum(most) == 8 * 3 * (3 + 2 + 2 + 1 + 1)


def test_fewer_images_than_asked(tmp_path):
    found = flat(Compose().evaluate(KnownModel(), KnownData(images=1, train=2), tmp_path, quiet))
    assert (found.settings["images"], found.settings["fit"], found.metrics["compose.once"].n) == (1, 2, 1)


@pytest.mark.parametrize("parts", [{}, {"negative": Negative()}, {"slide": Slide(strength=0)}])
def test_nothing_to_compose(parts, tmp_path):
    with pytest.raises(NotApplicable, match="no action of this recipe changes a target"):
        measure(KnownModel(parts=parts), tmp_path)


def test_a_constant_encoder_goes_nowhere(tmp_path):
    with pytest.raises(NotApplicable, match="moves the latents of this model: has its encoder collapsed"):
        measure(KnownModel(constant=True), tmp_path)


@pytest.mark.parametrize("counts", [{"images": 0}, {"train": 0}])
def test_no_images(counts, tmp_path):
    with pytest.raises(ValueError, match="this data has none"):
        Compose().evaluate(KnownModel(), KnownData(**counts), tmp_path, quiet)


def test_a_diverged_model_is_not_given_a_number(tmp_path):
    with pytest.raises(ValueError, match="not finite"):
        measure(KnownModel(lambda tokens, actions: perfect(tokens, actions) * math.nan), tmp_path)
