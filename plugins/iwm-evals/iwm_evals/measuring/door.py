"""What the core asks of who measures runs (`iwm_measurers`): each imports what it needs, as results are read without torch."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError


def evaluate(run: Any, recipe: Any, display: Any, names: list[str] | None = None, checkpoint: Path | None = None, own: Any = None) -> None:
    """Measure a run with the recipe's evaluators; see `iwm_evals.measuring.evaluate.evaluate`."""
    from iwm_evals.measuring.evaluate import evaluate

    evaluate(run, recipe, display, names, checkpoint, own)


def evaluate_in_training(names: list[str], run: Any, recipe: Any, model: Any, step: int, device: Any, display: Any, track: Any) -> None:
    """Measure a model in training; see `iwm_evals.measuring.evaluate.evaluate_in_training`."""
    from iwm_evals.measuring.evaluate import evaluate_in_training

    evaluate_in_training(names, run, recipe, model, step, device, display, track)


def missing(run: Any, recipe: Any, names: Iterable[str], checkpoint: Path) -> list[str]:
    """Those of the evaluators (or tasks) that have not measured a checkpoint, the run's newest, with the recipe's settings yet."""
    from iwm_core.run.saved import read_state
    from iwm_evals.measuring.scorecard import last_measured
    from iwm_evals.measuring.settings import plain, settings_of

    step, config = read_state(checkpoint)["step"], plain(recipe)
    return [name for name in names if last_measured(run, name, settings_of(config, name)) != step]


def mended(run: Any, names: Iterable[str]) -> list[str]:
    """Mend what was measured in a run, before it goes on; see `iwm_evals.measuring.notes.mended`."""
    from iwm_evals.measuring.notes import mended

    return mended(run, names)


def measured(run: Any) -> list[Any]:
    """What was found in a run; see `iwm_core.measured`."""
    from iwm_evals.measuring.measured import read_results

    found, problems = read_results(run.path, run.plain_config())
    if problems:
        raise UserError("; ".join(problems))
    return found
