"""Tunings of tiny world models in this process: what the tests of ``iwm tune`` share."""

import json
from pathlib import Path

from iwm_tasks.tuning.model import Lesson, TunedModel
from iwm_tasks.tuning.recipe import TuneRecipe
from iwm_tasks.tuning.start import check
from iwm_tasks.tuning.tune import build
from kept_runs import KeptRuns
from safetensors.torch import load_file

from iwm_core.cli.main import dispatch
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import Run

TINY = ["launch.workers=0", "launch.device=cpu", "train.batch_size=12", "train.epochs=null", "train.steps=6", "train.resamples=20"]
SWIFT = ["budget=cpu", *TINY, "train.lr.start=0.002", "train.lr.peak=0.002", "train.lr.warmup=0"]
"""A tuning of six steps in which whatever is trained moves."""
MIXED = ["augment.randaugment=rand-m9-mstd0.5-inc1", "augment.mixup=0.8", "augment.cutmix=1.0", "augment.label_smoothing=0.1"]


class Worlds:
    """Tiny world models on disk, each made when it is first asked for, and shared: nobody may change one."""

    def __init__(self, runs: KeptRuns) -> None:
        self.runs = runs

    def __call__(self, *options: str) -> str:
        """The directory of one, trained for two steps with these options."""
        deep = [] if "predictor=identity" in options else ["predictor.depth=2"]
        words = ["recipe=tiny", "data=taught", "train.steps=2", "predictor=feature", *deep, *options, "run=world"]
        return str(self.runs.original("train", *words))


def tune(world: str, recipe: str, *options: str, run: str = "tuned") -> Path:
    """Tune a world model; returns the run's directory."""
    assert dispatch(["tune", world, f"recipe=tune/{recipe}", *SWIFT, *options, f"run={run}"]) == 0
    return Path(run)


def weights(run: Path | str):
    folder = Path(run) / "checkpoints"
    return load_file(folder / (folder / "latest").read_text() / "model.safetensors")


def moments(run: Path | str):
    folder = Path(run) / "checkpoints"
    return load_file(folder / (folder / "latest").read_text() / "optimizer.safetensors")


def lines(run: Path | str):
    return [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]


def content(run: Path | str, file: str):
    return json.loads((Path(run) / file).read_text())


def begin(world: str, recipe: str, *options: str) -> tuple[TuneRecipe, TunedModel, dict[str, Lesson]]:
    """A tuning before its first step, of which nothing is written: its recipe, its model, and what it learns."""
    config, _ = check(world, f"tune/{recipe}", [*SWIFT, *options])
    settings = thaw(config)
    model, learned = build(settings, settings.data.open("train"), restored=False)
    return settings, model, learned


def untrained(run: Path | str) -> TunedModel:
    """The model of a tuned run as it was before its first step."""
    recipe = thaw(Run.open(str(run)).config())
    return build(recipe, recipe.data.open("train"), restored=False)[0]
