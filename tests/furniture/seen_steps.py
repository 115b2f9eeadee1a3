"""A plugin that keeps what a process sees in each step of a training, samples, actions and masks, in the folder that SEEN names."""

import os
from pathlib import Path

import numpy as np

from iwm_core import hookimpl
from iwm_core.interfaces.events import TrainStart


@hookimpl
def iwm_train_start(event: TrainStart) -> None:
    if "SEEN" not in os.environ:
        return
    from iwm_core.training.pretraining import Step

    folder, learn = Path(os.environ["SEEN"]) / event.run.name, Step.learn
    folder.mkdir(parents=True, exist_ok=True)

    def kept(self, batch):
        outcome = learn(self, batch)
        seen = {"index": batch.index, "action": outcome.views.action, "context": outcome.where.context, "target": outcome.where.target}
        file = folder / f"{self.loop.step}-{os.environ.get('RANK', 0)}.npz"
        np.savez(file, **{name: tensor.detach().numpy() for name, tensor in seen.items()})
        return outcome

    Step.learn = kept


def seen(folder: Path) -> dict[tuple[int, int], tuple[np.ndarray, ...]]:
    """Action, context and target of each sample that a training has seen, by its step and number."""
    found: dict[tuple[int, int], tuple[np.ndarray, ...]] = {}
    for file in folder.glob("*.npz"):
        step, parts = int(file.stem.partition("-")[0]), np.load(file)
        for place, index in enumerate(parts["index"].tolist()):
            assert (step, index) not in found, f"{file}: sample {index} is seen twice"
            found[step, index] = tuple(parts[name][place] for name in ("action", "context", "target"))
    return found
