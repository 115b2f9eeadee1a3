"""Dose response where several doses make one image: a perfect model moves as far as the truth, whatever an action rounds."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import PIXELS, SLIDE, KnownData, KnownModel, Slide, blind, checkers, moved, quiet, tokens_of
from iwm_evals.dose import Dose
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws


def measure(model, tmp_path, images=6, **fields):
    return flat(Dose(images=images, **fields).evaluate(model, KnownData(images=images), tmp_path, quiet))


@dataclass(kw_only=True)
class Shade(Action):
    """One number between -1 and 1 that brightens an image by a shape of it; told before or after it is shaped."""

    name = "shade"
    labels = ("shade",)
    identity = torch.zeros(1)

    shape: Callable[[Tensor], Tensor]
    told: Callable[[Tensor], Tensor] = lambda number: number

    def sample(self, draws: Draws) -> ActionParams:
        shade = draws.uniform(1, -1, 1)
        return ActionParams(torch.zeros_like(shade), shade)

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return images + 0.2 * self.shape(params)[:, :, None, None]

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return self.told(target) - self.told(source)


SHAPES = {
    "three steps": (lambda number: number.round(), (11, 4)),
    "seven steps": (lambda number: (3 * number).round() / 3, (11, 4, 21)),
    "saturates": (lambda number: number.clamp(max=0.3), (11,)),
    "saturates at both ends": (lambda number: number.clamp(-0.2, 0.5), (11,)),
    "moves all the way": (lambda number: number, (11,)),
}


@pytest.mark.parametrize("rounds_when_told", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_a_perfect_model_moves_as_far_as_the_truth_where_doses_make_one_image(name, rounds_when_told, tmp_path):
    shape, numbers = SHAPES[name]

    def answer(tokens: Tensor, actions: Tensor) -> Tensor:
        return tokens[:, None] + 0.2 * (actions if rounds_when_told else shape(actions))[..., None]

    action = Shade(shape=shape, told=shape) if rounds_when_told else Shade(shape=shape)
    for doses in numbers:
        found = measure(KnownModel(answer, parts={"shade": action}), tmp_path, doses=doses)
        assert found.metrics["dose"] == pytest.approx((1, 1, 1, 6), abs=1e-4)
        assert found.metrics["dose_error"] == pytest.approx((0, 0, 0, 6), abs=1e-9)
        assert found.metrics["dose_error_null"].value == pytest.approx(1)
        moved = shape(torch.linspace(*found.settings["ranges"]["shade.shade"], doses)).unique().double()
        others = (moved[:, None] - moved).square().sum() / (len(moved) - 1)
        assert found.metrics["dose_error_shuffled"].value == pytest.approx(float(others / moved.square().sum()), rel=1e-3)
        predicted, truth, _ = found.charts[0].series
        assert predicted.y == pytest.approx(truth.y, abs=1e-4)
        still = measure(KnownModel(blind, parts={"shade": action}), tmp_path, doses=doses).metrics
        assert (still["dose"].value, still["dose_error_shuffled"].value) == pytest.approx((0, 1))


def test_a_turn_that_comes_back_to_its_beginning_is_read_there(tmp_path):
    """Quarter turns from one half to the other, which is the same: the path of four versions has one end at each."""

    class Turn(Shade):
        def apply(self, images: Tensor, params: Tensor) -> Tensor:
            angle = (2 * params).round().remainder(4) * math.pi / 2
            return images + SLIDE * torch.einsum("bp,pchw->bchw", torch.cat([angle.cos() - 1, angle.sin()], 1), checkers())

    turn = Turn(shape=torch.round)

    def answer(tokens: Tensor, actions: Tensor) -> Tensor:
        still = torch.zeros(len(tokens), 3, PIXELS, PIXELS)
        return torch.stack([tokens + tokens_of(turn.apply(still, column)) for column in actions.unbind(1)], 1)

    for doses in (5, 9, 11):
        found = measure(KnownModel(answer, parts={"shade": turn}), tmp_path, doses=doses)
        assert found.metrics["dose"] == pytest.approx((1, 1, 1, 6), abs=1e-4)
        assert found.charts[0].series[1].y[-1] == pytest.approx(found.charts[0].series[1].y[0])


def test_doses_of_one_image_stand_for_the_middle_of_them(tmp_path):
    """Half of a step leads half of the way between the middles of two."""
    half_a_step = KnownModel(
        lambda tokens, actions: tokens[:, None] + 0.1 * actions.round()[..., None], parts={"shade": Shade(shape=SHAPES["three steps"][0])}
    )
    found = measure(half_a_step, tmp_path)
    assert found.metrics["dose"].value == pytest.approx(0.5, abs=1e-5)
    middle = found.settings["ranges"]["shade.shade"][1] * 0.8  # of 0.6, 0.8, 1 of the range
    assert found.charts[0].series[1].y == pytest.approx([-middle] * 3 + [0] * 5 + [middle] * 3, abs=2e-3)


def test_an_image_that_no_dose_changes_asks_nothing(tmp_path):
    class Dark(Shade):
        """Leaves images alone whose first pixel is dark."""

        def apply(self, images: Tensor, params: Tensor) -> Tensor:
            return torch.where(images[:, :1, :1, :1] < 0.5, images, super().apply(images, params))

    parts = {"shade": Dark(shape=lambda number: number), "slide": Slide(strength=0.3)}

    def answer(tokens: Tensor, actions: Tensor) -> Tensor:
        return moved(tokens, actions[..., 1:], 1.0) + 0.1 * actions[..., :1, None]

    found = measure(KnownModel(answer, parts=parts), tmp_path, images=20).metrics
    assert 2 < found["dose.shade.shade"].n == found["dose_error.shade.shade"].n < 20
    assert found["dose.shade.shade"].value == pytest.approx(0.5, abs=1e-5)
    assert found["dose_error.shade.shade"].value == pytest.approx(0.25, abs=1e-5)
    assert found["dose"].n == found["dose.slide.rows"].n == 20
