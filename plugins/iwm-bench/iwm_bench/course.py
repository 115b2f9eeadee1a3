"""The training step of a recipe, the one that `iwm train` takes, repeated on what an arm gives it.

Decisions:
- There is one model, one optimizer and one loop, whose batches the arms exchange: memory and state are those of a training.
- The loop is endless, in a directory that is removed: it logs nothing and writes no checkpoint.
- Data workers are started for each block and end with it: what they had made ahead would else come for free, and making it
  would slow the other arms.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import torch

from iwm_core.data.loader import Batch, DecodedViews
from iwm_core.data.order import Slice, parts_of
from iwm_core.data.training import TrainingData, WatchedData
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import Views
from iwm_core.interfaces.errors import Stopped
from iwm_core.model.world_model import build_model
from iwm_core.process.display import Display
from iwm_core.process.launch import make_accelerator
from iwm_core.process.signals import Stop
from iwm_core.recipe.config import Recipe
from iwm_core.run.directory import Run
from iwm_core.training.loop import Loop
from iwm_core.training.pretraining import Outcome, Step

ENDLESS = 10**9


class Unsent:
    """What data workers make, made and not sent."""

    def __init__(self, make: Callable[[Slice], Batch]) -> None:
        self.make = make

    def __call__(self, part: Slice) -> None:
        self.make(part)


class Blank(WatchedData):
    """Noise in the shape of a recipe's batches, for what is measured without data: there is nothing to be watched.

    Args:
        recipe: of the batches.
        device: where they are.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.total, self.lost = recipe.train.batch_size, ""
        count, side, observed = self.total // recipe.launch.accumulate, recipe.view.canvas or recipe.image_size, recipe.data.observed
        generator = torch.Generator().manual_seed(recipe.train.seed)
        images = torch.rand(count, 3, side, side, generator=generator).to(device)
        action = torch.zeros(count, len(observed.labels) if observed else 0, device=device)
        self.batch = Batch(images, images if observed else None, action, torch.arange(count, device=device), 0, [])

    def batches(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        return repeat(self.batch)


class Course:
    """A recipe's training, step by step.

    Args:
        recipe: of a pretraining in one process.
        folder: an empty one.
        fed: open the recipe's data; else steps take noise.
        display: for warnings.

    Attributes:
        batch, views, where: the first batch, and what it asks of the model.

    Raises:
        UserError: the recipe does not fit the data or the machine.
    """

    def __init__(self, recipe: Recipe, folder: Path, fed: bool, display: Display) -> None:
        parts_of(recipe.train.batch_size, 1, recipe.launch.accumulate)
        never = str(ENDLESS)
        recipe = replace(recipe, train=replace(recipe.train, steps=ENDLESS, epochs=None, checkpoint_every=never, log_every=never))
        accelerator, run = make_accelerator(replace(recipe.launch, trackers=[]), folder), Run(folder)
        torch.manual_seed(recipe.train.seed)
        self.recipe, self.device, self.model = recipe, accelerator.device, build_model(recipe)
        self.data = TrainingData(recipe, run, self.device, display, quiet=False) if fed else Blank(recipe, self.device)
        self.loop = Loop(run, None, recipe.train, recipe.launch, self.model, self.data, accelerator, Stop(), display)
        self.step, self.steps, self.taken = Step(recipe, self.model, self.loop), self.loop.steps(), 0
        self.batch = next(self.fresh())
        self.views, self.where = self.step.views(self.batch), self.step.where(self.batch)

    def fresh(self) -> Iterator[Batch]:
        """Batches from the next step on, as a training gets them."""
        return self.data.batches(self.loop.schedule.slices(self.taken, ENDLESS, 0, 1))

    def feed(self, arm: str) -> None:
        """What the steps of an arm that follow are fed with."""
        self.batches = self.fresh() if arm in ("data", "feed") else self.unsent() if arm == "decode" else repeat(self.batch)

    def unsent(self) -> Iterator[None]:
        """What data workers make of the steps to come, which stays with them."""
        assert isinstance(self.data, TrainingData)
        assert isinstance(self.data.views, DecodedViews)
        slices = self.loop.schedule.slices(self.taken, ENDLESS, 0, 1)
        return made_in_order(Unsent(self.data.views), slices, self.recipe.launch.workers, self.data.lose, ahead=4)

    def take(self, arm: str) -> None:
        """A step of an arm."""
        if arm in ("feed", "decode"):
            for _ in range(self.recipe.launch.accumulate):
                next(self.batches)
        else:
            next(self.steps)
            self.loop.batches = self.batches
            self.loop.gradients(self.repeated if arm == "model" else self.step.learn)
            self.step.update()
        self.taken += 1
        if self.data.lost:
            raise Stopped(f"nothing is measured: {self.data.lost}", 1)

    def repeated(self, batch: Batch) -> Outcome:
        """The forward pass on fixed tensors."""
        return Outcome(batch, self.views, self.where, self.step.forward_pass(self.views, self.where))

    def act(self) -> Views:
        """The recipe's actions on the first batch: drawn, applied to both sides, and encoded."""
        return self.step.views(self.batch)
