"""What is noted in a run besides results: measurements made during training, and evaluators that had nothing to measure. Needs no torch."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from iwm_core.interfaces.results import Metric
from iwm_core.recipe.shapes import Name, fitting
from iwm_core.run.directory import Run, finite
from iwm_core.run.files import append, write_record, writing
from iwm_core.run.saved import latest_checkpoint
from iwm_core.run.stored import SEALS, Damaged, check_folder, read_record
from iwm_core.training.mending import mended_log, set_aside


class MeasuredLine(TypedDict):
    """A line of evaluations.jsonl."""

    step: int
    evaluator: Name
    metrics: dict[str, Metric]


class Step(TypedDict):
    """What must be known of a measurement to know whether it is the newest; or that there was nothing to measure, and why."""

    step: int
    reason: NotRequired[str]


def log_evaluation(run: Run, line: dict[str, Any]) -> None:
    """Append a measurement made during training to evaluations.jsonl."""
    append(run.history, finite(line))


def read_not_applicable(path: Path) -> dict[str, dict[str, Any]]:
    """Which evaluators found nothing to measure: at which step, for which reason."""
    content = read_record(path, dict[str, Any], config=path.parent / "config.yaml")
    try:
        return fitting({key: value for key, value in content.items() if key not in (*SEALS, "config")}, dict[Name, Step])
    except ValueError as error:
        raise Damaged(path, f"is damaged ({error})") from error


def not_applicable(run: Run) -> dict[str, dict[str, Any]]:
    """The same of a run; none where it cannot be read."""
    try:
        return read_not_applicable(run.path / "not_applicable.json")
    except Damaged:
        return {}


def note_not_applicable(run: Run, name: str, step: int, reason: str) -> None:
    """Note that an evaluator has nothing to measure in a checkpoint, so that `iwm resume` need not ask again."""
    noted = {**not_applicable(run), name: {"step": step, "reason": reason}}
    write_record(run.path / "not_applicable.json", noted, run.path / "config.yaml")


def evaluations(run: Run) -> Path:
    """The folder of evaluators' numbers and pictures, made if need be."""
    folder = run.path / "eval"
    check_folder(folder)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    return folder


def older(run: Run) -> dict[str, str]:
    """The checkpoint that `Run.open` was asked for, as a setting of what is measured; nothing where it is the newest, or none was."""
    newest = latest_checkpoint(run.checkpoints)
    return {"checkpoint": run.chosen} if run.chosen and newest and newest.name != run.chosen else {}


def mended(run: Run, names: Iterable[str]) -> list[str]:
    """Mend what is noted in a run, and its measurements by these evaluators or tasks; returns what was done, a line each.

    What cannot be read is set aside: it is measured again.
    """
    from iwm_evals.measuring.scorecard import read_result

    done = [mended_log(run.history, MeasuredLine)]
    check_folder(run.path / "eval")
    done += [without(run.path / "eval" / f"{name}.json", lambda path: fitting(read_result(path), Step)) for name in names]
    return [line for line in [*done, without(run.path / "not_applicable.json", read_not_applicable)] if line]


def without(path: Path, read: Callable[[Path], object]) -> str:
    """Set a record aside that ``read`` cannot read; returns what was done, or nothing."""
    try:
        if path.exists() or path.is_symlink():
            read(path)
        return ""
    except Damaged as error:
        told = str(error)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        told = f"{path} is damaged ({f'it lacks {error}' if isinstance(error, KeyError) else error})"
    return f"{told}; it is measured again, and the file is kept as {set_aside(path).name}"
