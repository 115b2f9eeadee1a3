"""What changes over a run, as plain functions of the step (PAPER §5)."""

import math

from iwm_core.recipe.config import LearningRate, Ramp


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
