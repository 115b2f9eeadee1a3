"""What training images go through besides crop and flip: RandAugment, mixup, cutmix and label smoothing of timm (PAPER §7).

Decisions:
- timm draws from the generators of the whole process. They are seeded for each image or batch from the run's own numbers, and put back
  afterwards, so that nothing else depends on them and nothing that they draw depends on anything else.
- Fields that an operation leaves empty get ImageNet's mean colour, as in timm's own training.
- Mixup and cutmix mix a batch with itself in reverse order, by one share for all (timm's ``batch`` mode).
"""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from timm.data import IMAGENET_DEFAULT_MEAN
from timm.data.auto_augment import rand_augment_transform
from timm.data.mixup import Mixup, mixup_target
from torch import Tensor

from iwm_core.interfaces import Draws
from iwm_core.interfaces.errors import UserError
from iwm_tasks.interfaces import Task
from iwm_tasks.tuning.recipe import Augment

SECTION = r"(m\d+|n\d+|p\d*\.?\d+|mstd\d*\.?\d+|mmax\d+|inc[01]|t(weights|3aw|3a))"


class RandAugment:
    """timm's RandAugment.

    Args:
        name: of timm, such as ``rand-m9-mstd0.5-inc1``.
        image_size: side of the images in pixels.

    Raises:
        ValueError: timm has none of this name.
    """

    def __init__(self, name: str, image_size: int) -> None:
        if not re.fullmatch(rf"rand(-{SECTION})*", name):
            fix = "write it as rand-m9-mstd0.5-inc1, or leave it empty"
            raise ValueError(f"augment.randaugment={name} is not a RandAugment of timm; {fix}")
        mean = tuple(round(255 * colour) for colour in IMAGENET_DEFAULT_MEAN)
        self.transform = rand_augment_transform(name, {"translate_const": int(image_size * 0.45), "img_mean": mean})
        for operation in self.transform.ops:
            if operation.name.startswith("Posterize"):
                operation.level_fn = partial(one_bit_or_more, operation.level_fn)

    def __call__(self, images: UInt8[Tensor, "b 3 s s"], draws: Draws) -> UInt8[Tensor, "b 3 s s"]:
        """Each image changed by operations of its own, which its draws decide."""
        seeds = draws.stream("randaugment").bits(2).tolist()
        changed = []
        for image, (one, two) in zip(images, seeds, strict=True):
            with seeded(one, two):
                pixels = self.transform(Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()))
            changed.append(torch.from_numpy(np.array(pixels)).permute(2, 0, 1))
        return torch.stack(changed)


def rand_augment(name: str, image_size: int) -> RandAugment | None:
    """The RandAugment of this name; None for no name."""
    return RandAugment(name, image_size) if name else None


def one_bit_or_more(level_fn: Callable[..., tuple[int]], *given: Any) -> tuple[int]:
    """The bits that a posterized image keeps: timm may ask for none, a black image, which Pillow refuses."""
    return (max(level_fn(*given)[0], 1),)


class Mixer:
    """Mixes the images of a batch, and their classes to shares of classes; without mixup and cutmix, the classes alone are smoothed.

    Args:
        augment: the settings.
        classes: how many there are.
        seed: of the run.
    """

    def __init__(self, augment: Augment, classes: int, seed: int) -> None:
        self.classes, self.seed, self.smoothing = classes, seed, augment.label_smoothing
        self.mixup = None
        if augment.mixup > 0 or augment.cutmix > 0:
            self.mixup = Mixup(augment.mixup, augment.cutmix, label_smoothing=augment.label_smoothing, num_classes=classes)

    def __call__(
        self, images: Float[Tensor, "b 3 s s"], target: Int[Tensor, "b"], step: int
    ) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b c"]]:
        """Images and shares of classes at a step; the images given stay as they are.

        Raises:
            UserError: mixing an odd number of images.
        """
        if self.mixup is None:
            return images, mixup_target(target, self.classes, smoothing=self.smoothing)
        check_even(len(images))
        words = Draws(self.seed, 0, torch.tensor([step]), "mix").bits(2)[0].tolist()
        with seeded(*words):
            return self.mixup(images.clone(), target)


def check_even(images: int) -> None:
    """Refuse to mix an odd number of images."""
    if images % 2:
        raise UserError(
            f"augment.mixup and augment.cutmix mix images in pairs, and {images} are mixed at once: make train.batch_size over "
            f"launch.processes and launch.accumulate even for each task"
        )


def check_shares(augment: Augment, tasks: dict[str, Task], images: int) -> None:
    """Refuse micro-batches of a number of images that tasks cannot share, or not in pairs where these are mixed.

    Raises:
        UserError: a task would be left without images, or with an odd number of them.
    """
    mixed = (augment.mixup > 0 or augment.cutmix > 0) and any(task.mixes for task in tasks.values())
    each, why = (2 * len(tasks), " and mix them in pairs (augment.mixup, augment.cutmix)") if mixed else (len(tasks), "")
    if images < each or (mixed and images % each):
        raise UserError(
            f"{len(tasks)} tasks share the {images} images that are computed at once{why}: make train.batch_size over launch.processes "
            f"and launch.accumulate {'a multiple of' if mixed else 'at least'} {each}"
        )


def check_augment(augment: Augment, tasks: dict[str, Task], image_size: int) -> None:
    """Refuse an augmentation that does not fit.

    Raises:
        UserError: an unknown RandAugment, or one that would move an image and leave its mask.
    """
    try:
        rand_augment(augment.randaugment, image_size)
    except ValueError as error:
        raise UserError(str(error)) from error
    dense = next((name for name, task in tasks.items() if task.dense), None)
    if augment.randaugment and dense is not None:
        raise UserError(
            f"augment.randaugment turns and shifts images, but not the masks of the task {dense}: set augment.randaugment to '' (empty)"
        )


@contextmanager
def seeded(one: int, two: int) -> Iterator[None]:
    """The process's generators of Python and NumPy, seeded for a while."""
    before = random.getstate(), np.random.get_state()  # noqa: NPY002 - the generator that timm draws from
    random.seed(one)
    np.random.seed(two)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
