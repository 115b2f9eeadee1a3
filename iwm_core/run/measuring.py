"""What measures a run: a plugin, which has evaluators measure, keeps what they find, and reads it back (`iwm_measurers`)."""

from pathlib import Path
from typing import Any

from iwm_core.plugins.kinds import kind_with
from iwm_core.plugins.loader import load_plugins


def measurer() -> Any:
    """The module of that plugin; a `UserError` where no installed plugin measures, or several do."""
    return load_plugins().only("iwm_measurers", "a run is to be measured")


def unmeasured(run: Any, recipe: Any, checkpoint: Path) -> list[str]:
    """Those of the recipe's evaluators (or tasks) that have not measured a checkpoint, the run's newest, yet."""
    names = kind_with(recipe).measures(recipe)
    return measurer().missing(run, recipe, names, checkpoint) if names else []
