"""The typed recipe: what a run is made of, as dataclasses with documented, checked fields.

Decisions:
- A duration is a text, ``"500"`` (steps) or ``"15 epochs"``: `steps_of` turns it into steps when the data's size is known.
- Components are dataclasses of their own (see `iwm_core.interfaces`); here they are fields that hold instances.
- Batch size is global: over all processes and accumulated micro-batches.
"""

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar

from iwm_core.interfaces.component import check_option, option

if TYPE_CHECKING:  # settings are read and checked before torch is imported
    from iwm_core.interfaces import Action, DataSource, EncoderComponent, Evaluator, PredictorComponent, TargetSelector


@dataclass(kw_only=True)
class Section:
    """A part of a recipe whose fields are checked like a component's."""

    def __post_init__(self) -> None:
        for f in fields(self):
            check_option(f.name, getattr(self, f.name), f.metadata)


def duration(default: str, doc: str, at_least: int = 0) -> Any:
    """An option that is a duration of at least some steps."""
    checked = {"check": lambda label, value: steps_of(value, 1, label, at_least)}
    return field(default=default, metadata={**option(default, f'{doc}: steps or "N epochs"').metadata, **checked})


def place(doc: str) -> Any:
    """An option that names a directory to be made."""

    def check(label: str, value: str) -> None:
        if not value.strip() or "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):
            raise ValueError(f"{label}={value[:60]!r} can be no directory; leave it out, or write {label}=runs/NAME")

    return field(default=None, metadata={**option(None, doc).metadata, "check": check})


