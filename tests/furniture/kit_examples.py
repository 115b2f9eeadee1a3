"""A small component of each kind that keeps to its contract: what tests of the conformance kit break, and how."""

from dataclasses import dataclass

import pytest
import torch
from iwm_devkit import CHECKS
from iwm_tasks.interfaces import HeadComponent
from torch import nn

from iwm_core.interfaces import (
    Action,
    ActionParams,
    DataSource,
    Encoder,
    EncoderComponent,
    Evaluation,
    Evaluator,
    Factor,
    Images,
    Metric,
    Predictor,
    PredictorComponent,
    Targets,
    TargetSelector,
    option,
)


@dataclass(kw_only=True)
class Brighter(Action):
    """Adds light to the source."""

    name = "brighter"
    labels = ("light",)
    identity = torch.zeros(1)
    changes_target = False

    most: float = option(0.5, "most light", low=0, high=1)

    def sample(self, draws):
        light = draws.uniform(1, 0, self.most)
        return ActionParams(light, torch.zeros_like(light))

    def apply(self, images, params):
        return (images + params[:, :, None, None]).clamp(0, 1)

    def encode(self, source, target):
        return target - source


@dataclass(kw_only=True)
class Halves(TargetSelector):
    """Half of the patches is context, the other half is predicted."""

    name = "halves"

    def select(self, draws, grid):
        n = grid[0] * grid[1]
        order = draws.permutation(n)
        return Targets(order[:, : n // 2].sort(dim=1).values, order[:, n // 2 :].sort(dim=1).values[:, None])


class PatchEncoder(Encoder):
    """One linear layer on the pixels of each patch."""

    width = 12

    def __init__(self, size):
        super().__init__()
        self.grid = (4, 4)
        self.side = size // 4
        self.linear = nn.Linear(3 * self.side**2, self.width)

    def forward(self, images, keep=None):
        b, s = len(images), self.side
        patches = images.reshape(b, 3, 4, s, 4, s).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        if keep is not None:
            patches = patches.gather(1, keep[..., None].expand(-1, -1, patches.shape[2]))
        return self.linear(patches)


@dataclass(kw_only=True)
class Patches(EncoderComponent):
    """Patches through one linear layer."""

    name = "patches"
    module = PatchEncoder

    def build(self, image_size):
        return self.module(image_size)


class ToldPredictor(Predictor):
    """The mean of the context, where it was seen, where it is asked for, and the action."""

    def __init__(self, width, grid, action):
        super().__init__()
        self.places = nn.Parameter(torch.randn(grid[0] * grid[1], width))
        self.told = nn.Linear(action, width) if action else None

    def forward(self, context, where, action):
        seen = (context * self.places[where.context]).mean(1)[:, None, None]
        answer = seen + self.places[where.target]
        return answer if self.told is None else answer + self.told(action)[:, None, None]


@dataclass(kw_only=True)
class Told(PredictorComponent):
    """The mean of what was seen, moved by the action."""

    name = "told"
    module = ToldPredictor

    def build(self, width, grid, action):
        return self.module(width, grid, action)


class Mean(nn.Module):
    """A linear layer on the mean token."""

    def __init__(self, width, outputs):
        super().__init__()
        self.linear = nn.Linear(width, outputs)

    def forward(self, tokens):
        return self.linear(tokens.mean(1))


@dataclass(kw_only=True)
class MeanHead(HeadComponent):
    """A linear layer on the mean token."""

    name = "mean"
    module = Mean

    def build(self, width, outputs):
        return self.module(width, outputs)


class LetterImages(Images):
    """Plain images of known shade, with a mask of their upper half."""

    classes = ("dark", "light")
    factors = (Factor("shade"), Factor("half", "class", ("dark", "light")))
    mask_classes = ("below", "above")

    def __init__(self, split):
        self.first = {"train": 0, "validation": 100}[split]

    def __len__(self):
        return 40

    def image(self, index):
        return torch.full((3, 6, 5), self.first + index, dtype=torch.uint8)

    def describe(self, index):
        return f"letter {index}"

    def label(self, index):
        return index % 2

    def factor(self, index):
        return torch.tensor([float(index), float(index % 2)])

    def mask(self, index):
        return (torch.arange(6) < 3).to(torch.uint8)[:, None].expand(6, 5)


@dataclass(kw_only=True)
class Letters(DataSource):
    """Plain images."""

    name = "letters"
    module = LetterImages

    def open(self, split):
        if split not in ("train", "validation"):
            raise ValueError(f"there is no split {split!r}; there are train and validation")
        return self.module(split)


@dataclass(kw_only=True)
class Spread(Evaluator):
    """How far tokens are from their mean."""

    name = "spread"

    images: int = option(20, "images measured", low=1)

    def evaluate(self, model, data, folder, track):
        batches = track(data.batches("validation", self.images, 10), "spread", 2)
        value = float(torch.cat([model.encode(batch.images) for batch in batches]).std())
        return self.found(Metric(value, value, value, self.images), folder)

    def found(self, metric, folder):
        return Evaluation({"spread": metric}, {"images": self.images}, {"spread": "standard deviation of tokens"}, "Tokens are spread out.")


def caught(kind, component, *words):
    """The kit refuses a component, in one line that has these words."""
    with pytest.raises(AssertionError) as error:
        CHECKS[kind](component)
    line = str(error.value).splitlines()[0]  # pytest adds the values below
    assert [word for word in words if word not in line] == [], line


def broken(good, **changes):
    """An instance of a component of which something is otherwise, with the good one's documentation."""
    namespace = {"__doc__": good.__doc__, "name": good.name, **changes}
    return dataclass(kw_only=True)(type(good.__name__, (good,), namespace))()
