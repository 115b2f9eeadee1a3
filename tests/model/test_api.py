"""`iwm_core.load`: a saved model is the trained one to the bit, and says in one line what it does not know."""

import copy
import inspect
import re
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_plugin
import torch

import iwm_core
from iwm_core import hookimpl
from iwm_core.cli.main import dispatch
from iwm_core.interfaces import Draws
from iwm_core.interfaces.errors import UserError
from iwm_core.model.frozen import FrozenModel, askable, fitting
from iwm_core.model.world_model import build_model
from iwm_core.plugins.loader import Plugin, load_plugins
from iwm_core.process.launch import choose_device
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import Run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny run's directory and the model as it was in memory after the last step."""
    load_plugins.cache_clear()
    plugins = load_plugins()
    plugins.plugins.append(Plugin("tiny", "tiny-plugin", "0", tiny_plugin))
    plugins.manager.register(tiny_plugin)
    ends = []
    plugins.manager.register(SimpleNamespace(iwm_train_end=hookimpl(lambda event: ends.append((event.step, copy.deepcopy(event.model))))))
    run = tmp_path_factory.mktemp("api") / "run"
    assert dispatch(["train", "recipe=tiny", f"run={run}"]) == 0
    ((step, model),) = ends
    assert step == 6
    yield str(run), model
    load_plugins.cache_clear()


@pytest.fixture(scope="module")
def loaded(trained):
    return iwm_core.load(trained[0], device="cpu")


@pytest.fixture
def model(loaded):
    """A copy, which a test may change."""
    return copy.deepcopy(loaded)


def pictures(count=3, size=16):
    return Draws(11, 0, torch.arange(count)).uniform(3 * size * size).reshape(count, 3, size, size)


def codes(*values):
    """Encoded actions [3 1 1], the same for each image."""
    return torch.tensor(values).expand(3, 1, 1)


def test_encode(model):
    images = pictures()
    before = images.clone()
    tokens = model.encode(images)
    assert tokens.shape == (3, 16, 16)
    assert tokens.dtype == torch.float32
    assert tokens.isfinite().all()
    assert torch.equal(images, before)
    assert torch.equal(model.encode(images), tokens)
    assert not torch.allclose(tokens[0], tokens[1], atol=1e-3), "another image, other tokens"
    torch.testing.assert_close(model.encode(images[1:2]), tokens[1:2])
    assert not tokens.requires_grad


def test_what_a_model_says_of_itself(model):
    assert model.names == ("gain",)
    assert model.actions.labels == ("log2",)
    assert model.grid == (4, 4)
    assert model.image_size == 16
    assert model.device.type == "cpu"
    assert model.step == 6
    assert model.checkpoint.name == "step_6"


def test_targets_are_encoded_images_layer_normed(model):
    tokens = model.encode(pictures()).double()
    mean, variance = tokens.mean(-1, keepdim=True), tokens.var(-1, correction=0, keepdim=True)
    torch.testing.assert_close(model.targets(pictures()).double(), (tokens - mean) / (variance + 1e-5).sqrt(), rtol=1e-4, atol=1e-5)


def test_imagine_nothing_is_to_predict_with_the_null_action(model):
    still = model.imagine(pictures(), {})
    assert still.shape == (3, 16, 16)
    assert torch.equal(still, model.predict(model.encode(pictures()), codes(0.0))[:, 0])
    assert torch.equal(still, model.imagine(pictures(), {"gain": {}}))


def test_imagine_an_action_is_to_predict_with_its_numbers(model):
    brighter = model.imagine(pictures(), {"gain": {"log2": 0.3}})
    assert torch.equal(brighter, model.predict(model.encode(pictures()), codes(0.3))[:, 0])
    assert not torch.allclose(brighter, model.imagine(pictures(), {}), atol=1e-4)
    assert not torch.allclose(brighter, model.imagine(pictures(), {"gain": {"log2": -0.3}}), atol=1e-4)


