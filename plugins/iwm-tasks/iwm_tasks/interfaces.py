"""Tuning: what is trained of a world model (protocols), what for (tasks), and what answers (heads) (PAPER §7)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from iwm_core.interfaces.component import Component
from iwm_core.interfaces.data import Images
from iwm_core.interfaces.weights import Encoder, Predictor


class WorldModelParts(NamedTuple):
    """A pretrained world model, taken apart: the modules are copies that a protocol may freeze, train and keep.

    Attributes:
        encoder: the teacher.
        predictor: with its pretrained weights.
        fresh_predictor: makes one of the same shape with new random weights, from the global generator.
        action: numbers of an encoded action; zeros are the null action.
        image_size: side of its square images in pixels.
    """

    encoder: Encoder
    predictor: Predictor
    fresh_predictor: Callable[[], Predictor]
    action: int
    image_size: int


class Backbone(nn.Module, ABC):
    """Images to the tokens that heads are given. What is trained of it are its parameters that require gradients.

    Attributes:
        width: embedding dimension, ``d``.
        grid: rows and columns of the tokens' places; None where they lie on no grid, so that no dense head can use them.
        asks_task: the tokens depend on the task, so that each task costs a pass of its own, as far as `for_each` does not share it.
    """

    width: int
    grid: tuple[int, int] | None
    asks_task: bool = False

    @abstractmethod
    def forward(self, images: Float[Tensor, "b 3 h w"], task: Int[Tensor, "b"]) -> Float[Tensor, "b n d"]:
        """Tokens of images in [0, 1], each asked for the task of that number."""

    def for_each(self, images: Float[Tensor, "b 3 h w"], tasks: int) -> list[Float[Tensor, "b n d"]]:
        """The tokens of the images for each of ``tasks``, as `forward` gives them in evaluation mode. Override it where tasks share a
        part of the work, which is then done once."""
        if not self.asks_task:
            return [self(images, numbered(images, 0))] * tasks
        return [self(images, numbered(images, task)) for task in range(tasks)]

    def lr_scales(self) -> dict[str, float]:
        """What multiplies the learning rate of a parameter, by its name in this module; 1 for those left out."""
        return {}

    def untold(self) -> dict[str, Bool[Tensor, "..."]]:
        """Entries of its parameters that its tokens do not depend on, by name in this module: not trained, not decayed, not counted."""
        return {}


def numbered(images: Float[Tensor, "b 3 h w"], task: int) -> Int[Tensor, "b"]:
    """The number of a task, for each of the images."""
    return torch.full((images.shape[0],), task, device=images.device)


@dataclass(kw_only=True)
class Protocol(Component, ABC):
    """What of a world model is trained for tasks, and what heads see of it."""

    @abstractmethod
    def build(self, parts: WorldModelParts, tasks: int) -> Backbone:
        """The backbone for a number of tasks; what it does not train has ``requires_grad`` off and stays in evaluation mode.

        Raises:
            ValueError: the fields do not fit this world model.
        """


@dataclass(kw_only=True)
class Task(Component, ABC):
    """Something to learn of images, and how to tell how well it was learned.

    Attributes:
        dense: the target is a mask, which is cropped and flipped with its image, and the head gives a map.
        mixes: a target is one class, which mixup, cutmix and label smoothing may soften to shares of classes.
        answer_kind: what ``answer`` gives: ``class`` (the probability of each class, one of which is right), ``labels`` (the probability
            of each label, any of which may be right) or ``numbers``; of a dense task always ``class``.
        main: the metric that comparisons show; the first that ``metrics`` gives.
        possible: the least and the most that a metric can be, by measure (its name without its part), which its intervals keep to.
    """

    dense: ClassVar[bool] = False
    mixes: ClassVar[bool] = False
    answer_kind: ClassVar[str] = "numbers"
    main: ClassVar[str]
    possible: ClassVar[dict[str, tuple[float, float]]] = {}

    @abstractmethod
    def outputs(self, images: Images) -> tuple[str, ...]:
        """What the head's outputs stand for, in their order.

        Raises:
            ValueError: this data has nothing of the kind; the text names the fix.
        """

    @abstractmethod
    def target(self, images: Images, index: int) -> Shaped[Tensor, "..."]:
        """What is to be learned of one image.

        int64 [] for a class, bool [o] for labels, float [v] for numbers, uint8 [h w] for a mask (255: not counted).

        Raises:
            ValueError: this image lacks it, or it is not what ``outputs`` promises; the text names the image and the fix.
        """

    @abstractmethod
    def loss(self, output: Float[Tensor, "b o ..."], target: Shaped[Tensor, "b ..."]) -> Float[Tensor, ""]:
        """The loss of a head's outputs; a task that ``mixes`` may be given float [b o], shares of classes, instead of classes."""

    @abstractmethod
    def rows(self, output: Float[Tensor, "b o ..."], target: Shaped[Tensor, "b ..."]) -> Float[Tensor, "b v"]:
        """What `metrics` needs to know of each image, such as whether its class was named rightly."""

    @abstractmethod
    def metrics(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """How well it was learned, from the rows of ``m`` images, the main metric first; intervals come from resampling the rows."""

    def chance(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """What an answer that knows nothing of these images but how common each is would get, of those metrics where that is known."""
        return {}

    @abstractmethod
    def answer(self, output: Float[Tensor, "b o ..."]) -> Float[Tensor, "b o ..."]:
        """What a user is told: probabilities of classes or of labels, or the numbers themselves."""


@dataclass(kw_only=True)
class HeadComponent(Component, ABC):
    """Builds a head: a module from tokens [b n d] to a task's output [b o].

    Attributes:
        dense: it maps tokens on their grid, [b d gh gw], to maps [b o h2 w2] of any size, which tuning resizes to the image's.
    """

    dense: ClassVar[bool] = False

    @abstractmethod
    def build(self, width: int, outputs: int) -> nn.Module:
        """An initialised head for tokens of ``width`` numbers with ``outputs`` output channels."""
