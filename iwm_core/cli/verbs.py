"""The verbs of the core: what their help says, and what carries them out.

Words are checked as far as can be before torch is imported, which takes seconds.
"""

from pathlib import Path

from iwm_core.cli.listing import Listing, tell_problems
from iwm_core.interfaces.commands import Command

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
            "checkpoint=step_N uses an older checkpoint. Later ones are set aside.",
        ),
        examples=(
            "iwm resume runs/quickstart",
            "iwm resume runs/quickstart launch.accumulate=2",
            "iwm resume runs/quickstart checkpoint=step_400",
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
    from iwm_core.training.starting import start

    tell_problems()
    return start(name, overrides)


def run_resume(words: list[str]) -> int:
    from iwm_core.cli.words import read_changes

    path, overrides = read_changes(words, "resume")
    from iwm_core.run.lock import refuse_busy

    refuse_busy(Path(path))
    from iwm_core.training.starting import resume

    tell_problems()
    return resume(path, overrides)
