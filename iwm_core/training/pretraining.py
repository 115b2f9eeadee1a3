"""Pretraining, one step read top to bottom: an image world model learns to predict what actions do to images (DESIGN §6).

Parameters and targets are drawn on the host, where batches keep their samples' numbers: a pure function of these costs no launch on the
device, and is the same to the bit for every device. They are sent there without waiting, while the device still works on the step before.

A step is `Step`, in which `Pass` stands for teacher, student, predictor and loss; `train` repeats it. What every training does around its
steps, such as logs and checkpoints, is `iwm_core.training.loop`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from iwm_core.data.loader import Batch, sent
from iwm_core.data.training import TrainingData
from iwm_core.interfaces import ActionParams, Draws, Targets, Views
from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.events import StepLogged
from iwm_core.model.actions import recipe_actions
from iwm_core.model.world_model import ImageWorldModel, build_model, gathered
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import Display
from iwm_core.process.launch import make_accelerator
from iwm_core.process.parts import compiled
from iwm_core.process.signals import Stop
from iwm_core.recipe.config import LOSSES, Recipe, steps_of
from iwm_core.run.checkpoint import load_weights
from iwm_core.run.directory import Run
from iwm_core.run.measuring import measurer
from iwm_core.training.loop import Loop
from iwm_core.training.schedules import momentum, weight_decay

Drawn = TypeVar("Drawn", ActionParams, Targets)


class Prediction(NamedTuple):
    """One forward pass: the loss, what was predicted, and all of the teacher's tokens."""

    loss: Float[Tensor, ""]
    predicted: Float[Tensor, "b m t d"]
    teacher: Float[Tensor, "b n d"]


class Pass(nn.Module):
    """The forward pass of a world model that learns, as the module that is prepared for devices and processes.

    ``loss`` is a name in `LOSSES`; the mean over positions and dimensions.
    """

    def __init__(self, model: ImageWorldModel, loss: str = "l2") -> None:
        super().__init__()
        self.model, self.loss = model, getattr(F, LOSSES[loss])

    def forward(self, views: Views, where: Targets) -> Prediction:
        """Loss of predicting the teacher's tokens of the target from the student's tokens of the source's context."""
        with torch.no_grad():
            teacher = self.model.targets(views.target)
            wanted = where.wanted(teacher)
        context = self.model.student(views.source, where.context)
        predicted = self.model.predictor(context, where, views.action)
        return Prediction(self.loss(predicted.float(), wanted), predicted, teacher)


class Outcome(NamedTuple):
    """What came of a micro-batch: what was seen, what was asked, and what was predicted."""

    batch: Batch
    views: Views
    where: Targets
    prediction: Prediction

    @property
    def loss(self) -> Tensor:
        return self.prediction.loss


class Step:
    """One optimizer step of a pretraining: what `train` repeats, and what a benchmark may time, whole or in part."""

    def __init__(self, recipe: Recipe, model: ImageWorldModel, loop: Loop) -> None:
        self.recipe, self.model, self.loop, self.actions = recipe, model, loop, recipe_actions(recipe)
        self.make_views = compiled(recipe.launch, self.actions.views)
        self.forward_pass = loop.prepare(Pass(model, recipe.train.loss))
        self.update_teacher = model.update_teacher if loop.divided else compiled(recipe.launch, model.update_teacher)

    def views(self, batch: Batch) -> Views:
        """Both views of a batch, by drawn actions."""
        drawn = self.sent(self.actions.sample(self.draws(batch).stream("actions")))
        return self.make_views(batch.images, self.actions.observe(drawn, batch.action), self.recipe.view.source_from, batch.target)

    def where(self, batch: Batch) -> Targets:
        """Which patches of a batch are seen and which are predicted."""
        return self.sent(select(self.recipe, self.draws(batch), self.model.student.grid))

    def draws(self, batch: Batch) -> Draws:
        return Draws(self.recipe.train.seed, batch.epoch, batch.index)

    def sent(self, drawn: Drawn) -> Drawn:
        """What was drawn on the host, on the device."""
        return type(drawn)(*(sent(part, self.loop.accelerator.device) for part in drawn))

    def learn(self, batch: Batch) -> Outcome:
        """The forward pass of a micro-batch: what `Loop.gradients` asks for, and goes back through."""
        views, where = self.views(batch), self.where(batch)
        return Outcome(batch, views, where, self.forward_pass(views, where))

    def update(self) -> float:
        """The optimizer's step, and the teacher's where the gradients are finite; returns the momentum that the teacher keeps."""
        settings, step, steps = self.recipe.train, self.loop.step, self.loop.durations.steps
        finite = self.loop.update(weight_decay(settings.weight_decay, step, steps))
        keeps = momentum(settings.momentum, step, steps)
        self.update_teacher((1 - keeps) * finite)
        return keeps


