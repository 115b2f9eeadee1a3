"""Pretraining as a kind of run: what its config means, and where it is checked, trained, measured and loaded."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import RunKind, Schema
from iwm_core.recipe.config import Launch, Recipe, Train, View


class Pretraining(RunKind):
    """A world model learns from images; evaluators measure it."""

    name = "pretraining"

    def schema(self) -> Schema:
        return Schema(
            base="base",
            recipe=Recipe,
            sections={"view": View, "train": Train, "launch": Launch},
            groups=("encoder", "predictor", "targets", "actions", "data", "evaluators"),
        )

    def trial(self, recipe: Recipe, device: Any) -> Callable[[], object]:
        from iwm_core.training.pretraining import trial

        return trial(recipe, device)

    def check(self, recipe: Recipe) -> None:
        from iwm_core.training.fits import check_data, check_fit

        check_fit(recipe)
        check_data(recipe)

    def check_resumed(self, recipe: Recipe, restored: bool) -> None:
        from iwm_core.training.fits import check_fit

        check_fit(recipe, restored)

    def check_change(self, before: Recipe, after: Recipe, verb: str) -> None:
        if before.data != after.data:
            had, has = before.data.observed, after.data.observed
            if (had and had.labels) != (has and has.labels):
                shows = f"shows {', '.join(has.labels)}" if has else "shows none"
                raise UserError(
                    f"this model was trained {'with' if had else 'without'} an observed action"
                    f"{' (' + ', '.join(had.labels) + ')' if had else ''}, and data={after.data.name} {shows}; "
                    f"iwm {verb} needs data of the same kind, `iwm tune` takes any"
                )
        if verb == "eval" and not after.evaluators:
            raise UserError("the recipe has no evaluators; add evaluators=[NAME], `iwm components evaluator` lists what is installed")

    def train(self, run: Any, recipe: Recipe, checkpoint: Path | None, display: Any) -> None:
        from iwm_core.training.pretraining import train

        train(run, recipe, checkpoint, display)

    def load(self, run: Any, recipe: Recipe, device: str, checkpoint: Path | None = None) -> Any:
        from iwm_core.model.loading import load_world_model

        return load_world_model(run, recipe, device, checkpoint)

    def measures(self, recipe: Recipe) -> list[str]:
        return list(recipe.evaluators)

    def measure(self, run: Any, recipe: Recipe, names: list[str], display: Any, checkpoint: Path | None = None, own: Any = None) -> None:
        from iwm_core.run.measuring import measurer

        measurer().evaluate(run, recipe, display, names, checkpoint, own)

    def settings(self, config: Mapping[str, Any], name: str) -> dict[str, Any]:
        asked, view = (config.get("evaluators") or {}).get(name) or {}, config.get("view") or {}
        parts = {"view": {key: view.get(key) for key in ("canvas", "source_from")}, "image_size": config.get("image_size")}
        return {"evaluator": dict(asked), "data": dict(config.get("data") or {}), **parts}

    def next_words(self, run: Any) -> list[str]:
        return ["report", str(run.path)]
