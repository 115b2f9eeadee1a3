"""The training loop, whatever is trained: top to bottom in the order of one step (DESIGN §6).

Decisions:
- Everything that a step needs is a function of the recipe, the seed and the step; a resumed run recomputes it and stores no loader state.
- One module is prepared by Accelerate and nothing else is: data is sharded by `Schedule`, the learning rate is a function, gradients are
  accumulated by hand.
- A step whose gradient is not finite changes no weights; this is decided on the device. The host waits for the device only on logged steps.
- A signal (`iwm_core.process.signals.ENDING`) or a data worker that died ends the run after the step under way, with a checkpoint; a
  second Ctrl-C ends it at once. Several processes agree after each step, so that all end after the same one.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iwm_core.data.order import Schedule, parts_of
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.interfaces.events import StepEnd, TrainEnd, TrainStart
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import Display, Recurring
from iwm_core.process.launch import agreement, first_reason
from iwm_core.process.signals import Stop, named
from iwm_core.recipe.config import Launch, steps_of
from iwm_core.run.checkpoint import load_optimizer, save_checkpoint
from iwm_core.run.directory import Run
from iwm_core.run.saved import read_state
from iwm_core.training.objective import Objective, Optimisation
from iwm_core.training.schedules import learning_rate

LOST = 1 << 16
"""What processes agree on where one has lost its data workers; larger than any signal."""


@dataclass(frozen=True)
class Plan:
    """The durations of a run in steps."""

    steps: int
    warmup: int
    checkpoint_every: int
    log_every: int

    @classmethod
    def of(cls, train: Optimisation, epoch: int) -> "Plan":
        """Durations where an epoch has ``epoch`` steps."""
        return cls(
            steps=train.steps if train.steps is not None else steps_of(f"{train.epochs:.9f} epochs", epoch, "train.epochs"),
            warmup=steps_of(train.lr.warmup, epoch, "train.lr.warmup"),
            checkpoint_every=steps_of(train.checkpoint_every, epoch, "train.checkpoint_every", at_least=1),
            log_every=steps_of(train.log_every, epoch, "train.log_every", at_least=1),
        )


def fit(
    objective: Objective,
    run: Run,
    checkpoint: Path | None,
    settings: Optimisation,
    launch: Launch,
    accelerator: Any,
    stop: Stop,
    display: Display,
) -> Path:
    """Train to the end of a run from a checkpoint, whose weights the objective's model has, or from the start where there is none.

    Returns:
        The last checkpoint.

    Raises:
        UserError: training cannot go on.
        Stopped: a signal ended the run early; a checkpoint is written.
    """
    model, data, plugins = objective.model, objective.data, load_plugins()
    state = read_state(checkpoint, "images") if checkpoint is not None else {"step": 0, "images": len(data)}
    if state["images"] != len(data):
        raise UserError(f"the run began with {state['images']} training images, and now there are {len(data)}; go on with the same data")
    parts = parts_of(settings.batch_size, accelerator.num_processes, launch.accumulate)
    schedule = Schedule(settings.seed, len(data), settings.batch_size, parts)
    plan, start = Plan.of(settings, schedule.steps_per_epoch), state["step"]
    if checkpoint is not None and start >= plan.steps:
        return checkpoint
    if plan.warmup >= plan.steps:
        display.warn(
            f"train.lr.warmup is {plan.warmup} steps and the run {plan.steps}: the learning rate never reaches its peak; set a shorter one"
        )

    warn = Recurring(display.warn)
    prepared = accelerator.prepare(compiled(launch, model))
    optimizer = make_optimizer(model, settings, objective.lr_scales())
    if checkpoint is not None:
        load_optimizer(checkpoint, model, optimizer)
    tally, largest = Tally(accelerator.device, before=state.get("seconds", 0.0)), agreement(accelerator)
    if largest(start) != start:
        raise UserError("the processes began from different checkpoints, since one was written meanwhile; start them again")
    if accelerator.is_main_process:
        run.rewind(start)
    prepared.train()
    plugins.tell("iwm_train_start", TrainStart(run.path, model, start, plan.steps))
    batches = data.batches(schedule.slices(start, plan.steps, accelerator.process_index, accelerator.num_processes))

    for step in display.steps(start, plan.steps, "training"):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(settings.lr, step, plan.steps, plan.warmup) * group["lr_scale"]
            group["weight_decay"] = objective.weight_decay(step, plan.steps) if group["decays"] else 0.0

        loss, batch = torch.zeros((), device=accelerator.device), None
        for micro in range(launch.accumulate):
            batch = tally.wait(batches)
            # The only users of the global generator are dropout and its like: seeded by the step, they need no state to resume. It is done
            # here because a loader draws from it, too, when it gives its first batch.
            part = (step * launch.accumulate + micro) * accelerator.num_processes + accelerator.process_index
            torch.manual_seed(settings.seed * 1_000_003 + part)
            last = micro == launch.accumulate - 1
            with contextlib.nullcontext() if last else accelerator.no_sync(prepared):
                share = objective.loss(prepared, batch, step) / launch.accumulate
                accelerator.backward(share)
            loss += share.detach()

        norm: Any = accelerator.clip_grad_norm_(model.parameters(), settings.clip or float("inf"))
        finite = torch.isfinite(norm)
        optimizer.found_inf = (~finite).float()  # pyright: ignore[reportAttributeAccessIssue]  # the fused optimizer leaves weights and moments as they are
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        objective.stepped(step, plan.steps, finite)

        tally.add(loss, finite)
        plugins.tell("iwm_step_end", StepEnd(step + 1, loss))
        done = step + 1
        if done % plan.log_every == 0 or done == plan.steps:
            line = {"step": done, "epoch": done / schedule.steps_per_epoch, **tally.read(accelerator, settings.batch_size)}
            line |= {"lr": max(group["lr"] for group in optimizer.param_groups), "grad_norm": float(norm)}
            line |= {"weight_decay": objective.weight_decay(step, plan.steps), "corrupt": data.corrupt}
            line |= objective.measured(step, plan.steps)
            if accelerator.is_main_process:
                run.log(line)
                accelerator.log({k: v for k, v in line.items() if k != "step"}, step=done)
                display.logged(done, line)
                if line["skipped"]:
                    warn("skipped", f"step {done}: {line['skipped']} of {plan.log_every} steps had no finite gradient and were skipped")
                for warning in objective.warnings(line):
                    warn(warning.partition(":")[0], f"step {done}: {warning}")
            barren = int(tally.barren)
            if barren >= min(max(plan.log_every, 2), plan.steps):
                cause = objective.not_finite(batch) or "lower train.lr.peak, or use launch.precision=fp32"
                raise UserError(f"no gradient of the last {barren} steps was finite; {cause}")
        if accelerator.is_main_process and done < plan.steps and objective.due(done):
            with tally.paused():
                objective.evaluate(done)
        received = largest(LOST if data.lost else stop.received)
        if (done % plan.checkpoint_every == 0 or done == plan.steps or received) and accelerator.is_main_process:
            kept = {"steps": plan.steps, "images": len(data), "seconds": tally.seconds(), **objective.state()}
            save_checkpoint(run.checkpoints, done, model, optimizer, kept, settings.keep)
        if received:
            why = f": {first_reason(data.lost)}" if received == LOST else f" by {named(received)}"
            text = f"stopped at step {done} of {plan.steps}{why}; continue with `iwm resume {run.path}`"
            raise Stopped(text, 1 if received == LOST else 128 + received)

    plugins.tell("iwm_train_end", TrainEnd(run.path, model, plan.steps))
    accelerator.end_training()
    return run.checkpoints / f"step_{plan.steps}"


def compiled(launch: Launch, part: Any) -> Any:
    """A module or function, compiled where the recipe asks for it."""
    return torch.compile(part) if launch.compile else part


def make_optimizer(model: nn.Module, settings: Optimisation, lr_scales: dict[str, float] | None = None) -> torch.optim.Optimizer:
    """AdamW over what is trained; only the weights of linear and convolutional layers decay (PAPER §5)."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decays = name.endswith("weight") and parameter.ndim >= 2
            groups.setdefault(((lr_scales or {}).get(name, 1.0), not decays), []).append(parameter)
    described = [{"params": groups[scale, rest], "decays": not rest, "lr_scale": scale} for scale, rest in sorted(groups)]
    return torch.optim.AdamW(described, lr=settings.lr.peak, betas=(settings.betas[0], settings.betas[1]), fused=True)


