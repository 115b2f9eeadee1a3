"""The verbs for authors of recipes and plugins, and users of shells: what their help says, what they take, where each is carried out."""

from dataclasses import dataclass
from pathlib import Path

from iwm_core.cli.listing import Listing
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option


@dataclass(frozen=True, kw_only=True)
class New:
    """The switches of ``iwm plugins new``."""

    kind: str | None = option(None, "what the package brings", value="KIND")
    into: Path = option(Path(), "where it is written", value="FOLDER")


VERBS = [
    Command(
        name="show",
        common=True,
        run="iwm_devkit.listing.recipes:run_show",
        forms={"show recipe=NAME [key=value …]": "print a recipe, composed and checked"},
        more=(
            "Every key that is printed can be set by `iwm train` and `iwm tune` as key=value.",
            "What is printed is a recipe: kept as mine.yaml, recipe=./mine.yaml trains the same.",
        ),
        examples=(
            "iwm show recipe=quickstart predictor=sequence",
            "iwm show recipe=quickstart encoder.depth=2 > mine.yaml",
            "iwm show recipe=tune/predictor budget=cpu",
        ),
    ),
    Command(
        name="recipes",
        common=True,
        run="iwm_devkit.listing.recipes:run_recipes",
        switches=Listing,
        words=0,
        forms={"recipes [--json]": "list recipes"},
        examples=("iwm recipes", "iwm recipes --json"),
    ),
    Command(
        name="components",
        common=True,
        run="iwm_devkit.listing.components:run_components",
        switches=Listing,
        words=2,
        forms={
            "components [KIND] [--json]": "list installed components",
            "components KIND NAME": "a component's options",
        },
        examples=(
            "iwm components action",
            "iwm components action jitter",
            "iwm components evaluator mrr --json",
        ),
    ),
    Command(
        name="plugins new",
        run="iwm_devkit.scaffold:run_new",
        switches=New,
        words=1,
        forms={
            "plugins new NAME --kind KIND": "write a package for a component of your own, with its tests",
        },
        examples=("iwm plugins new gamma --kind action",),
    ),
    Command(
        name="plugins check",
        run="iwm_devkit.plugin_check:run_check",
        switches=Listing,
        forms={
            "plugins check NAME [--json]": "check an installed plugin: entry points, hooks, components, recipes",
        },
        examples=(
            "iwm plugins check iwm-gamma",
            "iwm plugins check iwm-gamma --json",
        ),
    ),
    Command(
        name="completion",
        run="iwm_devkit.completion:run_completion",
        forms={
            "completion bash|zsh|fish": "print a script by which your shell completes command lines",
        },
        more=(
            "Verbs, switches, recipes, components, keys and their values, of all installed plugins; print it again when these change.",
            "bash: ~/.local/share/bash-completion/completions/iwm; zsh: a file _iwm in a folder of $fpath; fish: the example.",
        ),
        examples=(
            "iwm completion bash > ~/.local/share/bash-completion/completions/iwm",
            "iwm completion fish > ~/.config/fish/completions/iwm.fish",
        ),
    ),
]
