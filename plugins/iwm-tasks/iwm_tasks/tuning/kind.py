"""Tuning as a kind of run: what its config means, and where it is trained, measured and loaded."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from iwm_core.interfaces.runs import RunKind, Schema
from iwm_core.recipe.config import Launch, View
from iwm_tasks.tuning.recipe import Augment, Tune, TuneRecipe

WORLD_MODEL = "world_model"
"""The choice of data by which a tuning takes that of its world model."""


class Tuning(RunKind):
    """Heads, and what a protocol trains of a world model, learn tasks; the tasks' metrics measure it."""

    name = "tuning"
    begun_by = "iwm tune RUN recipe={}"

    def schema(self) -> Schema:
        return Schema(
            base="tuning",
            recipe=TuneRecipe,
            sections={"view": View, "augment": Augment, "train": Tune, "launch": Launch},
            groups=("protocol", "tasks", "heads", "data"),
            choices={"data": {WORLD_MODEL: {"name": "???"}}},
        )

    def recognises(self, config: Mapping[str, Any]) -> bool:
        return "world_model" in config

    def trial(self, recipe: TuneRecipe, device: Any) -> Callable[[], object]:
        """That of its world model, whose parts set the pace."""
        from iwm_core.recipe.thaw import thaw
        from iwm_core.training.pretraining import trial

        return trial(thaw(recipe.world_model["config"]), device)

    def train(self, run: Any, recipe: TuneRecipe, checkpoint: Path | None, display: Any) -> None:
        from iwm_tasks.tuning.tune import tune

        tune(run, recipe, checkpoint, display)

    def load(self, run: Any, recipe: TuneRecipe, device: str, checkpoint: Path | None = None) -> Any:
        from iwm_tasks.tuning.load_tuned import load_tuned

        return load_tuned(run, recipe, device, checkpoint)

    def measures(self, recipe: TuneRecipe) -> list[str]:
        return list(recipe.tasks)

    def measure(
        self, run: Any, recipe: TuneRecipe, names: list[str], display: Any, checkpoint: Path | None = None, own: Any = None
    ) -> None:
        from iwm_tasks.tuning.tune import evaluate_tasks

        evaluate_tasks(run, recipe, self.load(run, recipe, recipe.launch.device, checkpoint), display, own)

    def settings(self, config: Mapping[str, Any], name: str) -> dict[str, Any]:
        asked = dict((config.get("tasks") or {}).get(name) or {})
        return {"evaluator": asked, "data": dict(config.get("data") or {}), "resamples": (config.get("train") or {}).get("resamples")}

    def finished(self, run: Any) -> bool:
        from iwm_tasks.tuning.cost import read_cost

        return read_cost(run.path) is not None

    def next_words(self, run: Any) -> list[str]:
        return ["predict", str(run.path), "IMAGES"]
