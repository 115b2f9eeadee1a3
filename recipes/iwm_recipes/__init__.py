"""The recipes that come with the platform: a first one, the paper's, reproductions, and choices that they share; and the paper's claims."""

from pathlib import Path
from typing import Any

from iwm_core import hookimpl


@hookimpl
def iwm_recipe_dirs() -> list[Path]:
    return [Path(__file__).parent]


@hookimpl(optionalhook=True)
def iwm_claims() -> list[Any]:
    from iwm_recipes.claims import CLAIMS

    return CLAIMS
