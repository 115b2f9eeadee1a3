"""Controls of actions that nobody has told the page of: their ranges, labels and units are the actions' own."""

from dataclasses import dataclass

import pytest
import torch
from iwm_crop.flip import Flip
from iwm_devkit.known_model import PAIRED, KnownModel, Negative, Slide
from iwm_explore.controls import OBSERVED, SOURCE, TARGET, controls_of, drawn_values, sides
from iwm_photometric.blur import Blur
from iwm_photometric.jitter import Jitter

from iwm_core.interfaces import Action, ActionParams, UserError


@dataclass(kw_only=True)
class Dial(Action):
    """A third party's action: two parameters, three numbers, and one of its parameters takes three values."""

    name = "dial"
    labels = ("up", "down", "turns")
    identity = torch.tensor([0.5, 0.0])

    def sample(self, draws):
        drawn = torch.cat([draws.uniform(1, 0, 3), draws.integers(3).float() - 1], 1)
        return ActionParams(drawn, drawn.flip(0))

    def apply(self, images, params):
        return images

    def encode(self, source, target):
        up, turns = (target - source).div(3).split(1, 1)
        return torch.cat([up.clamp(min=0), (-up).clamp(min=0), turns], 1)


def of(*actions):
    return controls_of(KnownModel(parts={action.name: action for action in actions}), 0)


def test_a_parameter_of_a_target_is_a_slider_and_of_a_source_alone_something_to_undo():
    columns, rows, negative = of(Slide(), Negative())
    assert [(one.label, one.side, one.low, one.high, one.rest) for one in (columns, rows)] == [
        ("columns", TARGET, -1, 1, 0),
        ("rows", TARGET, -1, 1, 0),
    ]
    assert (negative.label, negative.side, negative.is_switch, negative.on) == ("negative", SOURCE, True, 1)


def test_ranges_and_units_are_those_of_the_recipes_options():
    brightness, hue = of(Jitter(brightness=0.6, contrast=0, saturation=0, hue=0.2))
    assert (brightness.low, brightness.high, brightness.rest) == (0.4, 1.6, 1), "what never varies has no control"
    assert (hue.low, hue.high, hue.step) == (-0.2, 0.2, 0.001)
    assert [brightness.words(1.3), hue.words(-0.1)] == ["×1.30", "−0.10 turns"]
    (blur,) = of(Blur(sigma=[0.5, 2.0]))
    assert (blur.low, blur.high, blur.rest, blur.side) == (0, 2, 0, SOURCE)


def test_few_values_are_chosen_from():
    (flip,) = of(Flip())
    assert flip.is_switch
    dial, turns = of(Dial())
    assert (dial.label, dial.low, dial.high, dial.rest, dial.values) == ("dial 0", 0, 3, 0.5, ())
    assert (turns.label, turns.values, turns.is_switch) == ("dial 1", (-1, 0, 1), False)


def test_an_observed_action_has_the_ranges_that_its_data_declare():
    columns, _ = controls_of(KnownModel(parts=PAIRED), 0)
    assert (columns.label, columns.side, columns.low, columns.high) == ("columns", OBSERVED, -0.5, 0.5)


def test_values_become_parameters_of_their_side():
    model = KnownModel()
    controls = controls_of(model, 0)
    params = sides(model, controls, [0.3, 0.004, 1.0])
    assert params.target[0].tolist() == pytest.approx([0.3, 0, 0], abs=1e-6), "less than half a step from rest is at rest"
    assert params.source.tolist() == [[0, 0, 1]]
    with pytest.raises(ValueError, match="columns goes from -1 to 1, got 1.2"):
        sides(model, controls, [1.2, 0, 0])
    with pytest.raises(ValueError, match="got nan"):
        sides(model, controls, [float("nan"), 0, 0])


def test_every_draw_of_training_can_be_shown():
    model = KnownModel(parts={"dial": Dial(), "jitter": Jitter(), "blur": Blur()})
    controls = controls_of(model, 0)
    drawn = [drawn_values(model, controls, number) for number in range(50)]
    for values in drawn:
        sides(model, controls, values)
    assert len({tuple(values) for values in drawn}) == 50


def test_a_recipe_without_actions_has_no_controls():
    from iwm_explore.explorer import Explorer

    assert controls_of(KnownModel(parts={}), 0) == []
    with pytest.raises(UserError, match="nothing to imagine"):
        Explorer(KnownModel(parts={}))
