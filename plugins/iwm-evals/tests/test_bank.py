"""The bank of an image: distinct, reproducible."""

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_devkit.known_model import KnownModel, Negative, Slide
from iwm_evals.questions.bank import banked_parts, draw_bank, first_of_each
from iwm_evals.questions.parts import Part, each_action, each_parameter, whole
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws
from iwm_core.model.actions import ActionSequence

CPU = torch.device("cpu")
ALL = Part("", torch.tensor([True]))


@dataclass(kw_only=True)
class Lights(Action):
    """A gain in ``steps`` equal steps, applied to four targets in five; the source goes its own way."""

    name = "lights"
    labels = ("gain",)
    identity = torch.tensor([1.0])
    steps: int = 2**20

    def sample(self, draws: Draws) -> ActionParams:
        gain = 0.5 + draws.integers(self.steps, 2) / self.steps
        target = torch.where(draws.bernoulli(0.8), gain[:, :1], self.identity)
        return ActionParams(gain[:, 1:], target)

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return images * params[:, :, None, None]

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return target - source


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12))
def test_first_of_each_is_the_order_of_a_dictionary(rows):
    expected = [rows.index(row) for row in dict.fromkeys(rows)]
    assert first_of_each(torch.tensor(rows, dtype=torch.float32)).tolist() == expected


@pytest.mark.parametrize("size", [2, 64, 256])
def test_elements_are_distinct_and_encoded_from_the_clean_image(size):
    bank = draw_bank(Lights(), ALL, 0, 7, size, CPU)
    assert len(bank.params) == len(bank.actions) == size
    assert len(bank.actions.unique()) == size
    assert torch.equal(bank.actions, bank.params - 1)


def test_few_values_make_a_smaller_bank():
    bank = draw_bank(Lights(steps=4), ALL, 0, 7, 256, CPU)
    assert sorted(bank.params.flatten().tolist()) == [0.5, 0.75, 1.0, 1.25]


def test_a_bank_depends_on_seed_and_image_alone():
    small, large = draw_bank(Lights(), ALL, 5, 9, 16, CPU), draw_bank(Lights(), ALL, 5, 9, 64, CPU)
    assert torch.equal(small.params, large.params[:16])
    shared = set(large.params.flatten().tolist()) - {1.0}
    for seed, index in ((5, 10), (6, 9)):
        other = draw_bank(Lights(), ALL, seed, index, 64, CPU).params.flatten().tolist()
        assert len(shared & set(other)) < 4  # values are one in a million; the identity is common


@dataclass(kw_only=True)
class Dimmer(Lights):
    """Two parameters, of which one number tells; the second is the same for every target."""

    name = "dimmer"
    identity = torch.tensor([1.0, 0.0])

    def sample(self, draws: Draws) -> ActionParams:
        target = torch.cat([draws.uniform(1, 0.5, 1.5), torch.full((len(draws), 1), 0.25)], 1)
        return ActionParams(self.identity.expand_as(target), target)

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return (target - source).sum(1, keepdim=True)


def test_a_part_varies_alone_with_the_draws_of_the_whole():
    actions = {"dimmer": Dimmer(), "slide": Slide()}
    sequence = ActionSequence(actions)
    assert [part.name for part in each_parameter(actions)] == ["dimmer.0", "dimmer.1", "slide.columns", "slide.rows"]
    both = draw_bank(sequence, whole(actions), 0, 7, 16, CPU)
    for part, kept in zip(each_action(actions), ([True, True, False, False], [False, False, True, True]), strict=True):
        alone = draw_bank(sequence, part, 0, 7, 16, CPU)
        assert torch.equal(alone.params, torch.where(torch.tensor(kept), both.params, sequence.identity))
        assert torch.equal(alone.actions, sequence.encode(sequence.identity.expand(16, -1), alone.params))
    assert torch.equal(draw_bank(sequence, each_parameter(actions)[3], 0, 7, 16, CPU).params[:, 3], both.params[:, 3])


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ({"slide": Slide(), "negative": Negative()}, ["slide.columns", "slide.rows"]),  # one action on the target: it is the whole
        ({"slide": Slide(), "more": Slide()}, ["slide", "slide.columns", "slide.rows", "more", "more.columns", "more.rows"]),
        (
            {"lights": Lights(), "slide": Slide()},
            ["lights.gain", "slide", "slide.columns", "slide.rows"],
        ),  # its only one is all of it
        ({"dimmer": Dimmer()}, ["dimmer.0"]),  # the other one does not vary
        ({"slide": Slide(strength=0), "lights": Lights()}, ["lights.gain"]),
        ({"negative": Negative()}, []),
    ],
)
def test_which_parts_have_banks(actions, expected):
    assert [part.name for part in banked_parts(KnownModel(parts=actions), 0, 16)] == expected