@dataclass(kw_only=True)
class View(Section):
    """The shared view from which source and target are made (PAPER §2)."""

    scale: list[float] = option([0.3, 1.0], "area of the random crop, share of the image, low and high", low=0.01, high=1)
    ratio: list[float] = option([0.75, 4 / 3], "width over height of the crop, low and high", low=0.1, high=10)
    flip: float = option(0.5, "probability of a horizontal flip", low=0, high=1)
    canvas: int | None = option(None, "side of the view in pixels, where an action crops from it; null: image_size", low=1, high=2**14)
    source_from: str = option(
        "view", "make the source from the shared view, or from the target (the main text's version)", choices=("view", "target")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("scale", "ratio"):
            pair = getattr(self, name)
            if len(pair) != 2 or pair[0] > pair[1]:
                raise ValueError(f"view.{name} is [low, high], got {pair}")


@dataclass(kw_only=True)
class LearningRate(Section):
    """Linear warm-up from start to peak, then a cosine to end."""

    main: ClassVar[str] = "peak"
    """The key that is meant where only one value is given."""

    start: float = option(2e-4, "at step 0", low=0)
    peak: float = option(1e-3, "after the warm-up", low=0)
    end: float = option(1e-6, "at the last step", low=0)
    warmup: str = duration("0", "duration")


@dataclass(kw_only=True)
class Ramp(Section):
    """A value that moves from start to end over the run."""

    start: float = option(0.0, "at step 0", low=0)
    end: float = option(0.0, "at the last step", low=0)


@dataclass(kw_only=True)
class Optimisation(Section):
    """What the loop reads of the section ``train`` (PAPER §5), whatever is trained; a kind of run derives its own section from it."""

    steps: int | None = option(None, "length of the run in optimizer steps; this or epochs", low=1, high=1e12)
    epochs: float | None = option(None, "length of the run in epochs; this or steps", low=0, high=1e9)
    batch_size: int = option(128, "images a step, over all processes", low=1)
    lr: LearningRate = field(default_factory=LearningRate)
    betas: list[float] = option([0.9, 0.999], "AdamW's moments", low=0, high=1)
    clip: float = option(1.0, "largest norm of the gradient; 0: no clipping", low=0)
    checkpoint_every: str = duration("1 epochs", "duration between checkpoints", at_least=1)
    keep: int = option(2, "checkpoints kept", low=1)
    log_every: str = duration("50", "duration between logged lines", at_least=1)
    seed: int = option(0, "of every random number", low=0, high=2**32 - 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.steps is None) == (self.epochs is None):
            both = f"it has steps={self.steps} and epochs={self.epochs}; empty the one that you do not mean, such as train.steps=null"
            raise ValueError(
                f"train needs exactly one of train.steps and train.epochs: {both if self.steps is not None else 'write train.steps=500'}"
            )
        if self.epochs is not None and self.epochs <= 0:
            raise ValueError(f"train.epochs must be above 0, got {self.epochs:g}")
        if len(self.betas) != 2 or max(self.betas) >= 1:
            raise ValueError(f"train.betas are two numbers below 1, got {self.betas}")


LOSSES = {"l2": "mse_loss", "smooth_l1": "smooth_l1_loss"}
"""Losses of a prediction, as torch.nn.functional calls them."""


@dataclass(kw_only=True)
class Train(Optimisation):
    """Optimisation of a pretraining."""

    weight_decay: Ramp = field(default_factory=lambda: Ramp(start=0.04, end=0.4))
    momentum: Ramp = field(default_factory=lambda: Ramp(start=0.996, end=1.0))
    loss: str = option("l2", "squared L2 (IWM) or smooth L1 (I-JEPA's code)", choices=tuple(LOSSES))
    normalise_targets: bool = option(True, "layer-normalise the teacher's tokens")

    def __post_init__(self) -> None:
        super().__post_init__()
        if max(self.momentum.start, self.momentum.end) > 1:
            raise ValueError(f"train.momentum is at most 1, got {self.momentum.start:g} to {self.momentum.end:g}")


@dataclass(kw_only=True)
class Launch(Section):
    """Where and how a run is computed; nothing here but ``precision``, ``reduce`` and ``compile`` changes what is computed."""

    main: ClassVar[str] = "processes"
    device: str = option("auto", "auto (an accelerator where there is one), cpu, cuda, cuda:1, mps")
    precision: str = option("fp32", "of the forward pass; weights stay fp32; auto: the faster one here", choices=("fp32", "bf16", "auto"))
    processes: int = option(1, "processes, each with one device", low=1)
    accumulate: int = option(1, "micro-batches a step and process", low=1)
    workers: int = option(2, "data workers a process, where images are decoded in training", low=0)
    compile: bool = option(False, "torch.compile the step: slower start, faster steps")
    shard: str = option("none", "what processes divide among them; full: weights, gradients and moments", choices=("none", "full"))
    reduce: str = option("fp32", "in which processes add up their gradients", choices=("fp32", "bf16"))
    checkpoint_activations: bool = option(False, "compute blocks again on the way back: less memory, slower, the same numbers")
    trackers: list[str] = option([], "tensorboard and/or wandb, besides metrics.jsonl", choices=("tensorboard", "wandb"))


@dataclass(kw_only=True)
class Recipe:
    """All that a run is made of. Component groups hold instances once a recipe is thawed."""

    recipe: str = "???"
    image_size: int = option(224, "pixels of the square input", low=1, high=2**14)
    encoder: "EncoderComponent" = option()
    predictor: "PredictorComponent" = option()
    targets: "TargetSelector" = option()
    actions: "dict[str, Action]" = option({})
    data: "DataSource" = option()
    evaluators: "dict[str, Evaluator]" = option({})
    view: View = field(default_factory=View)
    train: Train = option()
    launch: Launch = field(default_factory=Launch)
    run: str | None = place("the run's directory; null: the next free runs/NAME")


def steps_of(duration: str, epoch: int, label: str, at_least: int = 0) -> int:
    """A duration in steps, where one epoch has ``epoch`` steps; a `ValueError` where ``duration`` is neither a number of steps nor of
    epochs, or is shorter than ``at_least`` steps."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(steps?|ep|epochs?)?\s*", str(duration))
    epochs = bool(match and match[2] and match[2].startswith("ep"))
    if not match or (not epochs and "." in match[1]):
        raise ValueError(f'{label} is a duration, such as 500 (steps) or "15 epochs", got {duration!r}')
    if len(match[1].partition(".")[0]) > 12:
        raise ValueError(f"{label} is longer than any run, got {str(duration)[:40]}; a run has at most 10^12 steps")
    steps = round(float(match[1]) * epoch) if epochs else int(match[1])
    if epochs and float(match[1]) > 0:
        steps = max(steps, 1)
    if steps < at_least:
        raise ValueError(f"{label} must be at least {at_least} step, got {duration!r}")
    return steps