def test_predictions_of_several_actions_do_not_mix(model):
    tokens = model.encode(pictures())
    actions = torch.tensor([[-0.5], [0.0], [0.3], [1.0]]).expand(3, 4, 1)
    together = model.predict(tokens, actions)
    assert together.shape == (3, 4, 16, 16)
    for c in range(4):
        torch.testing.assert_close(together[:, c], model.predict(tokens, actions[:, c : c + 1])[:, 0])


def test_the_predictor_is_given_all_patches_and_asked_for_all(model, monkeypatch):
    """PAPER §6 and §7: the whole image as context, and every position as target: 2N tokens."""
    asked = []
    forward = type(model.model.predictor).forward

    def spy(self, context, where, action):
        asked.append((context.shape, where, action))
        return forward(self, context, where, action)

    monkeypatch.setattr(type(model.model.predictor), "forward", spy)
    model.imagine(pictures(), {"gain": {"log2": 0.25}})
    ((shape, where, action),) = asked
    assert shape == (3, 16, 16)
    assert where.context.tolist() == [list(range(16))] * 3
    assert where.target.tolist() == [[list(range(16))]] * 3
    assert action.tolist() == [[0.25]] * 3


@pytest.mark.parametrize("action", [{"gian": {"log2": 0.3}}, {"gain": {"log3": 0.3}}, {"gain": {"log2": 0.1, "hue": 0.0}}, {"blur": {}}])
def test_unknown_action_numbers_are_named_with_those_known(model, action):
    with pytest.raises(ValueError, match=r"knows no action.*it knows: gain\.log2"):
        model.imagine(pictures(), action)


@pytest.mark.parametrize(
    ("action", "fix"),
    [
        ({"gain.log2": 0.3}, r"write \{'gain': \{'log2': 0.3\}\}"),
        ({"gian": {"log2": 0.3}}, r"did you mean gain\?"),
        ({"gain": {"lgo2": 0.3}}, r"did you mean gain\.log2\?"),
    ],
)
def test_slips_in_actions_are_answered_with_what_was_meant(model, action, fix):
    with pytest.raises(ValueError, match=fix):  # past the tests' own check of types
        inspect.unwrap(type(model).imagine)(model, pictures(), action)


def test_a_model_says_in_a_line_what_it_is(model):
    assert re.fullmatch(
        rf"<world model 'tiny' of .*{re.escape(model.checkpoint.parents[1].name)} at step {model.step}, on cpu>", repr(model)
    )


@pytest.mark.parametrize("shape", [(3, 3, 24, 24), (3, 3, 16, 8), (1, 3, 15, 16)])
def test_images_of_another_size(model, shape):
    images = torch.zeros(shape)
    for call in (model.encode, model.targets, lambda x: model.imagine(x, {})):
        with pytest.raises(ValueError, match=r"takes images \[b, 3, 16, 16\] in \[0, 1\], got \[" + ", ".join(map(str, shape))):
            call(images)


def test_a_saved_model_is_the_trained_one_to_the_bit(trained, model):
    path, memory = trained
    run = Run.open(path)
    live = FrozenModel(thaw(run.config()), memory, run.latest(), 6, torch.device("cpu"))
    for (name, saved), (_, kept) in zip(model.model.state_dict().items(), memory.state_dict().items(), strict=True):
        assert torch.equal(saved, kept), name
    assert torch.equal(model.encode(pictures()), live.encode(pictures()))
    assert torch.equal(model.targets(pictures()), live.targets(pictures()))
    assert torch.equal(model.imagine(pictures(), {"gain": {"log2": 0.3}}), live.imagine(pictures(), {"gain": {"log2": 0.3}}))


def test_features_are_the_teachers(model):
    state = model.model.state_dict()
    moved = [n for n in state if n.startswith("teacher.") and not torch.equal(state[n], state[n.replace("teacher.", "student.")])]
    assert moved, "else the next line proves nothing"
    assert torch.equal(model.encode(pictures()), model.model.teacher(pictures()))
    assert not torch.equal(model.encode(pictures()), model.model.student(pictures()))


def test_loading_leaves_the_global_generator_alone(trained):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    iwm_core.load(trained[0], device="cpu")
    assert torch.equal(torch.get_rng_state(), before), "a notebook's random numbers must not depend on how often it loads"


