"""What a plugin implements: one abstract base class a kind, and the few records that pass between them.

A component is a dataclass; its fields are its config, its command-line overrides and its documentation. Stateless kinds (actions,
target selectors, evaluators, data sources) *are* the dataclass; kinds with weights (encoders, predictors, heads) are built by it.

Axes: ``b`` batch · ``h w`` pixels · ``n`` patches (gh*gw) · ``k`` context patches · ``m`` target groups · ``t`` patches a group ·
``d`` width · ``a`` numbers of an encoded action · ``p`` parameters of an action.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from iwm_core.component import Component as Component
from iwm_core.component import option as option
from iwm_core.draws import Draws as Draws
from iwm_core.results import CONTROLS as CONTROLS
from iwm_core.results import Chart as Chart
from iwm_core.results import Evaluation as Evaluation
from iwm_core.results import Gallery as Gallery
from iwm_core.results import Metric as Metric
from iwm_core.results import NotApplicable as NotApplicable
from iwm_core.results import Row as Row
from iwm_core.results import Series as Series

# ---------------------------------------------------------------------------------------------------------------- actions


class ActionParams(NamedTuple):
    """The parameters of an action for a batch: how the source and how the target are made from the shared view."""

    source: Float[Tensor, "b p"]
    target: Float[Tensor, "b p"]


@dataclass(kw_only=True)
class Action(Component, ABC):
    """A parametric image transformation that leads from source to target (PAPER §4).

    Attributes:
        labels: one for each number of the encoded action, used by reports and by ``imagine``.
        identity: the parameters that leave an image as it is, float [p], on the CPU.
        changes_target: False when ``sample`` always leaves the target as it is, so that the core need not apply it there.
    """

    labels: ClassVar[tuple[str, ...]]
    identity: ClassVar[Float[Tensor, "p"]]
    changes_target: ClassVar[bool] = True

    @abstractmethod
    def sample(self, draws: Draws) -> ActionParams:
        """Parameters for a batch, float [b p] on the device of ``draws``; the action decides the asymmetry of the two sides."""

    @abstractmethod
    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        """Transformed images in [0, 1]: batched, on any device, without randomness, inputs unchanged."""

    @abstractmethod
    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        """What the predictor is told, each number about in [-1, 1]; equal sides of an invertible action give zeros, the null action."""

    def apply_target(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        """``apply`` for target images: skipped where this action never changes a target."""
        return self.apply(images, params) if self.changes_target else images


class Views(NamedTuple):
    """Source, target and the encoded action between them."""

    source: Float[Tensor, "b 3 h w"]
    target: Float[Tensor, "b 3 h w"]
    action: Float[Tensor, "b a"]


# ---------------------------------------------------------------------------------------------------------------- targets


class Targets(NamedTuple):
    """Which patches the student sees and which the predictor predicts; indices into the row-major grid, ascending."""

    context: Int[Tensor, "b k"]
    target: Int[Tensor, "b m t"]


@dataclass(kw_only=True)
class TargetSelector(Component, ABC):
    """Chooses context and predicted patches (PAPER §3)."""

    @abstractmethod
    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        """Context and targets for a batch; k, m and t depend on the fields and the grid alone.

        Raises:
            ValueError: the fields cannot be satisfied on this grid.
        """


# ---------------------------------------------------------------------------------------------------------------- weights


class Encoder(nn.Module, ABC):
    """Images to patch tokens.

    Attributes:
        width: numbers of a token, ``d``.
        grid: rows and columns of patches, ``(gh, gw)``.
    """

    width: int
    grid: tuple[int, int]

    @abstractmethod
    def forward(self, images: Float[Tensor, "b 3 h w"], keep: Int[Tensor, "b k"] | None = None) -> Float[Tensor, "b k d"]:
        """Tokens of the patches in ``keep`` (all patches when None), from images in [0, 1]; dropped patches cost nothing."""


class Predictor(nn.Module, ABC):
    """The world model: context tokens, asked positions and an action to the target's tokens."""

    @abstractmethod
    def forward(self, context: Float[Tensor, "b k d"], where: Targets, action: Float[Tensor, "b a"]) -> Float[Tensor, "b m t d"]:
        """Predicted teacher tokens at ``where.target`` from tokens at ``where.context``."""


@dataclass(kw_only=True)
class EncoderComponent(Component, ABC):
    """Builds an encoder."""

    @abstractmethod
    def build(self, image_size: int) -> Encoder:
        """An initialised encoder for square images of ``image_size`` pixels.

        Raises:
            ValueError: the fields do not fit together or not to the image size.
        """

    def rebuild(self, image_size: int) -> Encoder:
        """As `build`, where a checkpoint's weights follow: overridden where initial weights would be fetched from elsewhere."""
        return self.build(image_size)


@dataclass(kw_only=True)
class PredictorComponent(Component, ABC):
    """Builds a predictor."""

    @abstractmethod
    def build(self, width: int, grid: tuple[int, int], action: int) -> Predictor:
        """An initialised predictor between tokens of ``width`` numbers on ``grid``, told ``action`` numbers (0: no action).

        Raises:
            ValueError: the fields do not fit together.
        """


@dataclass(kw_only=True)
class HeadComponent(Component, ABC):
    """Builds a head: a module from tokens [b n d] to a task's output."""

    @abstractmethod
    def build(self, width: int, outputs: int) -> nn.Module:
        """An initialised head for tokens of ``width`` numbers with ``outputs`` output channels."""


