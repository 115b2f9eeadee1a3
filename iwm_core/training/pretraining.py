"""Pretraining: an image world model learns to predict what actions do to images, one step in the order of DESIGN §6.

The loop is `iwm_core.training.loop.fit`; here stands what is particular: views and actions, the predictor's loss, the teacher, its health.
"""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from iwm_core.data.loader import Batch
from iwm_core.data.training import TrainingData
from iwm_core.evaluation.evaluate import evaluate_in_training
from iwm_core.interfaces import Draws, Targets
from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import recipe_actions
from iwm_core.model.world_model import ImageWorldModel, Prediction, build_model
from iwm_core.process.display import Display
from iwm_core.process.launch import make_accelerator
from iwm_core.process.signals import Stop
from iwm_core.recipe.config import Recipe, steps_of
from iwm_core.run.checkpoint import load_weights
from iwm_core.run.directory import Run
from iwm_core.training.health import ENOUGH, Health, effective_rank, gain, spread_rows, target_std
from iwm_core.training.loop import compiled, fit
from iwm_core.training.objective import Objective, first_not_finite
from iwm_core.training.schedules import momentum, weight_decay


def train(run: Run, recipe: Recipe, checkpoint: Path | None, display: Display) -> None:
    """Train a run to its end from a checkpoint, or from the start where there is none.

    Raises:
        UserError: the recipe does not fit the data or the machine, or training cannot go on.
        Stopped: a signal ended the run early; a checkpoint is written.
    """
    with Stop() as stop:
        accelerator = make_accelerator(recipe.launch, run.path)
        torch.manual_seed(recipe.train.seed)
        model = build_model(recipe, restored=checkpoint is not None)
        if checkpoint is not None:
            load_weights(checkpoint, model)
        data = TrainingData(recipe, run, accelerator.device, display, quiet=not accelerator.is_main_process)
        objective = Pretraining(run, recipe, model, data, accelerator.device, display)
        fit(objective, run, checkpoint, recipe.train, recipe.launch, accelerator, stop, display)


class Pretraining(Objective):
    """An image world model and what it learns from.

    Args:
        run, recipe: the run and its recipe.
        model: student, predictor and teacher.
        data: the training images.
        device: where it is computed.
        display: for evaluators.
    """

    def __init__(
        self, run: Run, recipe: Recipe, model: ImageWorldModel, data: TrainingData, device: torch.device, display: Display
    ) -> None:
        self.run, self.recipe, self.device, self.display = run, recipe, device, display
        self.model = self.world_model = model
        self.data = data
        self.actions = recipe_actions(recipe)
        self.make_views = compiled(recipe.launch, self.actions.views)
        epoch = len(data) // recipe.train.batch_size
        self.every = {name: steps_of(e.every, epoch, f"evaluators.{name}.every") for name, e in recipe.evaluators.items()}

    def loss(self, prepared: Any, batch: Batch, step: int) -> torch.Tensor:
        draws = Draws(self.recipe.train.seed, batch.epoch, batch.index)
        params = self.actions.observe(self.actions.sample(draws.stream("actions")), batch.action)
        views = self.make_views(batch.images, params, self.recipe.view.source_from, batch.target)
        self.views, self.where = views, self.select(draws)
        self.prediction: Prediction = prepared(views.source, views.target, views.action, self.where)
        return self.prediction.loss

    def select(self, draws: Draws) -> Targets:
        """Context and targets of a batch; a selector that cannot fit the grid is the user's mistake."""
        try:
            return self.recipe.targets.select(draws.stream("targets"), self.world_model.student.grid)
        except ValueError as error:
            raise UserError(str(error)) from error

    def weight_decay(self, step: int, steps: int) -> float:
        return weight_decay(self.recipe.train.weight_decay, step, steps)

    def stepped(self, step: int, steps: int, finite: torch.Tensor) -> None:
        self.world_model.update_teacher((1 - momentum(self.recipe.train.momentum, step, steps)) * finite)

    def measured(self, step: int, steps: int) -> dict[str, Any]:
        self.health = measure(self.prediction, self.where)
        return {**asdict(self.health), "momentum": momentum(self.recipe.train.momentum, step, steps)}

    def not_finite(self, batch: Batch) -> str:
        data, actions = f"data={self.recipe.data.name}", f"actions=[{','.join(self.recipe.actions)}]"
        seen = {f"the images of {data}": batch.images, f"the second images of {data}": batch.target, f"the actions of {data}": batch.action}
        made = {f"the images that {actions} make": self.views.source, f"the target images that {actions} make": self.views.target}
        return first_not_finite(seen | made | {f"the parameters that {actions} encode": self.views.action})

    def warnings(self, line: dict[str, Any]) -> Iterator[str]:
        teacher = self.prediction.teacher
        verdict = self.health.verdict(min(teacher.shape[-1], len(spread_rows(teacher))), len(teacher))
        if verdict is not None:
            yield verdict

    def evaluators(self, done: int) -> list[str]:
        """Which evaluators measure after ``done`` steps; after the last one, all do, from the checkpoint."""
        return [name for name, every in self.every.items() if every and done % every == 0]

    def due(self, done: int) -> bool:
        return bool(self.evaluators(done))

    def evaluate(self, done: int) -> None:
        evaluate_in_training(self.evaluators(done), self.run, self.recipe, self.world_model, done, self.device, self.display)


@torch.no_grad()
def measure(prediction: Prediction, where: Targets) -> Health:
    """Health of a micro-batch; waits for the device."""
    teacher = prediction.teacher
    rows = spread_rows(teacher)
    return Health(
        target_std=target_std(teacher).item(),
        effective_rank=effective_rank(rows).item(),
        rank_bounded=len(rows) < ENOUGH * rows.shape[1],
        gain=gain(prediction.predicted.float(), teacher, where).item(),
    )
