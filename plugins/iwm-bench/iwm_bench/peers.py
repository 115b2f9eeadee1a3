"""The recipe's actions by other libraries: torchvision, image by image, and kornia, a batch at once, where they are installed.

Decisions:
- What is compared is the work of a step: parameters drawn, source and target made. Other libraries do not tell the parameters; ours are
  encoded besides.
- Strengths and probabilities are the recipe's. torchvision's jitter draws the order of its operations, too, at no cost.
- An action without a counterpart leaves a library out, by name: a shorter chain would be no comparison.
"""

import math
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from iwm_core.interfaces import Action

Act = Callable[[], Any]


def peers(actions: dict[str, Action], images: Tensor) -> tuple[dict[str, Act], list[str]]:
    """What does the work of a recipe's actions on a batch, by library, and why a library is left out."""
    found: dict[str, Act] = {}
    why = []
    for library, (counterparts, by_image) in LIBRARIES.items():
        if find_spec(library) is None:
            continue
        known = counterparts()
        if lacking := [name for name, action in actions.items() if action.name not in known]:
            why.append(f"{library} is left out: it has no counterpart of {', '.join(lacking)}")
            continue
        acts = actions.values()
        source = nn.Sequential(*(known[action.name](action) for action in acts))
        target = nn.Sequential(*(known[action.name](action) for action in acts if action.changes_target))
        found[library] = acting(source, target, images, by_image)
    return found, why


def acting(source: nn.Module, target: nn.Module, images: Tensor, by_image: bool) -> Act:
    """Source and target of a batch, at once or image by image."""

    def act() -> tuple[Tensor, Tensor]:
        if by_image:
            return torch.stack([source(image) for image in images]), torch.stack([target(image) for image in images])
        return source(images), target(images)

    return act


def of_torchvision() -> dict[str, Callable[[Any], nn.Module]]:
    """A transform for the options of an action, by the action's name."""
    from torchvision.transforms import v2

    return {
        "jitter": lambda o: v2.RandomApply([v2.ColorJitter(o.brightness, o.contrast, o.saturation, o.hue)], o.p),
        "grayscale": lambda o: v2.RandomGrayscale(o.p),
        "blur": lambda o: v2.RandomApply([v2.GaussianBlur(kernel_of(o), o.sigma)], o.p),
        "solarize": lambda o: v2.RandomSolarize(o.threshold, o.p),
        "flip": lambda o: v2.RandomHorizontalFlip(o.p),
    }


def of_kornia() -> dict[str, Callable[[Any], nn.Module]]:
    """The same by kornia, which draws for each image of a batch."""
    from kornia import augmentation as k  # pyright: ignore[reportMissingImports]  # where it is installed

    return {
        "jitter": lambda o: k.ColorJitter(o.brightness, o.contrast, o.saturation, o.hue, p=o.p),
        "grayscale": lambda o: k.RandomGrayscale(p=o.p),
        "blur": lambda o: k.RandomGaussianBlur((kernel_of(o), kernel_of(o)), tuple(o.sigma), p=o.p),
        "solarize": lambda o: k.RandomSolarize((o.threshold, o.threshold), (0.0, 0.0), p=o.p),
        "flip": lambda o: k.RandomHorizontalFlip(p=o.p),
    }


def kernel_of(blur: Action) -> int:
    """The side of the kernel that reaches three of the largest standard deviations, as ours does."""
    return 2 * math.ceil(3 * blur.sigma[1]) + 1  # pyright: ignore[reportAttributeAccessIssue]


LIBRARIES = {"torchvision": (of_torchvision, True), "kornia": (of_kornia, False)}
"""What stands beside our actions, and whether it takes images one by one."""
