"""The course of a training, whatever is trained: what happens around the loop that a kind of run writes for itself.

::

    learner = loop.prepare(module)
    for step in loop.steps():
        result = loop.gradients(learn)      # of each micro-batch, by `learner`: what the kind of run is about
        finite = loop.update(weight_decay=0.04)
        if loop.logs:
            loop.log({"accuracy": …}, warnings=(), inputs={"the images": result.images})

Decisions:
- Everything that a step needs is a function of the recipe, the seed and the step; a resumed run recomputes it and stores no loader state.
- One module is prepared by Accelerate and nothing else: data is sharded by `Schedule`, the learning rate is a function, gradients add up.
- A step whose gradient is not finite changes no weights; this is decided on the device. The host waits for the device only on logged steps.
- A signal (`iwm_core.process.signals.ENDING`) or a data worker that died ends the run after the step under way, with a checkpoint; a
  second Ctrl-C ends it at once. Several processes agree after each step, so that all end after the same one.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from iwm_core.data.order import Schedule, parts_of
from iwm_core.data.training import WatchedData
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.interfaces.events import StepEnd, TrainEnd, TrainStart
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import Display, Recurring
from iwm_core.process.launch import agreement, first_reason
from iwm_core.process.parts import compute_again, divided, spread
from iwm_core.process.precision import attention_of
from iwm_core.process.shown import as_word
from iwm_core.process.signals import Stop, named
from iwm_core.recipe.config import Launch, Optimisation
from iwm_core.run.checkpoint import load_optimizer, save_checkpoint
from iwm_core.run.directory import Run
from iwm_core.run.saved import read_state, step_of
from iwm_core.training.optimisation import make_optimizer
from iwm_core.training.schedules import Durations, learning_rate
from iwm_core.training.tally import Tally

LOST = 1 << 16
"""What processes agree on where one has lost its data workers; larger than any signal."""


@runtime_checkable
class Result(Protocol):
    """What a pass over a micro-batch gives: its loss, and whatever else the kind of run reads of it."""

    @property
    def loss(self) -> Tensor: ...


R = TypeVar("R", bound=Result)


class Loop:
    """The steps of a run from a checkpoint, whose weights the model has, or from the start where there is none, to the end.

    Args:
        run, checkpoint, display: of the run; a checkpoint of step 0 is of weights from elsewhere, without moments.
        settings, launch: its recipe's.
        model: what is saved, with its frozen parts; trained is what requires gradients.
        data: its training images.
        accelerator, stop: of this process.
        lr_scales: what multiplies the learning rate of a parameter, by its name in the model; 1 for those left out.
        state: what a checkpoint keeps besides weights and steps, as JSON.

    Attributes:
        durations: of the run, in steps.
        leads: this is the first process, which measures and writes.
        divided: each process has a part of the model.

    Raises:
        UserError: the run does not fit its data or processes.
    """

    def __init__(
        self,
        run: Run,
        checkpoint: Path | None,
        settings: Optimisation,
        launch: Launch,
        model: nn.Module,
        data: WatchedData,
        accelerator: Any,
        stop: Stop,
        display: Display,
        lr_scales: dict[str, float] | None = None,
        state: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self.run, self.checkpoint, self.settings, self.launch, self.model, self.data = run, checkpoint, settings, launch, model, data
        self.accelerator, self.stop, self.display, self.state = accelerator, stop, display, state
        before = read_state(checkpoint, images=int) if checkpoint and step_of(checkpoint.name) else {"step": 0, "images": len(data)}
        if before["images"] != len(data):
            raise UserError(
                f"the run began with {before['images']} training images, and now there are {len(data)}; go on with the same data"
            )
        parts = parts_of(settings.batch_size, accelerator.num_processes, launch.accumulate)
        self.schedule = Schedule(settings.seed, len(data), settings.batch_size, parts)
        self.durations, self.start = Durations.of(settings, self.schedule.steps_per_epoch), before["step"]
        self.leads, self.warn = accelerator.is_main_process, Recurring(display.warn)
        self.lr_scales, self.divided = lr_scales, divided(launch, accelerator)
        self.tally = Tally(accelerator.device, before=before.get("seconds", 0.0))

    def prepare(self, module: nn.Module) -> Any:
        """The module whose forward pass gives the loss, made ready for this device and for several processes."""
        if self.launch.checkpoint_activations:
            compute_again(self.model)
        self.prepared = spread(module, self.launch, self.accelerator)
        self.parameters = list(self.model.parameters())  # each search for them takes as long as clipping does
        self.optimizer = make_optimizer(self.model, self.settings, self.lr_scales)  # of the parts, where the model is divided
        return self.prepared

    def steps(self) -> Iterator[int]:
        """Each step that is left. What follows it, such as a checkpoint, is done when the next one is asked for. A `UserError` where the
        processes differ, `Stopped` where a signal ended the run early, with a checkpoint."""
        steps = self.durations.steps
        if self.start >= steps:
            return
        plugins, largest = load_plugins(), agreement(self.accelerator)
        if (warmup := self.durations.warmup) >= steps:
            why = "the learning rate never reaches its peak; set a shorter one"
            self.display.warn(f"train.lr.warmup ({warmup} steps) is not shorter than the run ({steps}): {why}")
        if self.checkpoint is not None and self.start > 0:
            load_optimizer(self.checkpoint, self.model, self.optimizer)
        if largest(self.start) != self.start:
            raise UserError("the processes began from different checkpoints, since one was written meanwhile; start them again")
        if self.leads:
            self.run.rewind(self.start)
        self.prepared.train()
        plugins.tell("iwm_train_start", TrainStart(self.run.path, self.model, self.start, steps))
        slices = self.schedule.slices(self.start, steps, self.accelerator.process_index, self.accelerator.num_processes)
        self.batches = self.data.batches(slices)
        for step in self.display.steps(self.start, steps, "training"):
            self.step = step
            yield step
            plugins.tell("iwm_step_end", StepEnd(step + 1, self.loss))
            self.keep(largest(LOST if self.data.lost else self.stop.received))
        plugins.tell("iwm_train_end", TrainEnd(self.run.path, self.model, steps))
        self.accelerator.end_training()

    @property
    def done(self) -> int:
        """Steps done once this one is."""
        return self.step + 1

    @property
    def last(self) -> Path:
        """The last checkpoint of the run, which is there when all steps are done."""
        finished = self.checkpoint if self.start >= self.durations.steps else None
        return finished or self.run.checkpoints / f"step_{self.durations.steps}"

    def gradients(self, learn: Callable[[Any], R]) -> R:
        """The gradients of a step: of each micro-batch, ``learn(batch)`` has the loss. Returns what the last one gave."""
        accelerator, count = self.accelerator, self.launch.accumulate
        self.loss, result = torch.zeros((), device=accelerator.device), None
        for micro in range(count):
            batch = self.tally.wait(self.batches)
            # The only users of the global generator are dropout and its like: seeded by the step, they need no state to resume. It is done
            # here because a loader draws from it, too, when it gives its first batch.
            part = (self.step * count + micro) * accelerator.num_processes + accelerator.process_index
            torch.manual_seed(self.settings.seed * 1_000_003 + part)
            with contextlib.nullcontext() if micro == count - 1 else accelerator.no_sync(self.prepared):
                with attention_of(self.launch.precision, accelerator.device):
                    result = learn(batch)
                share = result.loss / count
                accelerator.backward(share)
            self.loss += share.detach()
        assert result is not None, "a step has a micro-batch at least"
        return result

    def update(self, weight_decay: float) -> Tensor:
        """Clip the gradients and make an optimizer's step of them. Returns whether they were finite; where not, nothing was changed."""
        lr = learning_rate(self.settings.lr, self.step, self.durations.steps, self.durations.warmup)
        for group in self.optimizer.param_groups:
            group["lr"], group["weight_decay"] = lr * group["lr_scale"], weight_decay if group["decays"] else 0.0
        self.weight_decay = weight_decay
        norm: Any = self.accelerator.clip_grad_norm_(self.parameters, self.settings.clip or float("inf"))
        self.norm = norm.full_tensor() if self.divided else norm
        finite = torch.isfinite(self.norm)
        self.optimizer.found_inf = (~finite).float()  # pyright: ignore[reportAttributeAccessIssue]  # the fused optimizer leaves weights and moments as they are
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.tally.add(self.loss, finite)
        return finite

    @property
    def logs(self) -> bool:
        """Whether this step is logged: then, the device may be waited for."""
        return self.done % self.durations.log_every == 0 or self.done == self.durations.steps

    def log(self, numbers: dict[str, Any], warnings: Iterable[str], inputs: Mapping[str, Tensor | None]) -> None:
        """Log a line, and end a run that gets nowhere.

        Args:
            numbers: of the kind of run, besides those of every loop.
            warnings: what the user should know of them, each ``topic: text``.
            inputs: what the last micro-batch was made of, in words: searched for numbers that are not finite where no gradient is.

        Raises:
            UserError: for a whole interval, no gradient was finite.
        """
        every, done = self.durations.log_every, self.done
        line = {"step": done, "epoch": done / self.schedule.steps_per_epoch, **self.tally.read(self.accelerator, self.settings.batch_size)}
        line |= {"lr": max(group["lr"] for group in self.optimizer.param_groups), "grad_norm": float(self.norm)}
        line |= {"weight_decay": self.weight_decay, "corrupt": self.data.corrupt, **numbers}
        if self.leads:
            self.run.log(line)
            self.accelerator.log({k: v for k, v in line.items() if k != "step"}, step=done)
            self.display.logged(done, line)
            if line["skipped"]:
                self.warn("skipped", f"step {done}: {line['skipped']} of {every} steps had no finite gradient and were skipped")
            for warning in warnings:
                self.warn(warning.partition(":")[0], f"step {done}: {warning}")
        if (barren := int(self.tally.barren)) >= min(max(every, 2), self.durations.steps):
            culprit = next((name for name, part in inputs.items() if part is not None and not part.isfinite().all()), None)
            cause = f"{culprit} contain values that are not finite: fix them" if culprit else ""
            raise UserError(
                f"no gradient of the last {barren} steps was finite; {cause or 'lower train.lr.peak, or use launch.precision=fp32'}"
            )

    def keep(self, received: int) -> None:
        """Write a checkpoint where one is due, and end the run where a signal came."""
        done, steps = self.done, self.durations.steps
        if (done % self.durations.checkpoint_every == 0 or done == steps or received) and (self.leads or self.divided):
            device = self.accelerator.device
            where = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
            kept = {"steps": steps, "images": len(self.data), "seconds": self.tally.seconds(), "device": where, **self.state()}
            save_checkpoint(self.run.checkpoints, done, self.model, self.optimizer, kept, self.settings.keep, self.leads)
        if received:
            why = f": {first_reason(self.data.lost)}" if received == LOST else f" by {named(received)}"
            text = f"stopped at step {done} of {steps}{why}; continue with `iwm resume {as_word(self.run.path)}`"
            raise Stopped(text, 1 if received == LOST else 128 + received)