def test_what_is_no_run(trained, tmp_path):
    with pytest.raises(UserError, match=r"nowhere is not a run: it does not exist"):
        iwm_core.load(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"is not a run: it has no config.yaml"):
        iwm_core.load(str(tmp_path))
    empty = tmp_path / "begun"
    empty.mkdir()
    (empty / "config.yaml").write_bytes((Run.open(trained[0]).path / "config.yaml").read_bytes())
    with pytest.raises(UserError, match=r"begun has no checkpoint yet; continue it with `iwm resume .*begun`"):
        iwm_core.load(str(empty))
    with pytest.raises(UserError, match=r"launch.device=tpu9 is not available here"):
        iwm_core.load(trained[0], device="tpu9")


def test_a_reinitialised_predictor_is_not_the_one_that_training_began_with(model):
    seed = model.recipe.train.seed
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        begun = build_model(model.recipe).predictor
    pairs = zip(begun.parameters(), model.reinitialised(seed).model.predictor.parameters(), strict=True)
    assert not all(torch.equal(one, other) for one, other in pairs)


def test_a_reinitialised_model_keeps_the_encoder_and_forgets_the_predictor(model):
    before = torch.get_rng_state()
    other, again = model.reinitialised(1), model.reinitialised(1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(other.encode(pictures()), model.encode(pictures()))
    assert torch.equal(other.student(pictures()), model.student(pictures()))
    asked = {"gain": {"log2": 0.3}}
    assert torch.equal(other.imagine(pictures(), asked), again.imagine(pictures(), asked))
    assert not torch.allclose(other.imagine(pictures(), asked), model.imagine(pictures(), asked), atol=1e-2)
    assert not torch.equal(other.imagine(pictures(), asked), model.reinitialised(2).imagine(pictures(), asked))
    sizes = [sum(p.numel() for p in m.model.predictor.parameters()) for m in (model, other)]
    assert sizes[0] == sizes[1] > 0


MEAN, DEVIATION = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]
WRONG = {
    "normalised": (lambda images: (images - MEAN) / DEVIATION, "undo their normalisation"),
    "from -1 to 1": (lambda images: 2 * images - 1, "undo their normalisation"),
    "of 255": (lambda images: images * 255, "got values from .* divide by 255"),
    "bytes": (lambda images: (images * 255).byte(), "got uint8; divide by 255"),
    "not a number": (lambda images: images.clone().fill_(torch.nan), "not finite"),
    "one infinite": (lambda images: torch.where(images == images.max(), torch.inf, images), "not finite"),
    "an array": (lambda images: images.numpy(), "got a ndarray"),
    "a list": (lambda images: images.tolist(), "got a list"),
    "one image": (lambda images: images[0], r"got \[3, 16, 16\]"),
    "channels last": (lambda images: images.permute(0, 2, 3, 1), r"got \[3, 16, 16, 3\]"),
    "without values": (lambda images: images.to("meta"), "without values"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("call", ["encode", "student", "targets", "imagine"])
def test_what_is_no_image_in_range_is_refused(model, call, wrong):
    change, words = WRONG[wrong]
    given = change(pictures())
    ask = getattr(model, call)
    if not (isinstance(given, torch.Tensor) and given.is_floating_point() and given.shape[1:2] == (3,)):
        ask = fitting  # which all of them call, past the tests' own check of types
        call = ""
    more = {"": (16, torch.device("cpu")), "imagine": ({"gain": {"log2": 0.1}},)}.get(call, ())
    with pytest.raises(ValueError, match=words) as told:
        ask(given, *more)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("wrong", ["normalised", "of 255", "not a number"])
def test_planning_refuses_them_as_well(model, wrong):
    change, words = WRONG[wrong]
    for source, goal in ((change(pictures()), pictures()), (pictures(), change(pictures()))):
        with pytest.raises(ValueError, match=words):
            model.plan(source, goal)


def test_resized_images_and_other_floats_are_taken(model):
    images = pictures()
    smooth = torch.nn.functional.interpolate((pictures(size=40) > 0.5).float(), (16, 16), mode="bicubic", antialias=True)
    assert smooth.max() > 1
    assert model.encode(smooth).isfinite().all()
    assert torch.equal(model.encode(images.double()), model.encode(images))
    assert model.encode(images.half()).dtype == torch.float32
    assert len(model.encode(images[:0])) == 0
    (slope,) = torch.autograd.grad(model.encode(leaf := images.clone().requires_grad_()).square().sum(), leaf)
    assert slope.isfinite().all()


@pytest.mark.parametrize(("numbers", "words"), [(30.0, "about in"), (-2.5, "log2=-2.5 of gain"), (torch.nan, "finite")])
def test_numbers_of_an_action_have_a_range(model, numbers, words):
    with pytest.raises(ValueError, match=words):
        model.imagine(pictures(), {"gain": {"log2": numbers}})


@pytest.mark.parametrize("wrong", ["an array", "a list", "one image", "bytes"])
def test_no_images_are_refused_before_all_else(model, wrong):
    change, words = WRONG[wrong]
    for call, more in (("plan", (pictures(),)), ("imagine", ({},))):
        with pytest.raises(ValueError, match=words):  # past the tests' own check of types
            inspect.unwrap(getattr(type(model), call))(model, change(pictures()), *more)


@pytest.mark.parametrize("actions", [None, [0.3], "gain", {"gain": [0.3]}, {"gain": {"log2": 10**400}}, {"gain": {"log2": "0.3"}}])
def test_what_are_no_numbers_of_actions_is_refused(model, actions):
    with pytest.raises(ValueError, match=r"as in \{.*: 0\.3\}|about in"):
        inspect.unwrap(type(model).imagine)(model, pictures(), actions)


def test_numbers_of_an_action_may_come_from_numpy(model):
    told, asked = ({"gain": {"log2": number}} for number in (0.25, np.float32(0.25)))
    assert torch.equal(inspect.unwrap(type(model).imagine)(model, pictures(), asked), model.imagine(pictures(), told))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tokens, actions: (tokens, actions[:, 0]), r"actions \[3, c, 1\] .* got \[3, 1\]"),
        (lambda tokens, actions: (tokens, actions.expand(-1, -1, 2)), r"actions \[3, c, 1\] .* got \[3, 1, 2\]"),
        (lambda tokens, actions: (tokens[:2], actions), r"actions \[2, c, 1\] .* got \[3, 1, 1\]"),
        (lambda tokens, actions: (tokens[:, :5], actions), r"tokens \[b, 16, 8\].* got \[3, 5, 8\]"),
        (lambda tokens, actions: (tokens[..., :5], actions), r"tokens \[b, 16, 8\].* got \[3, 16, 5\]"),
        (lambda tokens, actions: (tokens, actions.long()), "got int64"),
        (lambda tokens, actions: (tokens, actions * torch.inf), "not finite"),
        (lambda tokens, actions: (tokens, actions * -60), r"about in \[-1, 1\], got one of size 30; give at most 2"),
        (lambda tokens, actions: (tokens.tolist(), actions), "got a list"),
    ],
)
def test_what_the_predictor_cannot_be_asked(model, change, words):
    with pytest.raises(ValueError, match=words):
        askable(*change(torch.zeros(3, 16, 8), codes([0.5])), 16, 8, [2.0], torch.device("cpu"))


