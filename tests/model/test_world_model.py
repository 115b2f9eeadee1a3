"""The model's loss and teacher against loops; a recipe's actions in sequence."""

import copy
from dataclasses import dataclass

import pytest
import torch
from iwm_devkit.actions import check_transformation, smooth_images
from iwm_vit.encoder import TimmViT
from iwm_vit.predictors.feature import Feature
from tiny_plugin import Gain

from iwm_core.interfaces import Action, ActionParams, Draws, Targets, Views, option
from iwm_core.model.actions import ActionSequence
from iwm_core.model.world_model import ImageWorldModel
from iwm_core.plugins.loader import load_plugins
from iwm_core.training.pretraining import Pass

B = 3


def build(normalise_targets=True, drop_path=0.0):
    torch.manual_seed(0)
    student = TimmViT(patch_size=4, width=16, depth=2, heads=2, drop_path=drop_path).build(16)
    model = ImageWorldModel(student, Feature(depth=1, width=16, heads=2).build(16, (4, 4), 2), normalise_targets)
    with torch.no_grad():
        for parameter in model.teacher.parameters():
            parameter += 0.2 * torch.randn(parameter.shape)
    return model


def some_input():
    torch.manual_seed(1)
    order = torch.stack([torch.randperm(16) for _ in range(B)])
    where = Targets(order[:, :6].sort().values, order[:, 6:].reshape(B, 2, 5).sort().values)
    return torch.rand(B, 3, 16, 16), torch.rand(B, 3, 16, 16), torch.randn(B, 2), where


def squared(x):
    return x * x


def huber(x):
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


@pytest.mark.parametrize(
    ("loss", "normalise", "cost"), [("l2", True, squared), ("l2", False, squared), ("smooth_l1", True, huber), ("smooth_l1", False, huber)]
)
def test_loss_equals_a_loop_over_images_and_positions(loss, normalise, cost):
    model = build(normalise).eval()
    source, target, action, where = some_input()
    costs = []
    for i in range(B):
        teacher = model.teacher(target[i : i + 1])[0]
        if normalise:
            teacher = (teacher - teacher.mean(1, keepdim=True)) / (teacher.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
        one = Targets(where.context[i : i + 1], where.target[i : i + 1])
        predicted = model.predictor(model.student(source[i : i + 1], one.context), one, action[i : i + 1])[0]
        for group in range(2):
            for place, position in enumerate(where.target[i, group]):
                costs += [cost(x) for x in (predicted[group, place] - teacher[position]).tolist()]
    assert Pass(model, loss)(Views(source, target, action), where).loss.item() == pytest.approx(sum(costs) / len(costs), rel=1e-4)


def test_gradient_reaches_the_student_and_never_the_teacher():
    model, (source, target, action, where) = build(), some_input()
    Pass(model)(Views(source, target.requires_grad_(), action), where).loss.backward()
    assert target.grad is None
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in [*model.student.parameters(), *model.predictor.parameters()])
    assert all(p.grad is None and not p.requires_grad for p in model.teacher.parameters())


def test_teacher_drops_nothing_in_training():
    model, images = build(drop_path=0.9).train(), torch.rand(16, 3, 16, 16)
    assert torch.equal(model.targets(images), model.targets(images))
    assert not torch.equal(model.student(images), model.student(images))
    assert not any(module.training for module in model.teacher.modules())


def test_teacher_starts_as_a_copy_of_its_own():
    student = TimmViT(patch_size=4, width=16, depth=1, heads=2).build(16)
    model = ImageWorldModel(student, Feature(depth=1, width=16, heads=2).build(16, (4, 4), 2))
    own, copied = student.state_dict(), model.teacher.state_dict()
    assert own.keys() == copied.keys()
    assert all(torch.equal(own[name], copied[name]) and own[name].data_ptr() != copied[name].data_ptr() for name in own)


def test_teacher_moves_by_the_weight():
    model = build()
    before = {name: p.clone() for name, p in model.named_parameters()}
    model.update_teacher(torch.tensor(0.0))
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    model.update_teacher(torch.tensor(0.1))
    for name, parameter in model.named_parameters():
        expected = before[name]
        if name.startswith("teacher"):
            expected = 0.9 * expected + 0.1 * before[name.replace("teacher", "student", 1)]
        torch.testing.assert_close(parameter, expected, rtol=1e-5, atol=1e-6)


def test_teacher_follows_only_what_is_trained():
    model = build()
    frozen = {name for name, _ in model.student.named_parameters() if "norm" in name}
    for name, parameter in model.student.named_parameters():
        parameter.requires_grad_(name not in frozen)
        parameter.data.add_(1)  # as weights from elsewhere, whose student and teacher differ
    before = {name: p.clone() for name, p in model.teacher.named_parameters()}
    model.update_teacher(torch.tensor(0.1))
    moved = {name for name, p in model.teacher.named_parameters() if not torch.equal(p, before[name])}
    assert moved == before.keys() - frozen


@dataclass(kw_only=True)
class Lift(Action):
    """Adds to the source only; does not commute with a gain."""

    name = "lift"
    labels = ("red", "rest")
    identity = torch.zeros(2)
    changes_target = False

    strength: float = option(0.3, "largest offset", low=0)

    def sample(self, draws: Draws) -> ActionParams:
        return ActionParams(draws.uniform(2, 0, self.strength), torch.zeros(len(draws), 2, device=draws.device))

    def apply(self, images, params):
        return (images + torch.cat([params, params[:, 1:]], dim=1)[:, :, None, None]).clamp(0, 1)

    def encode(self, source, target):
        return source - target


