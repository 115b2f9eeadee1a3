"""``multilabel``: which of the classes an image shows, where it may show several or none.

Decisions:
- Each class is a yes or no of its own: binary cross entropy. Class names are those of the labels.
- ``map`` is the mean over classes of average precision, ``f1`` that of the F1 score where a probability above one half is a yes. Both are
  over the classes that some image shows: average precision is undefined for the others.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Images
from iwm_tasks.interfaces import Task


@dataclass(kw_only=True)
class Multilabel(Task):
    """Which of the classes an image shows."""

    name = "multilabel"
    main = "map"
    possible: ClassVar[dict[str, tuple[float, float]]] = {"map": (0, 1), "f1": (0, 1)}
    answer_kind = "labels"

    def outputs(self, images: Images) -> tuple[str, ...]:
        """Names of the classes; see `Task`."""
        if not images.classes or (len(images) and images.labels(0) is None):
            raise ValueError('this data does not tell all classes that an image shows; choose data that does, or write "tasks=[classify]"')
        return images.classes

    def target(self, images: Images, index: int) -> Bool[Tensor, "o"]:
        """Whether the image shows each class; see `Task`."""
        shown = images.labels(index)
        if shown is None:
            raise ValueError(f"{images.describe(index)} does not tell the classes it shows; label it or take it out of the data")
        if len(shown) != len(images.classes):
            raise ValueError(
                f"{images.describe(index)} says yes or no to {len(shown)} classes, and this data has {len(images.classes)}; "
                "correct its labels or the list of classes"
            )
        return shown

    def loss(self, output: Float[Tensor, "b o"], target: Bool[Tensor, "b o"]) -> Float[Tensor, ""]:
        """Mean binary cross entropy; see `Task`."""
        return F.binary_cross_entropy_with_logits(output, target.float())

    def rows(self, output: Float[Tensor, "b o"], target: Bool[Tensor, "b o"]) -> Float[Tensor, "b v"]:
        """The probability of each class, then whether the image shows it."""
        return torch.cat([self.answer(output), target.float()], 1)

    def metrics(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """``map`` and ``f1``; NaN where no image shows any class."""
        from torchmetrics.functional.classification import multilabel_average_precision, multilabel_f1_score  # takes a second

        said, shown = rows.chunk(2, 1)
        occurs = shown.any(0)
        if not occurs.any():
            return {"map": float("nan"), "f1": float("nan")}
        said, shown = said[:, occurs], shown[:, occurs].long()
        # With one label torchmetrics would leave out the axis of labels, so the mean is taken here.
        precision = multilabel_average_precision(said, shown, shown.shape[1], average="none", validate_args=False)
        f1 = multilabel_f1_score(said, shown, shown.shape[1], average="none", validate_args=False)
        return {"map": float(precision.mean()), "f1": float(f1.mean())}

    def chance(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """Of one probability for all images, above one half."""
        shares = rows.chunk(2, 1)[1].double().mean(0)
        shares = shares[shares > 0]
        return {"map": float(shares.mean()), "f1": float((2 * shares / (1 + shares)).mean())}

    def answer(self, output: Float[Tensor, "b o"]) -> Float[Tensor, "b o"]:
        """The probability that the image shows each class."""
        return output.sigmoid()