NO_TENSORS = {
    "not finite": lambda given: given * torch.nan,
    "one infinite": lambda given: torch.where(given == given.max(), -torch.inf, given),
    "without values": lambda given: given.to("meta"),
    "sparse": lambda given: given.to_sparse(),
    "compressed": lambda given: given.flatten(1).to_sparse_csr(),
    "nested": lambda given: torch.nested.nested_tensor(list(given)),
    "jagged": lambda given: torch.nested.nested_tensor(list(given.flatten(1)), layout=torch.jagged),
    "mkldnn": lambda given: given.to_mkldnn(),
    "packed": lambda given: torch.empty(given.shape, dtype=torch.float4_e2m1fn_x2),
    "complex": lambda given: given.to(torch.complex64),
    "narrower": lambda given: given[..., :-1],
    "nothing": lambda given: None,
}


@pytest.mark.filterwarnings("ignore:.*(prototype|beta state|nested).*")
@pytest.mark.parametrize("wrong", NO_TENSORS)
@pytest.mark.parametrize(
    "call", ["encode", "student", "targets", "imagine", "plan source", "plan goal", "predict tokens", "predict actions"]
)
def test_what_is_no_tensor_that_models_take_is_a_value_error_of_one_line(model, call, wrong):
    name, _, place = call.partition(" ")
    right = {
        "imagine": (pictures(), {}),
        "plan": (pictures(), pictures()),
        "predict": (model.encode(pictures()), codes([0.5])),
    }.get(name, (pictures(),))
    at = int(place in ("goal", "actions"))
    given = [*right[:at], NO_TENSORS[wrong](right[at]), *right[at + 1 :]]
    with pytest.raises(ValueError, match=" takes .*, got ") as told:  # past the tests' own check of types
        inspect.unwrap(getattr(type(model), name))(model, *given)
    assert len(str(told.value).splitlines()) == 1
    assert len(str(told.value)) < 400


