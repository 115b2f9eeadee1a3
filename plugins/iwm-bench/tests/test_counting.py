"""What is counted, against counts that are made otherwise: of arithmetic by the modules' sizes, of operations by hand."""

import pytest
import torch
from iwm_bench.counting import dispatched, gflop_of, tokens_of
from iwm_bench.course import Course
from iwm_bench.record import Tokens
from iwm_devkit.conduct import GPU
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from iwm_core.interfaces import Targets
from iwm_core.process.display import Display
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training.pretraining import Pass


def by_modules(learner: Pass, views, where) -> int:
    """Operations of a pass, layer by layer: a product forward, one backward for the weights where they are trained, and
    one for the input where that leads back to anything trained; attention: two products forward and, where it is trained, four backward."""
    proj = (
        learner.model.student.vit.patch_embed.proj.weight
    )  # a product with patches: of all for the teacher, of those kept for the student
    total = 2 * proj.numel() * (learner.model.student.grid[0] ** 2 * len(views.source) + 2 * where.context.numel())

    def of_layer(layer, inputs, output):
        nonlocal total
        trained, leads_back = layer.weight.requires_grad and torch.is_grad_enabled(), inputs[0].requires_grad
        total += (1 + trained + leads_back) * 2 * output.numel() * layer.weight[0].numel()

    def of_attention(layer, inputs, output):
        nonlocal total
        rows, tokens, width = inputs[0].shape
        asked = output.shape[1]
        total += (6 if output.requires_grad else 2) * 2 * rows * tokens * asked * width
        if asked < tokens:  # the last block of a predictor: queries of the tokens that are read, keys and values of all
            total += 3 * 2 * rows * width**2 * (asked + 2 * tokens)

    hooks = []
    for module in learner.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            hooks.append(module.register_forward_hook(of_layer))
        elif type(module).__name__ == "Attention":
            hooks.append(module.register_forward_hook(of_attention))
    learner(views, where)
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize(
    "overrides",
    [
        ["data=scenes", "data.size=16", "data.train=8"],
        ["encoder.depth=2", "encoder.heads=4", "predictor.depth=3", "predictor.width=24", "predictor.heads=3"],
        ["targets=ijepa", "image_size=32", "predictor=feature"],
        ["launch.precision=bf16"],
    ],
    ids=["tiny", "deeper", "four groups", "bf16"],
)
def test_arithmetic_is_that_of_the_modules(tiny, tmp_path, overrides):
    course = Course(thaw(compose("tiny", overrides)[0]), tmp_path, False, Display())
    learner = Pass(course.model).train()
    expected = by_modules(learner, course.views, course.where) / len(course.views.source)
    assert gflop_of(learner, course.views, course.where) == pytest.approx(expected / 1e9, rel=1e-6)
    assert all(parameter.grad is None for parameter in learner.parameters()), "the model is left as it was"


def test_tokens():
    where = Targets(torch.zeros(5, 76, dtype=torch.int64), torch.zeros(5, 4, 30, dtype=torch.int64))
    assert tokens_of(where, (14, 14)) == Tokens(196, 76, 4, 30)
    assert tokens_of(where, (14, 14)).total == 196 + 76 + 120


def test_operations_are_those_that_are_dispatched():
    a, b = torch.ones(3), torch.ones(3, requires_grad=True)
    counted = dispatched(lambda: (a + 1).relu_())
    assert (counted.operations, counted.waits) == (2, 0)
    backward = dispatched(lambda: (a * b).sum().backward())
    assert (backward.operations, backward.waits) == (6, 0), "mul, sum; ones_like, expand, mul, detach"


def test_what_is_compiled_is_counted_without():
    def work(x):
        return (x.sin() + 1).cos()

    x = torch.ones(3)
    assert dispatched(lambda: torch.compile(work, backend="eager")(x)).operations == dispatched(lambda: work(x)).operations == 3


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda x: x.sum().item(), 1),
        (lambda x: bool((x > 0).any()), 1),
        (lambda x: x.nonzero(), 1),
        (lambda x: x[x > 0], 1),
        (lambda x: x[torch.tensor([0, 1])], 0),
        (lambda x: torch.where(x > 0, x, -x), 0),
        (lambda x: torch.stack([x, x]).sort().values, 0),
    ],
)
def test_the_host_waits_for_values(act, expected):
    assert dispatched(lambda: act(torch.ones(4))).waits == expected


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (lambda x: x.cpu(), 1),
        (lambda x: x + torch.ones(4).to(GPU), 1),
        (lambda x: x + torch.ones(4).to(GPU, non_blocking=True), 0),
        (lambda x: x * 2 + torch.ones(4, device=GPU), 0),
        (lambda x: x + torch.tensor(1.0), 0),
    ],
)
def test_the_host_waits_for_copies(act, expected):
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.ones(4, device=GPU)
        assert dispatched(lambda: act(x)).waits == expected
