"""A tuned model whose every answer is known: tokens are the mean colours of patches, heads read them off."""

from dataclasses import dataclass

import torch
from iwm_tasks.interfaces import Backbone, Task
from iwm_tasks.tuning.model import Lesson, TunedModel
from iwm_tasks.tuning.tuned import Tuned
from torch import nn
from torch.nn import functional as F

SIZE, GRID = 16, 4
COLOURS = ("red", "green", "blue")
SHARP = 20.0
CPU = torch.device("cpu")


class Colours(Backbone):
    """The mean colour of each patch, on a grid of 4 x 4."""

    width, grid = 3, (GRID, GRID)

    def forward(self, images, task):
        return F.adaptive_avg_pool2d(images, self.grid).flatten(2).transpose(1, 2)


class Asked(Colours):
    """As before, and each task moves the tokens by its own number."""

    asks_task = True

    def __init__(self, tasks):
        super().__init__()
        self.moves = nn.Parameter(torch.arange(tasks, dtype=torch.float32))

    def forward(self, images, task):
        return super().forward(images, task) + self.moves[task][:, None, None]


class Sharp(nn.Module):
    """Logits from the mean token: ``SHARP`` times its distance from a level."""

    def __init__(self, level=0.0):
        super().__init__()
        self.scale, self.level = nn.Parameter(torch.tensor(SHARP)), level

    def forward(self, tokens):
        return self.scale * (tokens.mean(1) - self.level)


class Mean(nn.Module):
    def forward(self, tokens):
        return tokens.mean(1)


class SharpMap(nn.Module):
    def forward(self, tokens):
        return SHARP * tokens


@dataclass(kw_only=True)
class Known(Task):
    """What all tasks here share: they are asked, never learned."""

    name = "known"
    main = "none"

    def outputs(self, images):
        return COLOURS

    def target(self, images, index):
        raise NotImplementedError

    loss = rows = metrics = target

    def answer(self, output):
        return output


@dataclass(kw_only=True)
class Class(Known):
    answer_kind = "class"

    def answer(self, output):
        return output.softmax(1)


@dataclass(kw_only=True)
class Labels(Known):
    answer_kind = "labels"

    def answer(self, output):
        return output.sigmoid()


@dataclass(kw_only=True)
class Map(Class):
    dense = True


HEADS = {"colour": Sharp, "shows": lambda: Sharp(0.5), "amount": Mean, "map": SharpMap}
TASKS = {"colour": Class, "shows": Labels, "amount": Known, "map": Map}


def tiny_model(*names, backbone=None):
    dense = {name for name in names if TASKS[name].dense}
    return TunedModel(backbone or Colours(), {name: HEADS[name]() for name in names}, dense, SIZE)


def lessons(*names):
    return {name: Lesson(TASKS[name](), COLOURS) for name in names}


def tiny_tuned(*names, backbone=None):
    return Tuned(tiny_model(*names, backbone=backbone), lessons(*names), SIZE, None, 0, CPU)
