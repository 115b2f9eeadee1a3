"""The recipes that come with the platform: a first one, the paper's, reproductions, and choices that they share."""

from pathlib import Path

from iwm_core import hookimpl


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent]
