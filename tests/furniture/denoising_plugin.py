"""A third party's plugin that brings a kind of run, its recipe and a verb: an autoencoder that removes noise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iwm_core import hookimpl
from iwm_core.interfaces import Command, DataSource, RunKind, Schema, option
from iwm_core.recipe.config import Launch, Section, Train, View


@dataclass(kw_only=True)
class Noise(Section):
    """How the images are spoiled."""

    strength: float = option(0.1, "standard deviation", low=0)


@dataclass(kw_only=True)
class DenoisingRecipe:
    """All that a denoising is made of."""

    recipe: str = "???"
    image_size: int = option(16, "pixels of the square input", low=1)
    data: DataSource = option()
    view: View = field(default_factory=View)
    noise: Noise = field(default_factory=Noise)
    train: Train = option()
    launch: Launch = field(default_factory=Launch)
    run: str | None = None


class Denoising(RunKind):
    """An autoencoder learns to remove noise; its error on validation images measures it."""

    name = "denoising"

    def schema(self) -> Schema:
        sections = {"view": View, "noise": Noise, "train": Train, "launch": Launch}
        return Schema(base="denoising", recipe=DenoisingRecipe, sections=sections, groups=("data",))

    def train(self, run: Any, recipe: Any, checkpoint: Path | None, display: Any) -> None:
        import denoising_training

        denoising_training.train(run, recipe, checkpoint, display)

    def load(self, run: Any, recipe: Any, device: str, checkpoint: Path | None = None) -> Any:
        import denoising_training

        return denoising_training.load(checkpoint or run.newest())

    def settings(self, config: Mapping[str, Any], name: str) -> dict[str, Any]:
        return {"evaluator": {"name": name}, "data": dict(config["data"]), "noise": dict(config["noise"])}


@hookimpl
def iwm_run_kinds() -> list[RunKind]:
    return [Denoising()]


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent / "denoising_recipes"]


@hookimpl
def iwm_commands() -> list[Command]:
    return [Command(name="denoise", run="denoising_training:run_denoise", forms={"denoise RUN": "say what a denoising run has learnt"})]
