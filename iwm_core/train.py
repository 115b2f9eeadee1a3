"""The training loop, top to bottom in the order of one step (DESIGN §6).

Decisions:
- Everything that a step needs is a function of the recipe, the seed and the step; a resumed run recomputes it and stores no loader state.
- One module (student, predictor, teacher) is prepared by Accelerate and nothing else is: data is sharded by `Schedule`, the learning
  rate is a function, gradients are accumulated by hand.
- A step whose gradient is not finite changes neither weights nor teacher; this is decided on the device. The host waits for the
  device only on logged steps.
- SIGINT and SIGTERM end the run after the step under way, with a checkpoint; a second signal ends it at once. Several processes
  agree after each step, so that all end after the same one.
"""

# pyright: reportPossiblyUnboundVariable=false
# launch.accumulate is at least 1: the inner loop always binds its variables.

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from iwm_core.actions import ActionSequence
from iwm_core.checkpoint import load_optimizer, load_weights, read_state, save_checkpoint
from iwm_core.config import Recipe, Train, steps_of
from iwm_core.data.loader import Batch, Schedule, parts_of
from iwm_core.data.training import TrainingData
from iwm_core.display import Display
from iwm_core.errors import UserError
from iwm_core.evaluate import evaluate_in_training
from iwm_core.events import StepEnd, TrainEnd, TrainStart
from iwm_core.health import Health, effective_rank, gain, spread_rows, target_std
from iwm_core.interfaces import Draws, Evaluator
from iwm_core.launch import agreement, make_accelerator
from iwm_core.plugins import load_plugins
from iwm_core.run import Run
from iwm_core.schedules import learning_rate, momentum, weight_decay
from iwm_core.signals import Stop, Stopped
from iwm_core.world_model import ImageWorldModel, Prediction, build_model


@dataclass(frozen=True)
class Plan:
    """A recipe's durations in steps."""

    steps: int
    warmup: int
    checkpoint_every: int
    log_every: int
    evaluate_every: dict[str, int]

    @classmethod
    def of(cls, train: Train, evaluators: dict[str, Evaluator], epoch: int) -> "Plan":
        """Durations where an epoch has ``epoch`` steps."""
        return cls(
            steps=train.steps if train.steps is not None else steps_of(f"{train.epochs:.9f} epochs", epoch, "train.epochs"),
            warmup=steps_of(train.lr.warmup, epoch, "train.lr.warmup"),
            checkpoint_every=steps_of(train.checkpoint_every, epoch, "train.checkpoint_every", at_least=1),
            log_every=steps_of(train.log_every, epoch, "train.log_every", at_least=1),
            evaluate_every={name: steps_of(e.every, epoch, f"evaluators.{name}.every") for name, e in evaluators.items()},
        )

    def evaluators(self, done: int) -> list[str]:
        """Which evaluators measure after ``done`` steps; after the last one, all do, from the checkpoint."""
        return [name for name, every in self.evaluate_every.items() if every and done % every == 0 and done < self.steps]


