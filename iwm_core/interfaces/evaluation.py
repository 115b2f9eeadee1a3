"""Evaluators: what they measure, and the frozen model and data that they see."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces.actions import Action, ActionParams, Transformation, Views
from iwm_core.interfaces.component import Component, option
from iwm_core.interfaces.data import Factor
from iwm_core.interfaces.results import Evaluation, NotApplicable


class ImageBatch(NamedTuple):
    """A batch of untransformed, centre-cropped images, as large as the views from which training makes source and target (``view.canvas``).

    A `WorldModel` takes them as they are: actions crop from them, or see them whole. Of an observed action, also targets and numbers.
    """

    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    images: Float[Tensor, "b 3 h w"]
    labels: Int[Tensor, "b"]
    factors: Float[Tensor, "b f"]
    target: Float[Tensor, "b 3 h w"] | None = None
    action: Float[Tensor, "b a"] | None = None

    def take(self, rows: Tensor | slice) -> "ImageBatch":
        """Some of the images, by a slice, places or a mask."""
        return ImageBatch(*(None if part is None else part[rows] for part in self))  # pyright: ignore[reportArgumentType]


class WorldModel(ABC):
    """A frozen model as evaluators see it.

    Attributes:
        actions: the recipe's actions in sequence.
        parts: each of them by its name, in their order: parameters and numbers of ``actions`` are theirs, joined.
        names: which action each number of the encoded action belongs to, ``len(names) == len(actions.labels)``.
        grid: rows and columns of patches.
        image_size: pixels of the square input.
        device: where the weights are.
    """

    actions: Transformation
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
        """From tokens that `encode` gave, predicted `targets` of all patches after each of ``c`` encoded actions (PAPER §6)."""

    @abstractmethod
    def views(self, images: Float[Tensor, "b 3 h w"], params: ActionParams, target: Float[Tensor, "b 3 h w"] | None = None) -> Views:
        """The views that training would make of these images with these parameters (PAPER §2).

        ``target``: the second images of pairs, where ``params`` hold an observed action other than zeros.
        """

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

    def actions(self, split: str, count: int) -> Float[Tensor, "c a"]:
        """The observed actions of the images that `batches` gives for this ``count``, without decoding them; on the CPU.

        Those of corrupt pairs are left out where the action itself is corrupt, and may be among them where an image is.
        """
        return torch.empty(min(count, self.count(split)), 0)


Track = Callable[[Iterable[Any], str, int], Iterable[Any]]
"""Wraps an iterable in a progress bar: ``for x in track(items, "ranking", len(items))``."""


def check_finite(*numbers: Tensor) -> None:
    """Check latents, predictions, or what was made of them: a `ValueError` where a model cannot be measured by such numbers."""
    if not all(bool(each.isfinite().all()) for each in numbers):
        raise ValueError("this model's latents or predictions are not finite numbers; has training diverged?")


@dataclass(kw_only=True)
class Evaluator(Component, ABC):
    """Measures a frozen model. Most begin with `asked` and `batches`, and end with `check_finite`."""

    every: str = option("0", 'also measure during training, each: steps or "N epochs"; 0: only at its end')

    @abstractmethod
    def evaluate(self, model: WorldModel, data: EvaluationData, folder: Path, track: Track) -> Evaluation:
        """Measure; what is returned is written and drawn. Files of its own go into ``folder`` as ``<name>_*``.

        The folder is empty, and elsewhere: its files are put in place with what is returned, and dropped in training.
        The same checkpoint, data and settings give the same numbers again, and the global random generator is left alone.

        Raises:
            NotApplicable: this recipe has nothing for it to measure.
            ValueError: this model or data cannot be measured; the text says why.
        """

    def asked(self, data: EvaluationData, images: int, split: str = "validation", least: int = 1) -> int:
        """How many images of a split are measured: ``images``, or all where that is 0 or there are fewer.

        Raises:
            ValueError: there are none.
            NotApplicable: there are fewer than ``least``, which cannot be compared.
        """
        there = data.count(split)
        count = min(images or there, there)
        if count == 0:
            raise ValueError(f"{self.name} needs {split} images, and this data has none")
        if count < least:
            raise NotApplicable(f"{self.name} compares images, and {count} are too few")
        return count

    def batches(
        self, data: EvaluationData, count: int, size: int, track: Track, split: str = "validation", doing: str = ""
    ) -> Iterator[ImageBatch]:
        """``count`` images of a split in batches of ``size``, with progress; ``doing`` says what for, where there are several passes."""
        yield from track(data.batches(split, count, size), f"{self.name}: {doing}" if doing else self.name, -(-count // size))
