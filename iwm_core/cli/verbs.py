"""The verbs of the core: what their help says, and what carries them out.

Words are checked as far as can be before torch is imported, which takes seconds.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from iwm_core.cli.listing import Listing, tell_problems
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import option
from iwm_core.process.shown import tell


@dataclass(frozen=True, kw_only=True)
class Eval:
    """The switch of ``iwm eval``."""

    all: bool = option(False, "print the table of each of many evaluators")


CHECKPOINT = "checkpoint=step_N uses an older checkpoint."

VERBS = [
    Command(
        name="train",
        run="iwm_core.cli.verbs:run_train",
        forms={"train recipe=NAME [key=value …]": "train and measure a recipe in a new run directory"},
        more=(
            "NAME is one of `iwm recipes`, or a file: recipe=./mine.yaml, which may name the recipe that it changes.",
            "run=PATH names the directory; without it, the next free runs/NAME. It is printed alone on the first line.",
            "`iwm show recipe=NAME` lists all keys; `iwm components` what can be named, such as predictor=NAME and actions=[NAME,…].",
        ),
        examples=("iwm train recipe=quickstart", "iwm train recipe=quickstart data=folder data.path=MY_IMAGES image_size=96"),
    ),
    Command(
        name="resume",
        run="iwm_core.cli.verbs:run_resume",
        forms={"resume RUN [launch.key=value …]": "continue after an interruption"},
        more=(
            "Only launch= and data= may change: how the rest is computed, and where the images lie now (data.path=FOLDER).",
            f"{CHECKPOINT} Later ones are set aside.",
        ),
        examples=(
            "iwm resume runs/quickstart",
            "iwm resume runs/quickstart launch.accumulate=2",
            "iwm resume runs/quickstart checkpoint=step_400",
        ),
    ),
    Command(
        name="eval",
        run="iwm_core.cli.verbs:run_eval",
        switches=Eval,
        forms={"eval RUN [evaluators=[NAME] key=value …] [--all]": "measure a run's newest checkpoint"},
        more=(
            "Without evaluators=, those of the recipe; evaluators=[scorecard] takes all that `iwm components evaluator` lists.",
            "What is measured with other settings than the recipe's is kept apart.",
            CHECKPOINT,
        ),
        examples=(
            "iwm eval runs/quickstart",
            'iwm eval runs/quickstart "evaluators=[mrr]" evaluators.mrr.bank=256',
        ),
    ),
    Command(
        name="show",
        run="iwm_core.cli.verbs:run_show",
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
        run="iwm_core.cli.listing:run_recipes",
        switches=Listing,
        words=0,
        forms={"recipes [--json]": "list recipes"},
        examples=("iwm recipes", "iwm recipes --json"),
    ),
    Command(
        name="components",
        run="iwm_core.cli.listing:run_components",
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
        name="plugins",
        run="iwm_core.cli.listing:run_plugins",
        switches=Listing,
        words=0,
        forms={"plugins [--json]": "list plugins, also those that failed to load"},
        examples=("iwm plugins", "iwm plugins --json"),
    ),
]


def run_train(words: list[str]) -> int:
    from iwm_core.cli.words import read_recipe

    name, overrides = read_recipe(words)
    from iwm_core.run.new_run import refuse_named

    refuse_named(overrides)
    from iwm_core.training.course import start

    tell_problems()
    return start(name, overrides)


def run_resume(words: list[str]) -> int:
    from iwm_core.cli.words import read_changes

    path, overrides = read_changes(words, "resume")
    from iwm_core.run.lock import refuse_busy

    refuse_busy(Path(path))
    from iwm_core.training.course import resume

    tell_problems()
    return resume(path, overrides)


def run_eval(words: list[str], given: Eval) -> int:
    from iwm_core.cli.words import read_changes

    path, overrides = read_changes(words, "eval")
    from iwm_core.training.course import measure

    tell_problems()
    return measure(path, overrides, given.all)


def run_show(words: list[str]) -> int:
    from omegaconf import OmegaConf

    from iwm_core.cli.words import read_recipe
    from iwm_core.plugins.recipe_files import find_recipe
    from iwm_core.recipe.compose import compose, left_open
    from iwm_core.recipe.thaw import thaw

    name, overrides = read_recipe(words)
    config, notes = compose(name, overrides)
    from iwm_core.training.course import check_anywhere

    if not left_open(config):
        check_anywhere(thaw(config))
    for line in find_recipe(name).header:
        tell(f"# {line}".rstrip())
    tell(OmegaConf.to_yaml(config, resolve=True).rstrip("\n"), keep="\n")
    for note in notes:
        tell(f"iwm: note: {note}", sys.stderr)
    return 0
