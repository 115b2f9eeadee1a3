"""The conformance kit catches every way in which a head, a task or a protocol can break its contract."""

import itertools
from pathlib import Path

import pytest
import torch
from iwm_devkit import CHECKS
from iwm_tasks import kit
from kit_assertions import assertions, expected, tens
from kit_examples import Mean, MeanHead, broken, caught
from kit_tuning import Name, Probe, ProbeBackbone
from torch import nn

from iwm_core.plugins.loader import load_plugins

COUNTER = itertools.count()
SHOWN = {"mixes": False, "answer_kind": "labels", "answer": lambda self, x: x.sigmoid()}
NUMBERS = {"mixes": False, "answer_kind": "numbers"}
DENSE = {
    "mixes": False,
    "dense": True,
    "outputs": lambda self, images: images.mask_classes,
    "target": lambda self, images, i: images.mask(i),
    "loss": lambda self, x, y: nn.functional.cross_entropy(x, y.long(), ignore_index=255),
    "rows": lambda self, x, y: (x.argmax(1) == y).flatten(1).float().mean(1, keepdim=True),
}


NEEDED = {"regress": {"of": ["size"], "turns": ["hue"]}}


def installed(*kinds):
    found = [(kind, name, entry.component) for kind in kinds for name, entry in load_plugins().entries(kind).items()]
    return [pytest.param(kind, component, id=f"{kind}-{name}") for kind, name, component in found]


@pytest.mark.parametrize(("kind", "component"), installed("head", "task", "protocol"))
def test_what_is_installed_conforms(kind, component):
    CHECKS[kind](component(**NEEDED.get(component.name, {})))


@pytest.mark.parametrize(("kind", "component"), {"head": MeanHead, "task": Name, "protocol": Probe}.items())
def test_good_components_pass(kind, component):
    CHECKS[kind](component())


EXPECTED = expected(Path(__file__).parent)


@pytest.mark.parametrize("texts", list(assertions(Path(kit.__file__).parent)))
def test_each_assertion_has_a_broken_component(texts):
    """Some text of a test has ten letters or more in common with its message."""
    assert tens(texts) & EXPECTED, f"no test of the kit expects: {' … '.join(texts)}"


def module_of(good, forward, **more):
    """The class of a module that answers otherwise."""
    return type(good.__name__, (good,), {"forward": forward, **more})


class Idle(Mean):
    """Has weights that it does not use."""

    def __init__(self, width, outputs):
        super().__init__(width, outputs)
        self.spare = nn.Linear(2, 2)


class Forgetful(Mean):
    """Has a number of its own that is not saved."""

    def __init__(self, width, outputs):
        super().__init__(width, outputs)
        self.scale = float(torch.rand(1))

    def forward(self, tokens):
        return self.scale * super().forward(tokens)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"build": lambda self, width, outputs: torch.sum}, ("build() must return a module",)),
        ({"build": lambda self, width, outputs: Mean(width, outputs + 1)}, ("mean must answer with [3, 5], got [3, 6]",)),
        ({"module": Idle}, ("spare.weight, spare.bias can never learn",)),
        ({"module": Forgetful}, ("must keep all that it learns in its state_dict",)),
        ({"module": module_of(Mean, lambda self, x: self.linear(x[:, 1] if x.shape[1] > 1 else x[:, 0]).detach())}, ("can never learn",)),
        ({"dense": True, "module": module_of(Mean, lambda self, x: self.linear(x.mean((2, 3))))}, ("is dense", "[b, o, h, w]")),
    ],
)
def test_heads(changes, words):
    caught("head", broken(MeanHead, **changes), *words)


def target(function, **more):
    """A target that is changed."""
    return {"target": lambda self, images, i: function(Name.target(self, images, i)), **more}


def loss(function):
    """A loss that is changed."""
    return {"loss": lambda self, x, y: function(Name.loss(self, x, y), x)}


def rows(function):
    """Rows that are changed."""
    return {"rows": lambda self, x, y: function(Name.rows(self, x, y))}


def metrics(function):
    """Metrics of the mean of the rows."""
    return {"metrics": lambda self, r: function(float(r.mean()), r)}


def answer(function, **more):
    """An answer of another kind."""
    return {"answer": lambda self, x: function(x), **more}