def train(run: Run, recipe: Recipe, display: Display) -> None:
    """Train a run to its end from its newest checkpoint, or from the start where it has none.

    Raises:
        UserError: the recipe does not fit the data or the machine, or training cannot go on.
        Stopped: a signal ended the run early; a checkpoint is written.
    """
    settings, hook = recipe.train, load_plugins().hook
    with Stop() as stop:
        accelerator = make_accelerator(recipe.launch, run.path)
        parts = parts_of(settings.batch_size, accelerator.num_processes, recipe.launch.accumulate)

        torch.manual_seed(settings.seed)
        checkpoint = run.latest()
        model = build_model(recipe, restored=checkpoint is not None)
        start = 0
        if checkpoint is not None:
            load_weights(checkpoint, model)
            start = read_state(checkpoint)["step"]
        data = TrainingData(recipe, run, accelerator.device, display, quiet=not accelerator.is_main_process)
        if checkpoint is not None and read_state(checkpoint)["images"] != len(data):
            began = read_state(checkpoint)["images"]
            raise UserError(f"the run began with {began} training images, and now there are {len(data)}; go on with the same data")
        schedule = Schedule(settings.seed, len(data), settings.batch_size, parts)
        plan = Plan.of(settings, recipe.evaluators, schedule.steps_per_epoch)
        if start >= plan.steps:
            return

        grid = model.student.grid
        actions = ActionSequence(recipe.actions)
        compiled = torch.compile if recipe.launch.compile else lambda part: part
        prepared, make_views = accelerator.prepare(compiled(model)), compiled(actions.views)
        optimizer = make_optimizer(model, settings)
        if checkpoint is not None:
            load_optimizer(checkpoint, model, optimizer)
        if accelerator.is_main_process:
            run.rewind(start)
        tally, largest = Tally(accelerator.device), agreement(accelerator)
        prepared.train()
        hook.iwm_train_start(event=TrainStart(run.path, model, start, plan.steps))
        batches = data.batches(schedule.slices(start, plan.steps, accelerator.process_index, accelerator.num_processes))

        for step in display.steps(start, plan.steps, "training"):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings.lr, step, plan.steps, plan.warmup)
                group["weight_decay"] = weight_decay(settings.weight_decay, step, plan.steps) if group["decays"] else 0.0
            # The only user of the global generator is dropout: seeded by the step, it needs no state to resume.
            torch.manual_seed(settings.seed * 1_000_003 + step * accelerator.num_processes + accelerator.process_index)

            loss = torch.zeros((), device=accelerator.device)
            for micro in range(recipe.launch.accumulate):
                batch = tally.wait(batches)
                data.report(batch)
                draws = Draws(settings.seed, batch.epoch, batch.index)
                views = make_views(batch.images, actions.sample(draws.stream("actions")), recipe.view.source_from)
                where = select(recipe, draws, grid)
                last = micro == recipe.launch.accumulate - 1
                with contextlib.nullcontext() if last else accelerator.no_sync(prepared):
                    prediction: Prediction = prepared(views.source, views.target, views.action, where)
                    share = prediction.loss / recipe.launch.accumulate
                    accelerator.backward(share)
                loss += share.detach()

            norm: Any = accelerator.clip_grad_norm_(model.parameters(), settings.clip or float("inf"))
            finite = torch.isfinite(norm)
            optimizer.found_inf = (~finite).float()  # pyright: ignore[reportAttributeAccessIssue]  # the fused optimizer leaves weights and moments as they are
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            model.update_teacher((1 - momentum(settings.momentum, step, plan.steps)) * finite)

            tally.add(loss, finite)
            hook.iwm_step_end(event=StepEnd(step + 1, loss))
            done = step + 1
            if done % plan.log_every == 0 or done == plan.steps:
                health = measure(prediction, where)
                line = tally.read(accelerator, settings.batch_size, health)
                rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
                line |= {"step": done, "epoch": done / schedule.steps_per_epoch, "lr": rates["decay"], "grad_norm": float(norm)}
                line |= {
                    "weight_decay": optimizer.param_groups[0]["weight_decay"],
                    "momentum": momentum(settings.momentum, step, plan.steps),
                }
                line |= {"corrupt": data.corrupt}
                if accelerator.is_main_process:
                    run.log(line)
                    accelerator.log({k: v for k, v in line.items() if k != "step"}, step=done)
                    display.logged(done, line)
                    for warning in warnings(line, health, prediction, plan.log_every):
                        display.warn(f"step {done}: {warning}")
                if line["skipped"] >= plan.log_every > 1:
                    raise UserError(
                        f"no gradient of the last {plan.log_every} steps was finite; lower train.lr.peak, or use launch.precision=fp32"
                    )
            if accelerator.is_main_process and plan.evaluators(done):
                with tally.paused():
                    evaluate_in_training(plan.evaluators(done), run, recipe, model, done, accelerator.device, display)
            received = largest(stop.received)
            if (done % plan.checkpoint_every == 0 or done == plan.steps or received) and accelerator.is_main_process:
                save_checkpoint(run.checkpoints, done, model, optimizer, {"steps": plan.steps, "images": len(data)}, settings.keep)
            if received:
                raise Stopped(f"stopped at step {done} of {plan.steps}; continue with `iwm resume {run.path}`", 128 + received)

        hook.iwm_train_end(event=TrainEnd(run.path, model, plan.steps))
        accelerator.end_training()


