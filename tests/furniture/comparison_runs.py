"""Finished tunings for comparisons, as `iwm tune` leaves them, without weights; and the task that they were tuned for, as a plugin."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from iwm_evals.measuring.settings import settings_of
from iwm_tasks.interfaces import Task
from safetensors.torch import save_file

from iwm_core import hookimpl
from iwm_core.interfaces.draws import Draws
from iwm_core.run.stored import sealed

IMAGES = 200


@dataclass(kw_only=True)
class Named(Task):
    """A task of which only the metric matters here."""

    name = "named"
    main = "accuracy"

    def outputs(self, images): ...
    def target(self, images, index): ...
    def loss(self, output, target): ...
    def rows(self, output, target): ...
    def answer(self, output): ...
    def metrics(self, rows):
        return {"accuracy": rows[:, 0].mean().item(), "error": 1 - rows[:, 0].mean().item()}


@dataclass(kw_only=True)
class Off(Named):
    """A task with another main metric."""

    name = "off"
    main = "error"


@hookimpl
def iwm_task_types():
    return [Named, Off]


def write_world_model(path, step=4, weights="00000001"):
    path = Path(path)
    write_checkpoint(path, step, weights)
    (path / "config.yaml").write_text(yaml.safe_dump({"recipe": "quickstart", "data": {"name": "noise"}, "run": str(path)}))
    return path


def write_checkpoint(path, step, weights):
    """A checkpoint that tells the checksum of its weights, and has none."""
    folder = Path(path) / "checkpoints" / f"step_{step}"
    folder.mkdir(parents=True, exist_ok=True)
    state = sealed({"step": step, "steps": step, "checksums": {"model.safetensors": weights}})
    (folder / "state.json").write_text(json.dumps(state))


def right(share, seed, images=IMAGES):
    """Which images were right: a fixed number of them, in an order of this seed's own."""
    order = Draws(seed, 0, torch.zeros(1, dtype=torch.int64)).permutation(images)[0]
    return (order < round(share * images)).float()[:, None]


def write_tuned(path, shares, seed=0, trained=1000, seconds=60.0, finished=True, images=IMAGES, kinds=None, config=None, measured=None):
    """A tuning by the shares of right images of its tasks; one that has not finished has made half of its steps.

    ``config``: more of its config; ``measured``: what of it was otherwise when it was measured.
    """
    path, step = Path(path), 8 if finished else 4
    tasks = {name: {"name": (kinds or {}).get(name, "named")} for name in shares}
    config = {"recipe": "tune/x", "tasks": tasks, "train": {"seed": seed, "resamples": 40}, "world_model": {"run": "w"}, **(config or {})}
    (path / "checkpoints" / f"step_{step}").mkdir(parents=True)
    (path / "checkpoints" / f"step_{step}" / "state.json").write_text(json.dumps({"step": step, "steps": 8}))
    (path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    if finished:
        cost = {"trained": trained, "parameters": 4000, "gflops_train": 1.5, "gflops_inference": 0.5}
        (path / "cost.json").write_text(json.dumps(cost | {"seconds": seconds, "peak_memory": (512 + seed) << 20, "device": "cpu"}))
        (path / "eval").mkdir()
        for name, share in shares.items():
            main = "error" if tasks[name]["name"] == "off" else "accuracy"
            settings = {"main": main, "measured_with": settings_of(config | (measured or {}), name)}
            content = {"format": 2, "evaluator": name, "step": step, "settings": settings}
            (path / "eval" / f"{name}.json").write_text(json.dumps(content))
            save_file({"rows": right(share, seed, images)}, path / "eval" / f"{name}_rows.safetensors")
    return path
