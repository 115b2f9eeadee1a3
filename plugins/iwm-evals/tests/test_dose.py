"""Dose response on worlds whose truth is known."""

import math
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import SLIDE, KnownData, KnownModel, Negative, Slide, blind, half, moved, perfect, quiet
from iwm_evals.dose import Dose
from iwm_evals.scores.response import read_doses
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, NotApplicable, option

NAMES = ("", ".slide.columns", ".slide.rows")


def measure(model, tmp_path, images=6, seed=0, **fields):
    return flat(Dose(images=images, **fields).evaluate(model, KnownData(seed=seed, images=images), tmp_path, quiet))


@pytest.mark.parametrize(("answer", "share"), [(perfect, 1.0), (half, 0.5), (blind, 0.0), (lambda t, a: moved(t, a, -0.25), -0.25)])
def test_every_number_has_its_analytic_value(answer, share, tmp_path):
    found = measure(KnownModel(answer), tmp_path)
    assert list(found.metrics) == [*(f"dose{n}" for n in NAMES), *(f"dose_error{n}{c}" for n in NAMES for c in ("", "_shuffled", "_null"))]
    for name in NAMES:
        for metric, expected in (
            (f"dose{name}", share),
            (f"dose_error{name}", (1 - share) ** 2),
            (f"dose_error{name}_null", 1.0),
        ):
            assert found.metrics[metric] == pytest.approx((expected, expected, expected, 6), abs=1e-5)
    if answer is blind:
        assert [found.metrics[f"dose{name}"].value for name in NAMES] == [0.0] * 3
        assert [found.metrics[f"dose_error{name}"].value for name in NAMES] == pytest.approx([1.0] * 3, abs=1e-12)


@pytest.mark.parametrize("doses", [3, 11])
def test_told_another_dose_a_perfect_predictor_goes_there(doses, tmp_path):
    found = measure(KnownModel(), tmp_path, doses=doses)
    for name in ("slide.columns", "slide.rows"):
        asked = torch.linspace(*found.settings["ranges"][name], doses, dtype=torch.float64)
        apart = (asked[:, None] - asked).square().sum() / (doses - 1)
        assert found.metrics[f"dose_error.{name}_shuffled"].value == pytest.approx(float(apart / asked.square().sum()), abs=1e-5)
    nothing = measure(KnownModel(blind), tmp_path, doses=doses).metrics["dose_error_shuffled"].value
    assert nothing == pytest.approx(1.0, abs=1e-12)


def test_a_blur_at_right_angles_is_error_and_moves_no_reading(tmp_path):
    bias = 0.05
    found = measure(KnownModel(lambda tokens, actions: perfect(tokens, actions) + bias), tmp_path)
    for name in ("slide.columns", "slide.rows"):
        asked = torch.linspace(*found.settings["ranges"][name], 11, dtype=torch.float64)
        blur = 11 * bias**2 / (SLIDE**2 * float(asked.square().sum()))  # patterns of +1 and -1, whose sum is 0
        assert found.metrics[f"dose.{name}"].value == pytest.approx(1.0, abs=1e-5)
        assert found.metrics[f"dose_error.{name}"].value == pytest.approx(blur, rel=1e-4)
        assert found.metrics[f"dose_error.{name}_null"].value == pytest.approx(1 + blur, rel=1e-4)


def test_the_whole_range_is_swept(tmp_path):
    found = measure(KnownModel(parts={"slide": Slide(strength=0.3), "negative": Negative()}), tmp_path)
    assert list(found.settings["ranges"]) == ["slide.columns", "slide.rows"]
    for ends in found.settings["ranges"].values():
        assert ends == pytest.approx([-0.3, 0.3], abs=1e-3)


def test_charts_show_the_dose_read_beside_the_truth(tmp_path):
    found = measure(KnownModel(half), tmp_path)
    assert [chart.name for chart in found.charts] == ["dose_slide_columns", "dose_slide_rows"]
    for chart, name in zip(found.charts, NAMES[1:], strict=True):
        assert chart.kind == "lines"
        assert name[1:] in chart.title
        predicted, truth, nothing = chart.series
        assert truth.x == truth.y == predicted.x
        assert truth.x == pytest.approx(torch.linspace(*found.settings["ranges"][name[1:]], 11).tolist())
        assert predicted.y == pytest.approx([x / 2 for x in truth.x], abs=1e-5)
        assert all(low <= y <= high for low, y, high in zip(predicted.low, predicted.y, predicted.high, strict=True))
        assert nothing.y == pytest.approx([0.0] * 11, abs=1e-6)
    assert found.summary.startswith("predictions move by 0.50 (0.50 to 0.50) where the truth moves by 1, least with slide.")
    assert found.summary.endswith("; their squared error is 0.25 times that of not moving, 1.00 times with the null action")


def arc(doses):
    """A curved trajectory in four dimensions."""
    return torch.stack([doses.cos(), doses.sin(), doses.square(), torch.zeros_like(doses)], -1)


