"""``segment``: the class of each pixel.

Decisions:
- Pixels whose mask is 255 count neither in the loss nor in the metrics. A batch without any other has loss 0.
- ``miou`` sums pixels over all images first and is then the mean over the classes that occur in masks, as segmentation is reported; the
  mean of images' own ratios would let small images of rare classes rule. ``pixel_accuracy`` is the share of pixels named rightly.
- Counts are made image by image: torchmetrics' own count for each image of a batch holds every pixel once for each class.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from iwm_core.interfaces import NOT_COUNTED, Images
from iwm_tasks.interfaces import Task


@dataclass(kw_only=True)
class Segment(Task):
    """The class of each pixel, from masks."""

    name = "segment"
    main = "miou"
    possible: ClassVar[dict[str, tuple[float, float]]] = {"miou": (0, 1), "pixel_accuracy": (0, 1)}
    answer_kind = "class"
    dense = True

    def outputs(self, images: Images) -> tuple[str, ...]:
        """Names of the pixels' classes; see `Task`."""
        if not images.mask_classes:
            raise ValueError(
                'this data has no masks; to a folder, add data.masks=MY_MASKS "data.mask_classes=[NAME,NAME]"; data=scenes has masks'
            )
        if not 2 <= len(images.mask_classes) <= NOT_COUNTED:
            raise ValueError(f"masks tell from 2 to {NOT_COUNTED} classes apart, and those of this data have {len(images.mask_classes)}")
        return images.mask_classes

    def target(self, images: Images, index: int) -> UInt8[Tensor, "h w"]:
        """The mask of one image; see `Task`."""
        mask, classes = images.mask(index), len(images.mask_classes)
        if mask is None:
            raise ValueError(f"{images.describe(index)} has no mask; give it one or take it out of the data")
        wrong = mask[(mask >= classes) & (mask != NOT_COUNTED)]
        if len(wrong):
            raise ValueError(
                f"the mask of {images.describe(index)} has the value {int(wrong[0])}, and this data has classes 0 to {classes - 1}; "
                f"correct the mask (pixels that are not to count are {NOT_COUNTED}) or the list of its classes"
            )
        return mask

    def loss(self, output: Float[Tensor, "b o h w"], target: UInt8[Tensor, "b h w"]) -> Float[Tensor, ""]:
        """Mean cross entropy of the pixels that count; see `Task`."""
        counted = (target != NOT_COUNTED).sum().clamp(min=1)
        return F.cross_entropy(output, target.long(), ignore_index=NOT_COUNTED, reduction="sum") / counted

    def rows(self, output: Float[Tensor, "b o h w"], target: UInt8[Tensor, "b h w"]) -> Float[Tensor, "b v"]:
        """For each class the pixels rightly said to be of it, those wrongly said to be, and those of it that were missed."""
        from torchmetrics.functional.classification import multiclass_stat_scores  # takes a second

        classes = output.shape[1]
        counts = [
            multiclass_stat_scores(said, truth, classes, "none", ignore_index=NOT_COUNTED, validate_args=False)[:, [0, 1, 3]].T.flatten()
            for said, truth in zip(output.argmax(1), target.long(), strict=True)
        ]
        return torch.stack(counts).float()

    def metrics(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """``miou`` and ``pixel_accuracy``; NaN where no pixel counts."""
        right, wrong, missed = rows.sum(0, dtype=torch.float64).chunk(3)
        occurs = right + missed > 0
        return {
            "miou": float((right / (right + wrong + missed))[occurs].mean()),
            "pixel_accuracy": float(right.sum() / (right + missed).sum()),
        }

    def chance(self, rows: Float[Tensor, "m v"]) -> dict[str, float]:
        """Of the commonest class everywhere."""
        right, _, missed = rows.sum(0, dtype=torch.float64).chunk(3)
        pixels = right + missed
        most = float(pixels.max() / pixels.sum())
        return {"miou": most / max(int((pixels > 0).sum()), 1), "pixel_accuracy": most}

    def answer(self, output: Float[Tensor, "b o h w"]) -> Float[Tensor, "b o h w"]:
        """The probabilities of each pixel's classes."""
        return output.softmax(1)
