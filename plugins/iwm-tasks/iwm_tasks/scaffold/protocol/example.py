"""Heads on the frozen teacher's tokens, each number of which is scaled and shifted: little is trained, and the teacher stays as it is."""

from dataclasses import dataclass

import torch
from iwm_tasks.interfaces import Backbone, Protocol, WorldModelParts
from jaxtyping import Float, Int
from torch import Tensor, nn

from iwm_core.interfaces import option


class ExampleBackbone(Backbone):
    """Images to tokens; `width` and `grid` tell heads what they are like. What requires gradients is trained."""

    def __init__(self, config: "Example", parts: WorldModelParts, tasks: int) -> None:
        super().__init__()
        self.teacher = parts.encoder.requires_grad_(False)
        self.width, self.grid = parts.encoder.width, parts.encoder.grid
        self.asks_task = tasks > 1  # the tokens depend on the task: each has a scale and a shift of its own
        self.lr_scale = config.lr_scale
        self.scale = nn.Parameter(torch.ones(tasks, self.width))
        self.shift = nn.Parameter(torch.zeros(tasks, self.width))

    def forward(self, images: Float[Tensor, "b 3 h w"], task: Int[Tensor, "b"]) -> Float[Tensor, "b n d"]:
        with torch.no_grad():  # nothing below it is trained
            tokens = self.teacher(images)
        return tokens * self.scale[task][:, None] + self.shift[task][:, None]

    def train(self, mode: bool = True) -> "ExampleBackbone":
        super().train(mode)
        self.teacher.eval()  # what is not trained stays in evaluation mode
        return self

    def lr_scales(self) -> dict[str, float]:
        """What multiplies the learning rate, over that of the heads."""
        return {"scale": self.lr_scale, "shift": self.lr_scale}


@dataclass(kw_only=True)
class Example(Protocol):
    """The frozen teacher's tokens, scaled and shifted for each task."""

    name = "example"  # by which recipes choose it

    # A field is an option of recipes and of the command line; its range is checked, its text shown by `iwm components`.
    lr_scale: float = option(1.0, "learning rate of scales and shifts, over that of the heads", low=0)

    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        """The parts are copies of a pretrained world model; ``parts.predictor`` is there, too."""
        return ExampleBackbone(self, parts, tasks)
