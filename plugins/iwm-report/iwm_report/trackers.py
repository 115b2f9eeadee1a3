"""Sends what evaluators find to the trackers that a run's training wrote to: TensorBoard and Weights & Biases.

Decisions:
- Training sends its numbers itself, by their names in metrics.jsonl, and what evaluators measure meanwhile as ``evaluator/metric``. Results
  and pictures come after it, here, under the same names.
- What lies in the run tells which tracker there is, so that one that a resume asked for is served, too.
- Only the recipe's own measurements are sent: those of other settings would stand under the same names.
- A service that cannot be reached costs no result: that is warned of, and the results lie in the run.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from iwm_core.interfaces.events import Evaluated
from iwm_core.process.shown import tell

PROJECT = "iwm"
"""What the core calls the project: TensorBoard's folder in a run is of this name."""


def track(event: Evaluated) -> None:
    """Send an evaluator's metrics and pictures to each tracker of its run."""
    if event.beside != Path():
        return
    run = event.folder.parent
    for name, sign, send in (("tensorboard", f"{PROJECT}/*tfevents*", to_tensorboard), ("wandb", "wandb/latest-run", to_wandb)):
        if not any(run.glob(sign)):
            continue
        if find_spec(name) is None:
            tell(f"warning: {event.evaluator} is not sent to {name}, as training was: it is not installed here", sys.stderr)
            continue
        send(run, event, {f"{event.evaluator}/{key}": metric.value for key, metric in event.found.metrics.items()})


def pixels(picture: Path) -> Any:
    """A picture as uint8 [h, w, 3]."""
    import numpy as np
    from PIL import Image

    with Image.open(picture) as image:
        return np.asarray(image.convert("RGB"))


def to_tensorboard(run: Path, event: Evaluated, numbers: dict[str, float]) -> None:
    """Into a file of their own beside training's."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run / PROJECT), filename_suffix=f".{event.evaluator}") as writer:
        for key, value in numbers.items():
            writer.add_scalar(key, value, event.step)
        for picture in event.pictures:
            writer.add_image(f"{event.evaluator}/{picture.stem}", pixels(picture), event.step, dataformats="HWC")


def to_wandb(run: Path, event: Evaluated, numbers: dict[str, float]) -> None:
    """Into the run of the service that training made, whose id stands in the name of its folder."""
    import wandb  # pyright: ignore[reportMissingImports]  # where training used it, it is installed

    own = (run / "wandb/latest-run").resolve().name.rpartition("-")[2]
    try:
        with wandb.init(project=PROJECT, id=own, resume="allow", dir=str(run)) as tracked:
            shown = {f"{event.evaluator}/{picture.stem}": wandb.Image(pixels(picture)) for picture in event.pictures}
            tracked.log({**numbers, **shown, "step": event.step})
    except wandb.errors.Error as error:
        tell(f"warning: {event.evaluator} is not sent to wandb: {error}; its results are in {run}", sys.stderr)
