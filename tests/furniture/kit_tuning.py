"""A small task and a small protocol that keep to their contracts: what tests of the conformance kit break."""

from dataclasses import dataclass

import torch
from iwm_tasks.interfaces import Backbone, Protocol, Task
from torch import nn


@dataclass(kw_only=True)
class Name(Task):
    """The label."""

    name = "name"
    main = "right"
    answer_kind = "class"
    mixes = True

    def outputs(self, images):
        return images.classes

    def target(self, images, index):
        return torch.tensor(images.label(index))

    def loss(self, output, target):
        return nn.functional.cross_entropy(output, target)

    def rows(self, output, target):
        return (output.argmax(1) == target).float()[:, None]

    def metrics(self, rows):
        return {"right": float(rows.mean())}

    def answer(self, output):
        return output.softmax(1)


class ProbeBackbone(Backbone):
    """The frozen teacher's tokens, scaled by what is learned of each task."""

    def __init__(self, parts, tasks):
        super().__init__()
        self.encoder = parts.encoder.requires_grad_(False)
        self.scale = nn.Parameter(torch.ones(tasks, parts.encoder.width))
        self.width, self.grid, self.asks_task = parts.encoder.width, parts.encoder.grid, tasks > 1

    def forward(self, images, task):
        return self.encoder(images) * self.scale[task][:, None]

    def train(self, mode=True):
        super().train(mode)
        self.encoder.eval()
        return self

    def lr_scales(self):
        return {"scale": 0.5}


@dataclass(kw_only=True)
class Probe(Protocol):
    """Heads on the frozen teacher's tokens, which are scaled for each task."""

    name = "probe"
    module = ProbeBackbone

    def build(self, parts, tasks):
        return self.module(parts, tasks)
