"""What changes over a run, as plain functions of the step (PAPER §5), and how long a run is."""

import math
from dataclasses import dataclass
from typing import Any

from iwm_core.recipe.config import LearningRate, Ramp, steps_of


def learning_rate(lr: LearningRate, step: int, steps: int, warmup: int) -> float:
    """Linear from start to peak over ``warmup`` steps, then a cosine that reaches end at the last step."""
    if step < warmup:
        return lr.start + (lr.peak - lr.start) * step / warmup
    progress = (step - warmup) / max(steps - 1 - warmup, 1)
    return lr.end + (lr.peak - lr.end) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def weight_decay(ramp: Ramp, step: int, steps: int) -> float:
    """Half a cosine from start to end."""
    progress = step / max(steps - 1, 1)
    return ramp.end + (ramp.start - ramp.end) * (1 + math.cos(math.pi * progress)) / 2


def momentum(ramp: Ramp, step: int, steps: int) -> float:
    """Linear from start to end."""
    return ramp.start + (ramp.end - ramp.start) * step / max(steps - 1, 1)


@dataclass(frozen=True)
class Durations:
    """The durations of a run in steps."""

    steps: int
    warmup: int
    checkpoint_every: int
    log_every: int

    @classmethod
    def of(cls, train: Any, epoch: int) -> "Durations":
        """Those of a recipe's section ``train``, where an epoch has ``epoch`` steps."""
        return cls(
            steps=train.steps if train.steps is not None else steps_of(f"{train.epochs:.9f} epochs", epoch, "train.epochs"),
            warmup=steps_of(train.lr.warmup, epoch, "train.lr.warmup"),
            checkpoint_every=steps_of(train.checkpoint_every, epoch, "train.checkpoint_every", at_least=1),
            log_every=steps_of(train.log_every, epoch, "train.log_every", at_least=1),
        )