def everything(model, width=torch.float32):
    """What a model answers, given tensors of a width."""
    images, tokens, actions = (x.to(width) for x in (pictures(), model.encode(pictures()), torch.full((3, 2, 1), 0.5, dtype=torch.float32)))
    asked = {"gain": {"log2": 0.25}}
    found = [model.encode(images), model.student(images), model.targets(images), model.imagine(images, asked)]
    found += [model.predict(tokens, actions), model.reinitialised(3).imagine(images, asked)]
    for search in ("bank", "cem", "gradient"):
        found += model.plan(images, images.flip(3), search, candidates=4)[:3]
    return found


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_floats_of_other_widths_are_taken_where_they_hold_the_same(model):
    assert_same(everything(model, torch.float64), everything(model))
    for width in (torch.float16, torch.bfloat16, torch.float8_e4m3fn):
        images = pictures().to(width)
        assert torch.equal(model.encode(images), model.encode(images.float()))
        tokens, actions = model.encode(pictures()).to(width), codes([0.5]).to(width)
        assert torch.equal(model.predict(tokens, actions), model.predict(tokens.float(), actions.float()))


@pytest.mark.parametrize("width", [torch.float64, torch.float16])
def test_answers_do_not_depend_on_torchs_default_width(trained, model, width):
    expected = everything(model)
    torch.set_default_dtype(width)
    try:
        assert_same(everything(model), expected)
        assert_same(everything(iwm_core.load(trained[0], device="cpu")), expected)
        assert torch.get_default_dtype() == width
    finally:
        torch.set_default_dtype(torch.float32)


def test_what_cannot_be_loaded(trained):
    with pytest.raises(UserError, match="device=meta is not available here; use auto"):
        iwm_core.load(trained[0], device="meta")
    with pytest.raises(UserError, match="has no checkpoint=; it has .*step_6"):
        iwm_core.load(trained[0], device="cpu", checkpoint="")
    for device in (None, 0.5, []):
        with pytest.raises(UserError, match=r"device=.* is not available here; use auto"):  # past the tests' own check of types
            inspect.unwrap(choose_device)(device)


def test_the_predictor_is_asked_numbers_of_a_range(model):
    tokens = model.encode(pictures())
    for number, words in ((torch.inf, "not finite"), (torch.nan, "not finite"), (-2.1, "got one of size 2.1"), (1e6, "at most 2")):
        with pytest.raises(ValueError, match=words):
            model.predict(tokens, codes([number]))
        with pytest.raises(ValueError, match=words):
            model.predict(tokens, torch.tensor([0.1, number])[None, :, None].expand(3, 2, 1))
    assert model.predict(tokens, torch.tensor([-2.0, 2.0])[None, :, None].expand(3, 2, 1)).isfinite().all()
    askable(
        tokens, codes([30.0]), *tokens.shape[1:], [float("inf")], tokens.device
    )  # an observed action's, which training was told as it is