def unmixed(self, x, y):
    return nn.functional.cross_entropy(x, y.argmax(1) if y.ndim == 2 else y) + (0.1 if y.ndim == 2 else 0)


def waiting(self, x, y):
    return Name.loss(self, x, y) * (2 if bool(x.sum() > 1e9) else 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"main": 3}, ("name needs `main`, the metric",)),
        ({"answer_kind": "words"}, ("answer_kind must be one of class, labels, numbers, got 'words'",)),
        ({"dense": True, "answer_kind": "numbers"}, ("is dense: it needs answer_kind",)),
        ({"answer_kind": "numbers"}, ("cannot mix its targets",)),
        ({"outputs": lambda self, i: list(i.classes)}, ("must be a tuple of texts",)),
        ({"outputs": lambda self, i: (1, 2)}, ("must be texts, got (1, 2)",)),
        ({"outputs": lambda self, i: ()}, ("must not be empty: raise a ValueError that says what the data lacks",)),
        ({"outputs": lambda self, i: ("a", "a", "b")}, ("outputs() of name must differ from each other",)),
        ({"outputs": lambda self, i: (torch.rand(1), i.classes)[1]}, ("outputs() of name must leave the global random generators alone",)),
        (target(int), ("must be a tensor, got int",)),
        (target(lambda t: t.float()), ("must be one class, int64 [], got torch.float32",)),
        (target(lambda t: t[None]), ("must be one class, int64 [], got [1]",)),
        (target(lambda t: t + 1), ("must be the number of an output, 0 to 2, got 3",)),
        (target(lambda t: (t + next(COUNTER)) % 3), ("must be the same each time",)),
        (target(lambda t: torch.ones(3), **SHOWN), ("yes or no to each label, bool [3], got torch.float32",)),
        (target(lambda t: torch.ones(2, dtype=torch.bool), **SHOWN), ("yes or no to each label, bool [3], got [2]",)),
        (target(lambda t: t, **NUMBERS), ("must be numbers, float32 [v]",)),
        (target(lambda t: torch.ones(1) / 0, **NUMBERS), ("must be finite: raise a ValueError that names the image",)),
        (DENSE | {"target": lambda self, images, i: images.mask(i).long()}, ("must be a mask, uint8 [h, w]",)),
        (DENSE | {"target": lambda self, images, i: images.mask(i)[1:]}, ("must have the height and width of its image, got [6, 5]",)),
        (DENSE | {"target": lambda self, images, i: images.mask(i).clamp(max=9)}, ("must hold numbers of outputs, 0 to 2, or 255",)),
        (loss(lambda v, x: v * torch.ones(2)), ("must be one number, the mean over the batch, got [2]",)),
        (loss(lambda v, x: v.double()), ("loss() of name must be float32",)),
        (loss(lambda v, x: v / 0), ("loss() of name must be finite",)),
        (loss(lambda v, x: v + (0 * x).abs().sqrt().sum()), ("must have finite gradients: mind square roots",)),
        (loss(lambda v, x: v.detach()), ("must have a gradient: no argmax",)),
        (loss(lambda v, x: v + 0 * x.sum() / (len(x) - 1)), ("must be finite for a batch of one image",)),
        ({"loss": unmixed}, ("must take shares of classes, float [b, o]",)),
        ({"loss": waiting}, ("loss() of name must run on the device",)),
        ({"loss": lambda self, x, y: Name.loss(self, x.mul_(1.1), y)}, ("loss() of name must leave its input unchanged",)),
        (rows(lambda r: r[:, 0]), ("must be one row for each image, [b, v], got [12]",)),
        (rows(lambda r: r[:3]), ("must be one row for each image, got 3 for 12 images",)),
        (rows(lambda r: r.double()), ("rows() of name must be float32",)),
        (rows(lambda r: r - r.mean()), ("must be about each image alone: what images have in common",)),
        (metrics(lambda m, r: {"right": r.mean()}), ("must be a dict of floats",)),
        (metrics(lambda m, r: {"wrong": m}), ("must begin with `main`, 'right', got wrong",)),
        (metrics(lambda m, r: {}), ("must begin with `main`, 'right', got nothing",)),
        (metrics(lambda m, r: {"right": m, "Top 5!": m}), ("the metric 'Top 5!' must be called",)),
        (metrics(lambda m, r: {"right": float("nan")}), ("must have a finite right",)),
        (metrics(lambda m, r: {"right": float((r[:, 0] * torch.arange(len(r))).sum())}), ("must not depend on the order of the images",)),
        (metrics(lambda m, r: {"right": m} if len(r) < 2 else {"right": m, "most": m}), ("the same names for any number of images",)),
        (answer(lambda x: x.argmax(1)), ("must have the shape of the outputs, [12, 3], got [12]",)),
        (answer(lambda x: x.softmax(1) / 0), ("answer() of name must be finite",)),
        (answer(lambda x: x), ("must be probabilities, in [0, 1]",)),
        (answer(lambda x: x.sigmoid()), ("must be probabilities of classes of which one is right",)),
        (answer(lambda x: (x - x.mean(0)).softmax(1)), ("answer() of name must be about each image alone",)),
    ],
)
def test_tasks(changes, words):
    caught("task", broken(Name, **changes), *words)