# ---------------------------------------------------------------------------------------------------------------- data


class Factor(NamedTuple):
    """A known factor of every image of a dataset.

    Attributes:
        name: what it is called.
        kind: ``number``; ``turn``, a number in turns where 0 and 1 are the same, such as a hue; or ``class``, an index of ``values``.
        values: names of the classes.
    """

    name: str
    kind: str = "number"
    values: tuple[str, ...] = ()


class CorruptImage(Exception):
    """An image that cannot be decoded; its text says why."""


class Images(ABC):
    """One split of a dataset, in a fixed order. Instances are pickled into data workers.

    Attributes:
        classes: names of the labels; empty where there are none.
        factors: the known factors of every image; empty where there are none.
    """

    classes: tuple[str, ...] = ()
    factors: tuple[Factor, ...] = ()

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        """The decoded RGB image.

        Raises:
            CorruptImage: the file cannot be decoded; the core quarantines it and goes on.
        """

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        """Several images at once, with the error in the place of one that cannot be decoded; overridden where a batch is faster."""
        return [self._image_or_error(index) for index in indices.tolist()]

    def _image_or_error(self, index: int) -> UInt8[Tensor, "3 h w"] | CorruptImage:
        try:
            return self.image(index)
        except CorruptImage as error:
            return error

    @abstractmethod
    def describe(self, index: int) -> str:
        """What to call this image in a message, such as its path."""

    def label(self, index: int) -> int:
        """The class of an image, or -1 where there are no labels."""
        return -1

    def factor(self, index: int) -> Float[Tensor, "f"]:
        """The known factors of an image, in the order of ``factors``."""
        return torch.empty(0)

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        """The segmentation mask of an image (0: background), or None where there is none."""
        return None


@dataclass(kw_only=True)
class DataSource(Component, ABC):
    """Opens the splits of a dataset."""

    cache: str = option(
        "none", "keep decoded images: none (decode every time), ram (host memory), device", choices=("none", "ram", "device")
    )
    max_corrupt: float = option(0.01, "share of unreadable images above which training stops", low=0, high=1)

    @abstractmethod
    def open(self, split: str) -> Images:
        """The ``train`` or ``validation`` split.

        Raises:
            ValueError: the data cannot be found or has no such split; the text names the fix.
        """


# ---------------------------------------------------------------------------------------------------------------- evaluation


class ImageBatch(NamedTuple):
    """A batch of untransformed, centre-cropped images."""

    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    images: Float[Tensor, "b 3 h w"]
    labels: Int[Tensor, "b"]
    factors: Float[Tensor, "b f"]


class WorldModel(ABC):
    """A frozen model as evaluators see it.

    Attributes:
        actions: the recipe's actions in sequence, as one action.
        parts: each of them by its name, in their order: parameters and numbers of ``actions`` are theirs, joined.
        names: which action each number of the encoded action belongs to, ``len(names) == len(actions.labels)``.
        grid: rows and columns of patches.
        image_size: pixels of the square input.
        device: where the weights are.
    """

    actions: Action
    parts: dict[str, Action]
    names: tuple[str, ...]
    grid: tuple[int, int]
    image_size: int
    device: torch.device

    @abstractmethod
    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The teacher's tokens of whole images in [0, 1]: the features."""

    @abstractmethod
    def student(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The student's tokens of whole images: what the teacher follows."""

    @abstractmethod
    def targets(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The teacher's tokens layer-normalised as in training: what a prediction is compared with."""

    @abstractmethod
    def predict(self, tokens: Float[Tensor, "b n d"], actions: Float[Tensor, "b c a"]) -> Float[Tensor, "b c n d"]:
        """From `encode`d images, predicted `targets` of all patches after each of ``c`` encoded actions (PAPER §6: 2N tokens in)."""

    @abstractmethod
    def views(self, images: Float[Tensor, "b 3 h w"], params: ActionParams) -> Views:
        """The views that training would make of these images with these parameters (PAPER §2)."""

    @abstractmethod
    def reinitialised(self, seed: int) -> "WorldModel":
        """The same encoder with a predictor of new random weights: the control for what the predictor has learned (PAPER §7)."""


class EvaluationData(ABC):
    """The data of a run as evaluators see it; each image is a pure function of its index.

    Attributes:
        seed: for the evaluator's `Draws`.
        classes: names of the labels.
        factors: the known factors.
    """

    seed: int
    classes: tuple[str, ...]
    factors: tuple[Factor, ...] = ()

    @abstractmethod
    def count(self, split: str) -> int:
        """Readable images in ``train`` or ``validation``."""

    @abstractmethod
    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        """``count`` images (or all, where there are fewer), spread evenly over the split, in batches of ``size`` on the model's device."""


Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Wraps an iterable in a progress bar: ``for x in track(items, "ranking", len(items))``."""


@dataclass(kw_only=True)
class Evaluator(Component, ABC):
    """Measures a frozen model."""

    every: str = option("0", 'also measure during training, each: steps or "N epochs"; 0: only at its end')

    @abstractmethod
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """Measure; the core writes and draws what is returned. Files of its own go into ``folder`` as ``<name>_*``.

        The same checkpoint, data and settings give the same numbers again, and the global random generator is left alone.

        Raises:
            NotApplicable: this recipe has nothing for it to measure.
            ValueError: this model or data cannot be measured; the text says why.
        """