def train(run: Run, recipe: Recipe, checkpoint: Path | None, display: Display) -> None:
    """Train a run to its end from a checkpoint, or from the start where there is none; a `UserError` where the recipe does not fit the data
    or the machine, or training cannot go on, `Stopped` where a signal ended the run early, with a checkpoint."""
    with Stop() as stop:
        accelerator = make_accelerator(recipe.launch, run.path)
        torch.manual_seed(recipe.train.seed)
        model = build_model(recipe, restored=checkpoint is not None)
        if checkpoint is not None:
            load_weights(checkpoint, model)
        data = TrainingData(recipe, run, accelerator.device, display, quiet=not accelerator.is_main_process)
        scales = {f"student.{name}": model.student.lr_scale for name, _ in model.student.named_parameters()}
        loop = Loop(run, checkpoint, recipe.train, recipe.launch, model, data, accelerator, stop, display, scales)
        step, epoch = Step(recipe, model, loop), loop.schedule.steps_per_epoch
        every = {name: steps_of(e.every, epoch, f"evaluators.{name}.every") for name, e in recipe.evaluators.items()}

        for _ in loop.steps():
            outcome = loop.gradients(step.learn)  # of the last micro-batch
            keeps = step.update()
            if loop.logs:
                seen = StepLogged(outcome.prediction.predicted, outcome.prediction.teacher, outcome.where)
                load_plugins().tell("iwm_step_logged", seen)  # which add what they find of it
                loop.log({**seen.numbers, "momentum": keeps}, seen.warnings, inputs(recipe, outcome))
            due = [name for name, count in every.items() if count and loop.done % count == 0]
            if due and loop.done < loop.durations.steps:  # after the last step, all measure from its checkpoint
                with loop.tally.paused():
                    measured = gathered(model, recipe, loop.leads, accelerator.device) if loop.divided else model
                    if loop.leads:
                        measurer().evaluate_in_training(due, run, recipe, measured, loop.done, accelerator.device, display, accelerator.log)


def select(recipe: Recipe, draws: Draws, grid: tuple[int, int]) -> Targets:
    """Context and targets of a batch; a selector that cannot fit the grid is the user's mistake."""
    try:
        where = recipe.targets.select(draws.stream("targets"), grid)
    except ValueError as error:
        raise UserError(str(error)) from error
    for patches in (part.numpy() for part in where if draws.on_host):  # beyond the grid, they would be another image's
        if patches.size and (patches.min() < 0 or patches.max() >= grid[0] * grid[1]):
            raise UserError(f"targets={recipe.targets.name} chose patches {patches.min()} to {patches.max()} of {grid[0]} x {grid[1]}")
    return where


def trial(recipe: Recipe, device: torch.device, images: int = 8) -> Callable[[], object]:
    """A forward and backward pass of a recipe's model on noise."""
    learner = Pass(build_model(recipe, restored=True), recipe.train.loss).to(device).train()
    pixels, action = torch.rand(images, 3, recipe.image_size, recipe.image_size), torch.zeros(images, len(recipe_actions(recipe).labels))
    views = Views(*(part.to(device) for part in (pixels, pixels, action)))
    where = select(recipe, Draws(0, 0, torch.arange(images, device=device)), learner.model.student.grid)
    return lambda: learner(views, where).loss.backward()


def inputs(recipe: Recipe, outcome: Outcome) -> dict[str, Tensor | None]:
    """What a prediction was made from, in words, in the order in which it was made."""
    data, actions, batch, views = f"data={recipe.data.name}", f"actions=[{','.join(recipe.actions)}]", outcome.batch, outcome.views
    seen = {f"the images of {data}": batch.images, f"the second images of {data}": batch.target, f"the actions of {data}": batch.action}
    made = {f"the images that {actions} make": views.source, f"the target images that {actions} make": views.target}
    return seen | made | {f"the parameters that {actions} encode": views.action}