@pytest.mark.parametrize(
    "changes",
    [DENSE, SHOWN | {"target": lambda self, i, n: i.labels(n), "loss": lambda self, x, y: (x - y.float()).square().mean()}],
    ids=["dense", "labels"],
)
def test_tasks_of_other_kinds_pass(changes):
    if "dense" not in changes:
        changes = changes | {"rows": lambda self, x, y: ((x > 0) == y).float()}
    CHECKS["task"](broken(Name, **changes))


def backbone(**changes):
    """A backbone of which something is otherwise."""
    return {"module": type("ProbeBackbone", (ProbeBackbone,), changes)}


def made(**given):
    """A backbone that tells something else of itself."""

    def init(self, parts, tasks):
        ProbeBackbone.__init__(self, parts, tasks)
        for name, value in given.items():
            setattr(self, name, value)

    return backbone(__init__=init)


def forward(function):
    """A backbone that changes the good one's tokens."""
    return backbone(forward=lambda self, x, task: function(ProbeBackbone.forward(self, x, task), task))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"build": lambda self, parts, tasks: nn.Linear(1, 1)}, ("must return an iwm_tasks.interfaces.Backbone, got Linear",)),
        (made(width=None), ("probe for 1 task needs `width`",)),
        (made(grid=9), ("needs `grid`, rows and columns of the tokens",)),
        (forward(lambda t, task: t.mean(1)), ("must give tokens [b, n, d], got [3, 16]",)),
        (made(grid=(4, 4)), ("probe for 1 task must answer with [3, 16, 16], got [3, 9, 16]",)),
        (made(asks_task=False), ("probe for 3 tasks: its tokens depend on the task: set asks_task = True",)),
        (
            backbone(forward=lambda self, x, task: self.encoder(x) * self.scale.mean(0)),
            ("asks_task says that tokens depend on the task, and they do not",),
        ),
        (backbone(train=nn.Module.train), ("encoder", "is not trained, and must stay in evaluation mode")),
        (backbone(lr_scales=lambda self: {"scales": 0.5}), ("lr_scales() names scales, no parameter",)),
        (backbone(lr_scales=lambda self: {"scale": -1.0}), ("lr_scales() must be numbers from 0 on",)),
        (backbone(untold=lambda self: {"gone": torch.ones(1, dtype=torch.bool)}), ("untold() names gone, no parameter",)),
        (backbone(untold=lambda self: {"scale": torch.ones(1, dtype=torch.bool)}), ("booleans of the parameter's shape",)),
        (
            backbone(untold=lambda self: {"scale": torch.ones_like(self.scale, dtype=torch.bool)}),
            ("untold() names entries of scale that its tokens depend on", "would not be trained"),
        ),
        (
            backbone(for_each=lambda self, x, tasks: [self(x, torch.zeros(len(x), dtype=torch.int64))] * tasks),
            ("for_each() must give the tokens that forward() gives for each of the 3 tasks",),
        ),
        (forward(lambda t, task: t - t.mean(0)), ("each image alone",)),
        (forward(lambda t, task: t * torch.tensor([1.0, 2.0])[task.clamp(max=1)][:, None, None]), ("forward() must run on the device",)),
    ],
)
def test_protocols(changes, words):
    caught("protocol", broken(Probe, **changes), *words)
