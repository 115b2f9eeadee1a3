"""Runs evaluators on a run's newest checkpoint and writes ``RUN/eval/<name>.json``."""

from iwm_core.checkpoint import read_state
from iwm_core.config import Recipe
from iwm_core.data.evaluation import RunData
from iwm_core.display import Display
from iwm_core.errors import UserError
from iwm_core.frozen import load_recipe
from iwm_core.run import Run


def evaluate(run: Run, recipe: Recipe, display: Display, names: list[str] | None = None) -> None:
    """Measure a run with the recipe's evaluators, show a table for each and say where pictures are.

    Args:
        run: the run.
        recipe: its recipe, with the evaluators to use.
        display: progress, tables.
        names: only these of the recipe's evaluators.

    Raises:
        UserError: there is no checkpoint, or an evaluator cannot measure this model or data.
    """
    model = load_recipe(run, recipe, recipe.launch.device)
    data = RunData(recipe, model.device)
    folder = run.evaluations()
    for name in names if names is not None else list(recipe.evaluators):
        try:
            result = recipe.evaluators[name].evaluate(model, data, folder, display.track)
        except (ValueError, OSError) as error:  # what cannot be measured; a picture that cannot be written
            raise UserError(f"evaluator {name}: {error}") from error
        path = run.write_evaluation(name, model.step, model.checkpoint.name, result)
        display.table(f"{name} at step {model.step}", result.metrics)
        for written in (path, *result.pictures):
            display.say(f"wrote {written}")
    for corrupt in sorted(data.corrupt):
        display.warn(f"cannot read {corrupt}; it is left out")


def missing_evaluations(run: Run, recipe: Recipe) -> list[str]:
    """Evaluators of the recipe that have not measured the newest checkpoint yet."""
    checkpoint = run.latest()
    step = read_state(checkpoint)["step"] if checkpoint else None
    return [name for name in recipe.evaluators if step is None or run.evaluated(name) != step]
