"""What a training step does besides its model, in four parts, each as training does it: boxes, sampling, views, selection."""

from collections import Counter
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from iwm_core.data.view import random_boxes
from iwm_core.interfaces import Draws
from iwm_core.model.actions import recipe_actions


class Dispatched(TorchDispatchMode):
    """Counts the operations that torch dispatches, views among them."""

    def __init__(self):
        super().__init__()
        self.names = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names[str(func)] += 1
        return func(*args, **(kwargs or {}))


def dispatched(work: Callable) -> Counter:
    """How often each operation is dispatched."""
    with Dispatched() as counted:
        work()
    return counted.names


def parts(recipe, grid: tuple[int, int], samples: int, side: int | None = None) -> dict[str, Callable]:
    """The parts of a step of a recipe for ``samples`` images of its size, or of another side."""
    actions, index, side = recipe_actions(recipe), torch.arange(samples), side or recipe.image_size
    images, sizes = torch.full((samples, 3, side, side), 0.5), torch.tensor([[375, 500]]).expand(samples, 2)
    params = actions.sample(Draws(0, 0, index).stream("actions"))
    recipe.targets.select(Draws(0, 0, index[:1]), grid)  # measures its sizes, once a run

    def draws():
        return Draws(0, 3, index)

    return {
        "boxes": lambda: random_boxes(draws(), sizes, recipe.view),
        "sampling": lambda: actions.sample(draws().stream("actions")),
        "views": lambda: actions.views(images, params, recipe.view.source_from),
        "selection": lambda: recipe.targets.select(draws().stream("targets"), grid),
    }