def select(recipe: Recipe, draws: Draws, grid: tuple[int, int]) -> Any:
    """Context and targets of a batch; a selector that cannot fit the grid is the user's mistake."""
    try:
        return recipe.targets.select(draws.stream("targets"), grid)
    except ValueError as error:
        raise UserError(str(error)) from error


def make_optimizer(model: ImageWorldModel, settings: Train) -> torch.optim.Optimizer:
    """AdamW over student and predictor; only the weights of linear and convolutional layers decay (PAPER §5)."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    decays = [p for name, p in trained if name.endswith("weight") and p.ndim >= 2]
    rest = [p for name, p in trained if not (name.endswith("weight") and p.ndim >= 2)]
    groups = [{"params": decays, "decays": True, "name": "decay"}, {"params": rest, "decays": False, "name": "rest"}]
    return torch.optim.AdamW(groups, lr=settings.lr.peak, betas=(settings.betas[0], settings.betas[1]), fused=True)


@torch.no_grad()
def measure(prediction: Prediction, where: Any) -> Health:
    """Health of the last micro-batch; waits for the device."""
    teacher = prediction.teacher
    return Health(
        target_std=target_std(teacher).item(),
        effective_rank=effective_rank(spread_rows(teacher)).item(),
        gain=gain(prediction.predicted.float(), teacher, where).item(),
    )


def warnings(line: dict[str, Any], health: Health, prediction: Prediction, interval: int) -> Iterator[str]:
    """What the user should know about a logged line."""
    if line["skipped"]:
        yield f"{line['skipped']} of {interval} steps had no finite gradient and were skipped"
    verdict = health.verdict(prediction.teacher.shape[-1], len(prediction.teacher))
    if verdict is not None:
        yield verdict


class Tally:
    """Sums between two logged lines, kept on the device, and where the time went."""

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.skipped = torch.zeros((), device=device)
        self.steps, self.waited, self.since = 0, 0.0, time.perf_counter()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile does not count."""
        before = time.perf_counter()
        yield
        self.since += time.perf_counter() - before

    def wait(self, batches: Iterator[Batch]) -> Batch:
        """The next batch, noting how long it took to come."""
        before = time.perf_counter()
        batch = next(batches)
        self.waited += time.perf_counter() - before
        return batch

    def add(self, loss: torch.Tensor, finite: torch.Tensor) -> None:
        """Count a step; the loss of a skipped one is left out."""
        self.loss += torch.where(finite, loss, 0.0)
        self.skipped += ~finite
        self.steps += 1

    def read(self, accelerator: Any, batch_size: int, health: Health) -> dict[str, Any]:
        """The numbers since the last reading, over all processes; starts anew."""
        skipped = int(self.skipped.item())
        counted = self.steps - skipped
        loss = accelerator.reduce(self.loss, reduction="mean").item() / counted if counted else float("nan")
        seconds = time.perf_counter() - self.since
        line = {
            "loss": loss,
            "target_std": health.target_std,
            "effective_rank": health.effective_rank,
            "gain": health.gain,
            "images_per_s": batch_size * self.steps / seconds,
            "data_wait": self.waited / seconds,
            "skipped": skipped,
        }
        self.__init__(self.loss.device)
        return line


def trained_parameters(model: nn.Module) -> int:
    """Number of parameters that the optimizer changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
