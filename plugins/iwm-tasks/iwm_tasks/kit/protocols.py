"""What a protocol must keep to (PAPER §7)."""

import copy
import math
from typing import Any

import torch
from iwm_devkit.actions import smooth_images
from iwm_devkit.components import check_component
from iwm_devkit.fitting import fitting
from iwm_devkit.modules import check_module
from torch import Tensor

from iwm_tasks.interfaces import Backbone, Protocol, WorldModelParts
from iwm_tasks.kit.small_world import moved, small_world_model

BATCH = 3


def check_protocol(protocol: Protocol, parts: WorldModelParts | None = None) -> None:
    """Check a protocol: documentation, tokens, tasks, what is frozen, learning rates, and what every module keeps to.

    Args:
        protocol: the protocol.
        parts: the world model that it is tried on; by default `small_world_model`.

    Raises:
        AssertionError: the protocol breaks its contract; the text says how to mend it.
        Unfit: its fields do not fit this world model.
    """
    check_component(protocol)
    parts = parts or small_world_model()
    with fitting():
        protocol.build(copied(parts), 1)
    for tasks in (1, 3):
        check_backbone(protocol, parts, tasks)


def check_backbone(protocol: Protocol, parts: WorldModelParts, tasks: int) -> None:
    """Check the backbone for a number of tasks."""
    what = f"{protocol.name} for {tasks} task{'s' if tasks > 1 else ''}"

    def build() -> Any:
        return protocol.build(copied(parts), tasks)

    with torch.random.fork_rng(devices=[]):
        backbone = build()
    assert isinstance(backbone, Backbone), f"{what}: build() must return an iwm_tasks.interfaces.Backbone, got {type(backbone).__name__}"
    width: Any = getattr(backbone, "width", None)
    grid: Any = getattr(backbone, "grid", "missing")
    assert isinstance(width, int), f"{what} needs `width`, the embedding dimension, set in __init__"
    fits = grid is None or (isinstance(grid, tuple) and len(grid) == 2)
    assert fits, f"{what} needs `grid`, rows and columns of the tokens as a tuple, or None where they lie on no grid; set it in __init__"
    images, task = smooth_images(BATCH, parts.image_size), torch.arange(BATCH) % tasks
    with torch.no_grad():
        tokens = backbone.eval()(images, task)
    assert tokens.ndim == 3, f"{what} must give tokens [b, n, d], got {list(tokens.shape)}"
    n = tokens.shape[1] if grid is None else math.prod(grid)
    check_module(what, build, lambda m, x, asked: m(x, asked), (images, task), (BATCH, n, width))
    check_tasks(what, backbone, images[:1], tasks)
    check_frozen(what, backbone)
    check_untold(what, backbone, images, tasks)
    scales, names = backbone.lr_scales(), {name for name, _ in backbone.named_parameters()}
    strange = sorted(scales.keys() - names)
    assert not strange, f"{what}: lr_scales() names {', '.join(strange[:3])}, no parameter of it; give names as named_parameters() does"
    plain = all(isinstance(scale, float) and 0 <= scale < math.inf for scale in scales.values())
    assert plain, f"{what}: lr_scales() must be numbers from 0 on, which multiply the learning rate"


def copied(parts: WorldModelParts) -> WorldModelParts:
    """A world model that a protocol may change."""
    return parts._replace(encoder=copy.deepcopy(parts.encoder), predictor=copy.deepcopy(parts.predictor))


def check_tasks(what: str, backbone: Backbone, image: Tensor, tasks: int) -> None:
    """Check that `asks_task` tells whether the tokens depend on the task."""
    probe = copy.deepcopy(backbone).eval()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        moved(probe)
        answers = [probe(image, torch.full((1,), task)) for task in range(tasks)]
        given = probe.for_each(image, tasks)
    depends = any(not torch.equal(answers[0], answer) for answer in answers)
    assert backbone.asks_task or not depends, (
        f"{what}: its tokens depend on the task: set asks_task = True, or a task gets another's tokens"
    )
    wasted = tasks > 1 and backbone.asks_task and not depends
    same = len(given) == tasks and all(torch.allclose(*pair, atol=1e-4) for pair in zip(given, answers, strict=True))
    assert same, f"{what}: for_each() must give the tokens that forward() gives for each of the {tasks} tasks"
    assert not wasted, f"{what}: asks_task says that tokens depend on the task, and they do not: set it to False, or each task costs a pass"


def check_frozen(what: str, backbone: Backbone) -> None:
    """Check that what is not trained stays in evaluation mode."""
    backbone.train()
    for name, module in backbone.named_modules():
        own = list(module.parameters(recurse=False))
        still = bool(own) and not any(weight.requires_grad for weight in own)
        awake = still and module.training
        assert not awake, f"{what}: {name} is not trained, and must stay in evaluation mode: override train() and call .eval() on it"
    backbone.eval()


def check_untold(what: str, backbone: Backbone, images: Tensor, tasks: int) -> None:
    """Check that what a backbone names as untold is reached by none of its tokens."""
    probe = copy.deepcopy(backbone).eval()
    parameters, untold = dict(probe.named_parameters()), probe.untold()
    strange = sorted(untold.keys() - parameters.keys())
    assert not strange, f"{what}: untold() names {', '.join(strange[:3])}, no parameter of it; give names as named_parameters() does"
    if not untold:
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        moved(probe)
    torch.stack([tokens.square().sum() for tokens in probe.for_each(images, tasks)]).sum().backward()
    for key, entries in untold.items():
        gradient = parameters[key].grad
        fits = entries.dtype == torch.bool and entries.shape == parameters[key].shape
        assert fits, f"{what}: untold() must tell of each entry of {key} whether it is one: booleans of the parameter's shape"
        free = gradient is None or not bool(gradient[entries].any())
        assert free, f"{what}: untold() names entries of {key} that its tokens depend on: they would not be trained"