class Tally:
    """Sums between two logged lines, kept on the device, and where the time went.

    Args:
        device: of the loss.
        before: seconds that the run took before this process.
    """

    def __init__(self, device: torch.device, before: float) -> None:
        self.loss, self.skipped = torch.zeros((), device=device), torch.zeros((), device=device)
        self.barren = torch.zeros((), device=device)
        """Steps since the last that had a finite gradient."""
        self.before, self.began, self.rested = before, time.perf_counter(), 0.0
        self.steps, self.waited, self.since = 0, 0.0, self.began

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile does not count."""
        before = time.perf_counter()
        yield
        rested = time.perf_counter() - before
        self.since += rested
        self.rested += rested

    def seconds(self) -> float:
        """How long the run has trained so far."""
        return self.before + time.perf_counter() - self.began - self.rested

    def wait(self, batches: Iterator[Any]) -> Any:
        """The next batch, noting how long it took to come."""
        before = time.perf_counter()
        batch = next(batches)
        self.waited += time.perf_counter() - before
        return batch

    def add(self, loss: Tensor, finite: Tensor) -> None:
        """Count a step; the loss of a skipped one is left out."""
        self.loss += torch.where(finite, loss, 0.0)
        self.skipped += ~finite
        self.barren = torch.where(finite, 0.0, self.barren + 1)
        self.steps += 1

    def read(self, accelerator: Any, batch_size: int) -> dict[str, Any]:
        """The numbers since the last reading, over all processes; starts anew."""
        skipped = int(self.skipped.item())
        counted = self.steps - skipped
        loss = accelerator.reduce(self.loss, reduction="mean").item() / counted if counted else float("nan")
        seconds = time.perf_counter() - self.since
        line = {
            "loss": loss,
            "images_per_s": batch_size * self.steps / seconds,
            "data_wait": self.waited / seconds,
            "skipped": skipped,
        }
        self.loss, self.skipped = torch.zeros_like(self.loss), torch.zeros_like(self.skipped)
        self.steps, self.waited, self.since = 0, 0.0, time.perf_counter()
        return line