PAIR = {"gain": Gain(), "lift": Lift()}
DRAWS = Draws(0, 0, torch.arange(B))
IMAGES = torch.rand(B, 3, 8, 8, generator=torch.Generator().manual_seed(2))


def test_sequence_keeps_the_contract_of_an_action():
    check_transformation(ActionSequence(PAIR))


def test_actions_apply_in_the_recipes_order():
    params = ActionSequence(PAIR).sample(DRAWS).source
    gain_first = Lift().apply(Gain().apply(IMAGES, params[:, :1]), params[:, 1:])
    lift_first = Gain().apply(Lift().apply(IMAGES, params[:, 1:]), params[:, :1])
    assert not torch.allclose(gain_first, lift_first, atol=0.01)
    assert torch.equal(ActionSequence(PAIR).apply(IMAGES, params), gain_first)
    turned = ActionSequence({"lift": Lift(), "gain": Gain()})
    assert torch.equal(turned.apply(IMAGES, params[:, [1, 2, 0]]), lift_first)


def test_encodings_are_joined_and_named():
    actions = ActionSequence(PAIR)
    source, target = actions.sample(DRAWS)
    expected = torch.cat([(target[:, :1] - source[:, :1]) / 2, source[:, 1:] - target[:, 1:]], dim=1)
    assert torch.equal(actions.encode(source, target), expected)
    assert actions.labels == ("log2", "red", "rest")
    assert actions.names == ("gain", "lift", "lift")


def test_each_action_draws_from_its_own_stream():
    both, alone = ActionSequence(PAIR).sample(DRAWS), ActionSequence({"lift": Lift()}).sample(DRAWS)
    assert torch.equal(both.source[:, 1:], alone.source)
    twice = ActionSequence({"first": Gain(), "second": Gain()}).sample(DRAWS).source
    assert (twice[:, 0] != twice[:, 1]).all(), "two entries of one action are independent"


def test_views_from_the_shared_view():
    actions = ActionSequence(PAIR)
    params = actions.sample(DRAWS)
    views = actions.views(IMAGES, params, "view")
    assert torch.equal(views.source, actions.apply(IMAGES, params.source))
    assert torch.equal(views.target, Gain().apply(IMAGES, params.target[:, :1]))
    assert torch.equal(views.action, actions.encode(params.source, params.target))


ALL = ("crop", "flip", "jitter", "grayscale", "blur", "solarize")


@pytest.mark.parametrize("names", [ALL, ALL[2:], ("grayscale", "jitter"), ("blur",), ("jitter", "solarize", "flip")], ids=",".join)
def test_both_sides_at_once_are_each_side_alone(names):
    """Those that come first and change both sides are applied to both at once, those after them to each."""
    actions = ActionSequence({name: load_plugins().component("action", name)() for name in names})
    draws = Draws(2, 0, torch.arange(12))
    images, params = smooth_images(12, 20), actions.sample(draws)
    views = actions.views(images, params, "view")
    torch.testing.assert_close(views.source, actions.apply(images, params.source), atol=1e-6, rtol=0)
    torch.testing.assert_close(views.target, actions.apply_target(images, params.target), atol=1e-6, rtol=0)
    assert not torch.equal(views.source, views.target)


def test_an_action_with_a_way_of_its_own_with_targets_keeps_it():
    class Lifted(Gain):
        def apply_target(self, images, params):
            return (images / 2).clamp(0, 1)

    actions = ActionSequence({"lifted": Lifted()})
    views = actions.views(IMAGES, actions.sample(DRAWS), "view")
    assert torch.equal(views.target, IMAGES / 2)


def test_an_action_that_never_changes_targets_is_skipped_there():
    params = torch.full((B, 3), 0.2)
    assert torch.equal(ActionSequence(PAIR).apply_target(IMAGES, params), Gain().apply(IMAGES, params[:, :1]))


def test_views_with_the_source_made_from_the_target():
    actions = ActionSequence(PAIR)
    params = actions.sample(DRAWS)
    views = actions.views(IMAGES, params, "target")
    assert torch.equal(views.target, Gain().apply(IMAGES, params.target[:, :1]))
    assert torch.equal(views.source, actions.apply(views.target, params.source))
    # The way back from source to target undoes the source's own parameters, whatever made the target.
    assert torch.equal(views.action, actions.encode(params.source, torch.zeros(B, 3)))


def test_without_actions_both_views_are_the_image():
    views = ActionSequence({}).views(IMAGES, ActionSequence({}).sample(DRAWS), "view")
    assert views.action.shape == (B, 0)
    assert torch.equal(views.source, IMAGES)
    assert torch.equal(views.target, IMAGES)


def test_teacher_follows_whatever_stands_in_the_student():
    model = build()
    model.update_teacher(torch.tensor(0.5))
    ahead = {name: value + 1 for name, value in model.student.state_dict().items()}
    model.student.load_state_dict(ahead, assign=True)
    before = {name: p.clone() for name, p in model.teacher.named_parameters()}
    model.update_teacher(torch.tensor(0.5))
    for name, parameter in model.teacher.named_parameters():
        torch.testing.assert_close(parameter, 0.5 * (before[name] + ahead[name]))
    for parameter in model.student.parameters():
        parameter.requires_grad_(False)
    kept = copy.deepcopy(model.teacher.state_dict())
    model.update_teacher(torch.tensor(0.5))
    assert all(torch.equal(value, kept[name]) for name, value in model.teacher.state_dict().items())