def test_readings_agree_with_a_fine_search_along_the_trajectory():
    doses = torch.linspace(-1, 2, 7, dtype=torch.float64)
    path = arc(doses)
    fine = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    places = torch.cat([a + fine * (b - a) for a, b in pairwise(path)])
    at = torch.cat([a + fine[:, 0] * (b - a) for a, b in pairwise(doses)])
    points = Draws(0, 0, torch.arange(50)).uniform(4, -1.5, 4.5).double()
    expected = at[torch.cdist(points, places).argmin(1)]
    torch.testing.assert_close(read_doses(points, path, doses), expected, atol=1e-3, rtol=0)


def test_what_lies_on_the_trajectory_is_read_exactly_and_what_lies_beside_it_moves_nothing():
    doses = torch.tensor([0.0, 0.5, 2.0, 3.0], dtype=torch.float64)
    path = arc(doses)
    between = (path[1] * 0.25 + path[2] * 0.75)[None]
    points = torch.cat([path, between])
    expected = torch.tensor([0.0, 0.5, 2.0, 3.0, 1.625], dtype=torch.float64)
    torch.testing.assert_close(read_doses(points, path, doses), expected)
    beside = torch.tensor([0.0, 0.0, 0.0, 9.0], dtype=torch.float64)
    torch.testing.assert_close(read_doses(points + beside, path, doses), expected)
    assert read_doses(path[-1:] * 3 - path[-2:-1] * 2, path, doses).tolist() == [3.0]  # beyond the last dose


@dataclass(kw_only=True)
class Switch(Action):
    """Parameters that are no labels: a shade in one of three steps, one that never varies, and one that changes nothing."""

    name = "switch"
    labels = ("brighter",)
    identity = torch.zeros(3)

    steps: int = option(3, "values of the shade")

    def sample(self, draws: Draws) -> ActionParams:
        shade = draws.integers(self.steps).float() * 0.1
        idle = draws.uniform(1)
        target = torch.cat([shade, torch.zeros_like(shade), idle], 1)
        return ActionParams(torch.zeros_like(target), target)

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return images + params[:, :1, None, None]

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return (target - source)[:, :1]


def shaded(tokens: Tensor, actions: Tensor) -> Tensor:
    return tokens[:, None] + actions[..., None]


def test_few_values_are_the_doses_and_what_moves_nothing_is_left_out(tmp_path):
    found = measure(KnownModel(shaded, parts={"switch": Switch()}), tmp_path)
    assert found.settings["ranges"] == {"switch.0": pytest.approx([0.0, 0.2])}
    assert found.charts[0].series[0].x == pytest.approx([0.0, 0.1, 0.2])
    assert found.metrics["dose.switch.0"].value == pytest.approx(1.0, abs=1e-5)
    assert found.metrics["dose_error.switch.0"].value == pytest.approx(0.0, abs=1e-9)


def test_passes_and_a_second_run_change_nothing(tmp_path):
    def wavy(tokens: Tensor, actions: Tensor) -> Tensor:
        return perfect(tokens, actions) + 0.03 * torch.sin(30 * tokens[:, None] + 5 * actions.sum(-1)[..., None, None])

    first, second, small, other = (
        measure(KnownModel(wavy), tmp_path, seed=seed, chunk=chunk) for seed, chunk in ((0, 64), (0, 64), (0, 5), (1, 64))
    )
    assert first.metrics == second.metrics != other.metrics
    assert first.charts == second.charts
    assert {n: m.value for n, m in first.metrics.items()} == pytest.approx({n: m.value for n, m in small.metrics.items()}, abs=1e-5)
    slope = first.metrics["dose.slide.rows"]
    assert slope.low < slope.value < slope.high


def test_passes_are_bounded(tmp_path):
    most = []

    def counted(tokens: Tensor, actions: Tensor) -> Tensor:
        most.append(actions.shape[1])
        return perfect(tokens, actions)

    measure(KnownModel(counted), tmp_path, images=1, chunk=5)
    assert max(most) == 5
    assert sum(most) == 2 * 11 + 1  # the doses of two parameters, and nothing


@pytest.mark.parametrize("parts", [{}, {"negative": Negative()}, {"slide": Slide(strength=0)}])
def test_nothing_to_vary(parts, tmp_path):
    with pytest.raises(NotApplicable, match="no action of this recipe changes a target"):
        measure(KnownModel(parts=parts), tmp_path)


def test_a_constant_encoder_has_no_trajectory(tmp_path):
    with pytest.raises(NotApplicable, match="moves the latents of this model: has its encoder collapsed"):
        measure(KnownModel(constant=True), tmp_path)


def test_what_cannot_be_measured(tmp_path):
    with pytest.raises(ValueError, match="validation images, and this data has none"):
        Dose().evaluate(KnownModel(), KnownData(images=0), tmp_path, quiet)
    with pytest.raises(ValueError, match="not finite"):
        measure(KnownModel(lambda tokens, actions: perfect(tokens, actions) * math.nan), tmp_path)
    with pytest.raises(ValueError, match=r"^dose.doses must be at least 3"):
        Dose(doses=2)
