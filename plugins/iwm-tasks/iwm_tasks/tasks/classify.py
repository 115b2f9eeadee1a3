"""``classify``: one class an image, which is its label or made of one of its factors.

Decisions:
- What the classes are follows from the fields and the data's own description, never from a look at the images: so training and
  validation images, and a tuned model years later, mean the same by a class.
- A turn, such as a hue, is cut into equal sectors, the first of which has 0 in its middle: red is one class, not two half ones.
- The loss is the cross entropy, which takes classes and shares of classes alike.
- ``balanced_accuracy`` is the mean over the classes that occur of the share of their images named rightly (scikit-learn's of that name);
  it differs from ``accuracy`` where classes have different numbers of images. ``top5`` where there are more than five classes.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import Factor, Images, option
from iwm_tasks.interfaces import Task
from iwm_tasks.tasks.known import find, read

TOP = 5
SAME = 1e-4  # numbers that differ by less are one value: factors are float32


@dataclass(kw_only=True)
class Classify(Task):
    """One class an image: its label, or a factor's class, value or range."""

    name = "classify"
    main = "accuracy"
    possible: ClassVar[dict[str, tuple[float, float]]] = {"accuracy": (0, 1), "balanced_accuracy": (0, 1), "top5": (0, 1)}
    answer_kind = "class"
    mixes = True

    of: str = option("", "the factor that gives the class; empty: the label")
    values: list[float] = option([], "of a factor that is a number: the values that are classes, such as [1, 2, 3]")
    bins: int = option(0, "of a factor that is a number or turn: classes of equal width that its range is cut into", low=0)
    span: list[float] = option([0.0, 1.0], "the range that bins cut, for a number; what lies outside counts to the first or last bin")
    names: list[str] = option([], "what to call the classes; empty: what the data calls them")

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.span) != 2 or not self.span[0] < self.span[1]:
            raise ValueError(f"classify.span must be two numbers, low and high, as in [0, 1], got {self.span}")
        if self.values and self.bins:
            raise ValueError("classify takes values or bins, not both; leave one of them out")
        if (self.values or self.bins) and not self.of:
            raise ValueError("classify.values and classify.bins are about a factor; name it with of, as in of: hue")
        if len(set(self.names)) < len(self.names) or not all(name.strip() for name in self.names):
            raise ValueError(f"classify.names={self.names} has an empty name, or one twice; each class needs a name of its own")
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"classify.values names a value twice: {self.values}")

    def outputs(self, images: Images) -> tuple[str, ...]:
        """Names of the classes; see `Task`."""
        classes = self.classes(images)
        what = f"values of the factor {self.of}" if self.of else "labels of this data"
        if len(classes) < 2:
            raise ValueError(f"a classifier needs at least two classes, and the {what} tell {len(classes)}: {', '.join(classes)}")
        if not self.names:
            return classes
        if len(self.names) != len(classes):
            raise ValueError(f"classify.names gives {len(self.names)} names, and the {what} tell {len(classes)} classes; give one for each")
        return tuple(self.names)

    def classes(self, images: Images) -> tuple[str, ...]:
        """What the data calls the classes."""
        if not self.of:
            if not images.classes:
                raise ValueError(
                    "this data has no labels; in a folder, each class is a folder of its own; with data=hub, add data.label_column=NAME"
                )
            return images.classes
        factor = find(images, self.of)
        if self.bins and factor.kind == "turn":
            return tuple(f"{self.of} {bin}/{self.bins}" for bin in range(self.bins))
        if self.bins and factor.kind == "number":
            low, high = self.span
            edges = [low + (high - low) * edge / self.bins for edge in range(self.bins + 1)]
            return tuple(f"{self.of} {start:.3g} to {end:.3g}" for start, end in pairwise(edges))
        if self.values and factor.kind == "number":
            return tuple(f"{value:g}" for value in self.values)
        if factor.kind == "class" and not (self.values or self.bins):
            return factor.values
        fix = {
            "class": "has classes of its own; leave values and bins out",
            "turn": "is a turn; give bins, as in bins: 6",
            "number": "is a number; give values, as in values: [1, 2, 3], or bins and span, or take the task regress",
        }
        raise ValueError(f"the factor {self.of} {fix[factor.kind]}")

    def target(self, images: Images, index: int) -> Int[Tensor, ""]:
        """The class of one image; see `Task`."""
        if self.of:
            return torch.tensor(self.of_factor(find(images, self.of), images, index))
        label, classes = images.label(index), images.classes
        if label < 0:
            why = images.why_unlabelled(index)
            raise ValueError(f"{images.describe(index)} has no label{why and f' ({why})'}; label it or take it out of the data")
        if label >= len(classes):
            raise ValueError(
                f"{images.describe(index)} has label {label}, and this data has classes 0 to {len(classes) - 1}; correct the label"
            )
        return torch.tensor(label)

    def of_factor(self, factor: Factor, images: Images, index: int) -> int:
        """The class that a factor gives an image."""
        (value,) = read(images, index, [factor])
        if self.bins and factor.kind == "turn":
            return math.floor(value * self.bins + 0.5) % self.bins
        if self.bins:
            low, high = self.span
            return min(max(math.floor((value - low) / (high - low) * self.bins), 0), self.bins - 1)
        if self.values:
            found = [place for place, known in enumerate(self.values) if abs(value - known) < SAME]
            if not found:
                raise ValueError(
                    f"{images.describe(index)}: its factor {self.of} is {value:g}, none of classify.values={self.values}; add it"
                )
            return found[0]
        if value not in range(len(factor.values)):
            known = f"this data has classes 0 to {len(factor.values) - 1}"
            raise ValueError(f"{images.describe(index)}: its factor {self.of} is {value:g}, and {known}; correct it")
        return int(value)

    def loss(self, output: Float[Tensor, "b o"], target: Shaped[Tensor, "b ..."]) -> Float[Tensor, ""]:
        """Mean cross entropy; see `Task`."""
        return F.cross_entropy(output, target)

    def rows(self, output: Float[Tensor, "b o"], target: Int[Tensor, "b"]) -> Float[Tensor, "b v"]:
        """The class, whether it is the most probable, and with more than five classes whether it is among the first five."""
        from torchmetrics.functional.classification import multiclass_stat_scores  # takes a second

        classes = output.shape[1]
        # To torchmetrics an image is one of many places whose counts are kept for each place: the first count is that of right answers.
        right = [
            multiclass_stat_scores(output[..., None], target[:, None], classes, "micro", top, "samplewise", validate_args=False)[:, 0]
            for top in ((1, TOP) if classes > TOP else (1,))
        ]
        return torch.stack([target, *right], 1).float()

    def metrics(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """``accuracy``, ``balanced_accuracy`` and ``top5``."""
        target, right = rows[:, 0].long(), rows[:, 1]
        images = torch.bincount(target)
        shares = torch.bincount(target, right) / images
        found = {"accuracy": float(right.mean()), "balanced_accuracy": float(shares[images > 0].mean())}
        return found | ({"top5": float(rows[:, 2].mean())} if rows.shape[1] > 2 else {})

    def chance(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """Of the commonest class for every image, and of the five commonest."""
        images = torch.bincount(rows[:, 0].long())
        shares = (images / images.sum()).sort(descending=True).values
        found = {"accuracy": float(shares[0]), "balanced_accuracy": 1 / int((images > 0).sum())}
        return found | ({"top5": float(shares[:TOP].sum())} if rows.shape[1] > 2 else {})

    def answer(self, output: Float[Tensor, "b o"]) -> Float[Tensor, "b o"]:
        """The classes' probabilities."""
        return output.softmax(1)
