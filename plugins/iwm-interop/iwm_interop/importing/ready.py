"""What every kind of import makes of a file: a run that can be written."""

from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from iwm_core.recipe.config import Recipe


class Ready(NamedTuple):
    """A run that is about to be written.

    Attributes:
        of: whose names the weights had.
        file: the weights.
        config, recipe: the run's, composed and thawed.
        weights: of the world model by name; a part that is not there is new.
        report: what became of each key of the file.
        notes: for the user.
        licence, source: of the weights.
    """

    of: str
    file: Path
    config: Any
    recipe: Recipe
    weights: dict[str, Tensor]
    report: list[dict[str, str]]
    notes: list[str]
    licence: str
    source: str
