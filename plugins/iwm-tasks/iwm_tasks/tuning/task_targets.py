"""Targets of images as tasks give them, checked.

Decisions:
- Whatever is wrong with a target is found before a run begins where looking is cheap: all classes and numbers, but only some masks, as each
  costs the decoding of two files.
- A class that nothing shows cannot be learned, but does no harm: a warning, of masks only where all of them were looked at. Masks that
  show no class at all teach nothing and measure nothing: they are refused.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage, Images
from iwm_core.interfaces.errors import UserError
from iwm_tasks.interfaces import Task

LOOKED_AT = 16  # images whose masks are looked at before a run
NAMED = 3  # classes named in a warning
SPLITS = {"train": "training", "validation": "validation"}


class WrongTarget(Exception):
    """A target that cannot be learned from; its text names the image and the fix."""


def target_of(task: Task, images: Images, index: int, image: UInt8[Tensor, "3 h w"]) -> Shaped[Tensor, "..."]:
    """The target of a decoded image.

    Raises:
        WrongTarget: the task refuses it, or a mask is of another size than its image.
        CorruptImage: its mask cannot be decoded.
    """
    try:
        target = task.target(images, index)
    except ValueError as error:
        raise WrongTarget(str(error)) from error
    if task.dense and target.shape != image.shape[1:]:
        height, width = target.shape
        raise WrongTarget(
            f"the mask of {images.describe(index)} has {width} x {height} pixels, but its image {image.shape[2]} x {image.shape[1]}: "
            f"make the mask of its image's size"
        )
    return target


def check_targets(images: Images, tasks: dict[str, Task], outputs: dict[str, tuple[str, ...]], split: str) -> list[str]:
    """Look at the targets of a split before a run begins: at all of them, or, of masks, at a few.

    Args:
        images: the split.
        tasks: what is to be learned.
        outputs: what the outputs of each task stand for.
        split: ``train`` or ``validation``.

    Returns:
        Warnings, such as of classes that no training image shows.

    Raises:
        UserError: a target is wrong; the text names the first image and says how many there are.
    """
    warnings = []
    for name, task in tasks.items():
        count = min(LOOKED_AT, len(images)) if task.dense else len(images)
        faults, shown, classes, seen = [], torch.zeros(len(outputs[name]), dtype=torch.bool), count == len(images), 0
        for target in targets(task, images, torch.arange(count) * len(images) // count):
            if isinstance(target, WrongTarget):
                faults.append(str(target))
                continue
            index, value = target
            seen += 1
            whole = not value.is_floating_point() and value.dtype != torch.bool
            counted = value[value != NOT_COUNTED] if task.dense else value.reshape(-1)
            if whole and counted.numel() and not 0 <= counted.min() <= counted.max() < len(shown):
                far = counted.max() if counted.min() >= 0 else counted.min()
                faults.append(
                    f"{images.describe(index)} has the class {far}, and the task {name} knows 0 to {len(shown) - 1}: correct it, "
                    f"or make its class one of those in training"
                )
            elif whole:
                shown[counted.long()] = True
            elif value.dtype == torch.bool:
                shown |= value
            else:
                classes = False
        what = f"{SPLITS[split]} images" + (" looked at" if count < len(images) else "")
        if faults:
            raise UserError(faults[0] + (f" ({len(faults)} of {count} {what} are so)" if len(faults) > 1 else ""))
        if task.dense and seen and not shown.any():
            raise UserError(
                f"no pixel of the masks of {seen} {what} counts for the task {name}, so that there is nothing to learn or to measure: "
                "correct the masks, or take the values that do count out of data.mask_ignore"
            )
        if classes and split == "train":
            warnings += missing([output for output, some in zip(outputs[name], shown.tolist(), strict=True) if not some])
    return warnings


def targets(task: Task, images: Images, index: Tensor) -> Iterator[tuple[int, Tensor] | WrongTarget]:
    """The targets of images that can be read, or what is wrong with them."""
    blank = torch.empty(3, 0, 0, dtype=torch.uint8)
    decoded = images.images(index) if task.dense else (blank for _ in index)
    for i, image in zip(index.tolist(), decoded, strict=True):
        if isinstance(image, CorruptImage):
            continue
        try:
            yield i, target_of(task, images, i, image)
        except WrongTarget as error:
            yield error
        except CorruptImage:
            continue  # it is reported and left out when its turn comes


def missing(classes: list[str]) -> Iterator[str]:
    """A warning of classes without an image."""
    if len(classes) == 1:
        yield f"class '{classes[0]}' has no training image: it cannot be learned"
    elif classes:
        named = ", ".join(f"'{name}'" for name in classes[:NAMED]) + (", …" if len(classes) > NAMED else "")
        yield f"{len(classes)} classes have no training image ({named}): they cannot be learned"
