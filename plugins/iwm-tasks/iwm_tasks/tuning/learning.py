"""How tasks learn from a batch that they share.

Decisions:
- The image at place i of step s is asked for task (i + s) mod tasks, so that all get the same share, and each meets all images. The loss
  is the mean of the tasks'. As many steps as all single-task runs take together cost as much.
- Images are mixed (mixup, cutmix) among those asked for one task, within a process's micro-batch.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_tasks.tuning.augment import Mixer
from iwm_tasks.tuning.batches import TuneBatch
from iwm_tasks.tuning.model import Lesson, TunedModel
from iwm_tasks.tuning.recipe import Augment


class TaskLosses(NamedTuple):
    """What came of a micro-batch: the loss, and that of each task."""

    loss: Float[Tensor, ""]
    losses: dict[str, Float[Tensor, ""]]
    batch: TuneBatch

    def numbers(self) -> dict[str, float]:
        """For a logged line; waits for the device."""
        return {f"loss.{name}": loss.item() for name, loss in self.losses.items()} if len(self.losses) > 1 else {}

    def inputs(self, data: str) -> dict[str, Tensor]:
        """What it was made of, in words; ``data``: what the data is called."""
        targets = {f"the targets of task {name}": target for name, target in self.batch.targets.items()}
        return {f"the images of data={data}": self.batch.images} | targets


class Learner:
    """The loss of tasks that share each batch.

    Args:
        learned: the tasks, in the order of the heads.
        augment: how images are mixed and targets smoothed.
        seed: of the run.
    """

    def __init__(self, learned: dict[str, Lesson], augment: Augment, seed: int) -> None:
        self.learned = learned
        soft = augment.mixup > 0 or augment.cutmix > 0 or augment.label_smoothing > 0
        self.mixers = {name: Mixer(augment, len(outputs), seed) for name, (task, outputs) in learned.items() if soft and task.mixes}

    def __call__(self, model: Any, step: int, batch: TuneBatch) -> TaskLosses:
        """The loss of a micro-batch by ``model``, a prepared `TunedModel`."""
        images, wanted = batch.images, {}
        asked = (torch.arange(len(images), device=images.device) + step) % len(self.learned)
        for number, name in enumerate(self.learned):
            places = (asked == number).nonzero()[:, 0]
            wanted[name] = batch.targets[name][places]
            if name in self.mixers:
                mixed, wanted[name] = self.mixers[name](images[places], wanted[name], step)
                images = images.index_copy(0, places, mixed)
        given = model(images, asked)
        losses = {name: task.loss(given[name], wanted[name]) for name, (task, _) in self.learned.items()}
        return TaskLosses(torch.stack(list(losses.values())).mean(), losses, batch)


class Untold:
    """Entries of trained parameters that nothing depends on: weight decay, which goes by whole parameters, is taken back from them.

    Args:
        model: as a checkpoint left it, on its device.
    """

    def __init__(self, model: TunedModel) -> None:
        named = dict(model.named_parameters())
        self.kept = [(named[n], e.to(named[n].device), named[n].detach().clone()) for n, e in model.untold().items()]

    @torch.no_grad()
    def restore(self) -> None:
        """Restore them."""
        for parameter, entries, before in self.kept:
            parameter.copy_(torch.where(entries, before, parameter))
