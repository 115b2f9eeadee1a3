"""A world model with heads: one backbone, one head for each task (PAPER §7)."""

import copy
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from iwm_core.interfaces import Images
from iwm_core.interfaces.errors import UserError
from iwm_tasks.interfaces import Backbone, HeadComponent, Protocol, Task, WorldModelParts

ROUNDING = 1e-7
"""Gradients smaller than the largest by this are rounding, such as those of a query that has one token alone to attend to."""


class Lesson(NamedTuple):
    """A task as a model learns it: its settings, and what the outputs of its head stand for."""

    task: Task
    outputs: tuple[str, ...]


class TunedModel(nn.Module):
    """A backbone and the heads of its tasks.

    Args:
        backbone: images to tokens.
        heads: by task, in the tasks' order.
        dense: the tasks whose heads give maps.
        image_size: side of the images, to which maps are resized.
    """

    def __init__(self, backbone: Backbone, heads: dict[str, nn.Module], dense: set[str], image_size: int) -> None:
        super().__init__()
        self.backbone, self.heads = backbone, nn.ModuleDict(heads)
        self.dense, self.image_size = dense, image_size

    def forward(self, images: Float[Tensor, "b 3 h w"], task: Int[Tensor, "b"]) -> dict[str, Float[Tensor, "_ ..."]]:
        """Each head's outputs for the images that are asked for its task (by number, in the tasks' order)."""
        tokens = self.backbone(images, task)
        if len(self.heads) == 1:
            return {name: self.head(name, tokens) for name in self.heads}
        return {name: self.head(name, tokens[task == number]) for number, name in enumerate(self.heads)}

    def outputs(self, images: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b ..."]]:
        """Each head's outputs for all of the images."""
        tokens = self.backbone.for_each(images, len(self.heads))
        return {name: self.head(name, asked) for name, asked in zip(self.heads, tokens, strict=True)}

    def head(self, name: str, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b o ..."]:
        """One head's outputs in float32: [b o], or maps [b o h w] of the images' size."""
        if name not in self.dense:
            return self.heads[name](tokens).float()
        assert self.backbone.grid is not None, "checked when it was built"
        maps = self.heads[name](tokens.transpose(1, 2).unflatten(2, self.backbone.grid)).float()
        if maps.shape[-2:] == (self.image_size, self.image_size):
            return maps
        return F.interpolate(maps, size=(self.image_size, self.image_size), mode="bilinear", align_corners=False)

    def trained(self) -> int:
        """Parameters that training changes."""
        kept = sum(int(entries.sum()) for entries in self.untold().values())
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad) - kept

    def untold(self) -> dict[str, Bool[Tensor, "..."]]:
        """Entries of trained parameters that stay as they are, since no answer depends on them."""
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        return {f"backbone.{name}": e for name, e in self.backbone.untold().items() if f"backbone.{name}" in trained}

    def total(self) -> int:
        """All parameters of the model."""
        return sum(parameter.numel() for parameter in self.parameters())


def lessons(tasks: dict[str, Task], images: Images) -> dict[str, Lesson]:
    """The tasks, with what there is to learn in this data.

    Raises:
        UserError: the data has nothing of the kind.
    """
    try:
        return {name: Lesson(task, task.outputs(images)) for name, task in tasks.items()}
    except ValueError as error:
        raise UserError(str(error)) from error


def build_tuned(protocol: Protocol, heads: dict[str, HeadComponent], learned: dict[str, Lesson], parts: WorldModelParts) -> TunedModel:
    """The model of a protocol for tasks; each task takes the first head that fits it.

    Raises:
        UserError: the parts do not fit together, or a task has no head.
    """
    if not learned:
        raise UserError("the recipe has no task: choose one or several with tasks=[NAME]; `iwm components task` lists what is installed")
    try:
        backbone = protocol.build(parts, len(learned))
        made = {}
        for name, (task, outputs) in learned.items():
            head = next((head for head in heads.values() if head.dense == task.dense), None)
            if head is None:
                kind = "a dense head" if task.dense else "a head that is not dense"
                raise UserError(f"the task {name} needs {kind}, and heads=[{','.join(heads)}] has none; `iwm components head` lists them")
            if task.dense and backbone.grid is None:
                raise UserError(
                    f"the task {name} needs tokens on a grid, which protocol={protocol.name} does not give; choose another protocol"
                )
            made[name] = head.build(backbone.width, len(outputs))
    except ValueError as error:
        raise UserError(str(error)) from error
    dense = {name for name, (task, _) in learned.items() if task.dense}
    return freeze_unreached(TunedModel(backbone, made, dense, parts.image_size))


def freeze_unreached(model: TunedModel) -> TunedModel:
    """Switch off what no gradient can reach, such as weights that multiply the numbers of the null action: it is not trained.

    Found with a copy, whose weights are moved a little so that none is at a point where gradients vanish by chance of its start.
    """
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        probe = copy.deepcopy(model).eval()
        for parameter in probe.parameters():
            parameter.data.add_(torch.randn_like(parameter), alpha=0.02)
        outputs = probe.outputs(torch.rand(2, 3, model.image_size, model.image_size))
        torch.stack([output.square().mean() for output in outputs.values()]).sum().backward()
    reached = [0.0 if parameter.grad is None else float(parameter.grad.abs().max()) for parameter in probe.parameters()]
    for parameter, gradient in zip(model.parameters(), reached, strict=True):
        if gradient <= ROUNDING * max(reached):
            parameter.requires_grad_(False)
    return model
