"""A model that one can hold: its encoder as a module, its features, and the views of a step for other people's loops."""

import copy
import functools
import inspect
import pickle

import pytest
import torch
from iwm_interop.python.own_loop import make_views

import iwm_core
from iwm_core.data.loader import Batch
from iwm_core.interfaces import Draws
from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import recipe_actions
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.world_model import build_model
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training.pretraining import select


@functools.cache
def untaught():
    recipe = thaw(compose("tiny", [])[0])
    built = build_model(recipe).eval().requires_grad_(False)
    for parameter in built.student.parameters():
        parameter.mul_(1.1)
    return FrozenModel(recipe, built, None, 0, torch.device("cpu"))


@pytest.fixture
def model(tiny):
    """A frozen model that has learned nothing, whose student and teacher differ; a copy, which a test may change."""
    return copy.deepcopy(untaught())


def pictures(count=3, size=16):
    return Draws(11, 0, torch.arange(count)).uniform(3 * size * size).reshape(count, 3, size, size)


def test_features_are_tokens_or_their_mean_of_either_encoder(model):
    images = pictures()
    for student, tokens in ((False, model.encode(images)), (True, model.student(images))):
        assert torch.equal(model.features(images, patch=True, student=student), tokens)
        expected = torch.stack([sum(image) / len(image) for image in tokens.double()])
        torch.testing.assert_close(model.features(images, student=student).double(), expected, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(model.encode(images), model.student(images), atol=1e-3), "else nothing is tested"
    assert not model.features(images.requires_grad_()).requires_grad


def test_the_encoder_is_a_module_of_ones_own(model):
    images, before = pictures(), copy.deepcopy(model.model.state_dict())
    encoder = model.encoder
    assert encoder is model.encoder, "an optimizer's parameters are those of the next call"
    assert torch.equal(encoder(images), model.encode(images))
    assert not encoder.training
    optimizer = torch.optim.SGD(encoder.parameters(), 0.1)
    encoder(images).square().mean().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    optimizer.step()
    assert not torch.equal(encoder(images), model.encode(images))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.model.state_dict().items()), "the model stays what its run holds"


@pytest.mark.parametrize("width", [torch.float16, torch.bfloat16, torch.float64])
def test_the_encoder_computes_in_any_width(model, width):
    encoder = model.encoder.to(width)
    tokens = encoder(pictures().to(width))
    assert tokens.dtype == width
    torch.testing.assert_close(tokens.float(), model.encode(pictures()), rtol=0, atol=0.05)
    assert model.encode(pictures()).dtype == torch.float32


def test_models_and_encoders_are_copied_pickled_and_restored(model):
    images = pictures()
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(again.encode(images), model.encode(images))
    for again in (copy.deepcopy(model.encoder), pickle.loads(pickle.dumps(model.encoder))):
        assert torch.equal(again(images), model.encode(images))
    other = build_model(model.recipe).student
    other.load_state_dict(model.encoder.state_dict())
    assert torch.equal(other.eval()(images), model.encode(images))


# --- views


def test_views_are_those_of_a_training_step(model):
    """Of step 0 of a run with this seed, whose images are the first of its data."""
    from iwm_core.training.pretraining import Step

    images, recipe = pictures(6), model.recipe
    step = Step.__new__(Step)  # its drawing, without the loop around it
    step.recipe, step.actions = recipe, recipe_actions(recipe)
    step.make_views, step.sent = step.actions.views, lambda drawn: drawn
    step.draws = lambda batch: Draws(7, 0, batch.index)
    batch = Batch(images, None, torch.empty(6, 0), torch.arange(6), 0, [])
    expected, where = step.views(batch), select(recipe, step.draws(batch), (4, 4))
    made = iwm_core.views(images, ["gain"], "halves", seed=7, grid=(4, 4))
    for one, other in ((made.source, expected.source), (made.target, expected.target), (made.action, expected.action)):
        assert torch.equal(one, other)
    assert torch.equal(made.context, where.context)
    assert torch.equal(made.predicted, where.target)
    assert made.labels == ("gain.log2",)


def test_an_action_says_what_leads_from_source_to_target(model):
    images = pictures(5) * 0.25  # dark enough that nothing is clipped
    made = iwm_core.views(images, {"gain": {"strength": 0.5}}, seed=1)
    both = made.target / made.source
    torch.testing.assert_close(both.amax((1, 2, 3)).log2() / 2, made.action[:, 0], rtol=1e-4, atol=1e-5)
    assert made.context is None
    assert made.predicted is None


def test_another_seed_gives_other_views_and_a_batchs_size_changes_none(model):
    images = pictures(4)
    one, same, other = (iwm_core.views(images, ["gain"], "halves", seed=seed, grid=(4, 4)) for seed in (3, 3, 4))
    assert torch.equal(one.source, same.source)
    assert not torch.equal(one.source, other.source)
    assert not torch.equal(one.context, other.context)
    half = iwm_core.views(images[:2], ["gain"], "halves", seed=3, grid=(4, 4))
    assert torch.equal(half.source, one.source[:2])
    assert torch.equal(half.context, one.context[:2])


def test_components_may_be_given_made(model):
    actions, targets = list(model.recipe.actions.values()), model.recipe.targets
    one, other = (
        iwm_core.views(pictures(), *how, seed=2, grid=(4, 4)) for how in ((actions, targets), (("gain",), {"halves": {"share": 0.5}}))
    )
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True) if isinstance(a, torch.Tensor))


def asked(**words):
    """What is asked for, by its names."""
    return words


WRONG = {
    "no such action": (asked(actions=["gian"]), "did you mean gain"),
    "no such option": (asked(actions={"gain": {"strenght": 1}}), "did you mean gain.strength"),
    "an option out of range": (asked(actions={"gain": {"strength": -1}}), "at least 0"),
    "no actions": (asked(actions=3), "are given by name"),
    "targets without a grid": (asked(targets="halves"), "grid="),
    "a grid that does not fit": (asked(targets="halves", grid=(1, 1)), "use 0.5"),
    "a seed": (asked(seed=-1), "seed=-1 is in"),
    "a large seed": (asked(seed=2**32), "is in "),
    "a seed of two": (asked(seed=(1, 2)), "a whole number as seed="),
    "a grid without targets": (asked(grid="14"), "grid=14 is the rows and columns"),
    "a grid of one": (asked(targets="halves", grid=4), "grid=4 is the rows and columns"),
    "a grid of three": (asked(grid=(4, 4, 4)), "the rows and columns"),
    "an empty grid": (asked(grid=(0, 4)), "the rows and columns"),
    "a grid of shares": (asked(targets="halves", grid=(4.0, 4.0)), "the rows and columns"),
    "a source": (asked(source_from="above"), "view or target"),
    "bytes": (asked(images=torch.zeros(1, 3, 4, 4, dtype=torch.uint8)), "divide by 255"),
    "normalised": (asked(images=torch.full((1, 3, 4, 4), -2.0)), "undo their normalisation"),
    "one image": (asked(images=torch.zeros(3, 4, 4)), r"takes images \[b, 3, h, w\]"),
    "an array": (asked(images=torch.zeros(1, 3, 4, 4).numpy()), "got a ndarray"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_views_cannot_be_asked(model, wrong):
    changed, words = WRONG[wrong]
    given = {"images": pictures(), "actions": ["gain"], "seed": 0, **changed}
    with pytest.raises((UserError, ValueError), match=words) as told:  # past the tests' own check of types
        inspect.unwrap(make_views)(**given)
    assert len(str(told.value).splitlines()) == 1
    assert len(str(told.value)) <= 400
