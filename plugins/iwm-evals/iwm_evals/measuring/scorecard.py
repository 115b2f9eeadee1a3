"""A run's scorecard on disk: where what evaluators and tasks found is kept, and how it is read back. Needs no torch.

Decisions:
- ``eval/<name>.json`` is what the recipe's own settings measured; of an evaluator that the recipe lacks, its defaults on the recipe's data.
  What other settings measured is ``eval/<name>/<digest of the settings>.json``. So a file is replaced only by a newer measurement with
  the same settings: the step is no part of the digest, but where an older checkpoint is asked for, which is measured beside the newest.
- A result's pictures lie beside it: of another's in ``eval/<name>/<digest>/``. Files that a result names are relative to its own folder.
- `iwm resume RUN data.path=…` says where the recipe's own images lie now, so that what it measures is the recipe's; to `iwm eval` it may
  be other data, and what it measures is kept as such.
- Format 1, of earlier versions, kept neither its settings nor controls as such. It is read here alone, and is not known to be of the
  recipe's settings: it is measured again, and what it held is kept as another's, without pictures, which are drawn anew in their place.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from iwm_core.interfaces.results import CONTROLS, Metric
from iwm_core.process.display import Display
from iwm_core.process.shown import as_word
from iwm_core.run.directory import Run, finite
from iwm_core.run.files import refuse_links, write_record, writing
from iwm_core.run.stored import Damaged, read_record
from iwm_evals.measuring.notes import not_applicable
from iwm_evals.measuring.settings import Settings, alike, digest, in_words, otherwise

FORMAT = 2
MEASURED_WITH = "measured_with"
"""Where, in a result's settings, those stand that `iwm_evals.measuring.settings` compares."""


class Place(NamedTuple):
    """Where a result is kept.

    Attributes:
        file: of its numbers.
        folder: of its pictures.
        own: whether the recipe's own settings measured it.
        differing: what is not as the recipe has it, in words.
    """

    file: Path
    folder: Path
    own: bool
    differing: str


def place_of(folder: Path, name: str, settings: Settings, usual: Settings | None) -> Place:
    """The place of what an evaluator finds with some settings, where ``usual`` are those of the recipe (None: it lacks the evaluator)."""
    if usual is not None and digest(settings) == digest(usual):
        return Place(folder / f"{name}.json", folder, True, "")
    key = digest(settings)
    return Place(folder / name / f"{key}.json", folder / name / key, False, in_words(otherwise(settings, usual or {})) or "other settings")


def kept_otherwise(folder: Path) -> Iterator[Path]:
    """The files of what other settings than the recipe's have measured."""
    for file in sorted(folder.glob("*/*.json")):
        if len(file.stem) == 16 and set(file.stem) <= set("0123456789abcdef"):
            yield file


def rows_of(file: Path) -> Path:
    """Beside a task's result: what it did on each image."""
    return file.with_name(f"{file.stem}_rows.safetensors")


def form(metrics: dict[str, Metric]) -> dict[str, dict[str, Any]]:
    """Metrics as files have them, each with its controls."""
    return {
        name: {**metric.written(), "controls": {control: other.written() for control, other in metric.controls.items()}}
        for name, metric in metrics.items()
    }


def nested(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics of format 1, whose controls were metrics called ``<metric>_<control>``, in the form of today."""
    whole: dict[str, Any] = {}
    for name, numbers in metrics.items():
        base, _, control = name.rpartition("_")
        controls = control in CONTROLS and base in metrics
        line = whole.setdefault(base if controls else name, {**metrics[base if controls else name], "controls": {}})
        if controls:
            line["controls"][control] = numbers
    return whole


def understand(content: Any) -> dict[str, Any]:
    """A result, or a line of evaluations.jsonl, in the form of today.

    Raises:
        ValueError: a newer version wrote it.
    """
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    written = content.get("format", 1)
    if written == FORMAT:
        return content
    if written != 1:
        raise ValueError(f"it is of format {written}, and this version of iwm reads {FORMAT}: pip install --upgrade iwm-core")
    return {**content, "format": 1, "metrics": nested(content["metrics"])}


def read_result(file: Path) -> dict[str, Any]:
    """A result's file, in the form of today; one of format 1 says so and has no `MEASURED_WITH`.

    Raises:
        Damaged: it cannot be read, or is of another run.
        ValueError, KeyError, TypeError, AttributeError: it is of another form.
    """
    folder = file.parent if file.parent.name == "eval" else file.parent.parent
    return understand(read_record(file, dict[str, Any], config=folder.parent / "config.yaml"))


def measured_at(file: Path, wanted: Settings) -> int | None:
    """The step that a result of these settings was measured at, whatever its data: what lies here is the recipe's; None: there is none.

    A task's result is none without its rows, which `iwm compare` needs.
    """
    try:
        kept = read_result(file)
        if "rows" in kept and not rows_of(file).exists():
            return None
        known = kept["settings"][MEASURED_WITH]
        return kept["step"] if alike({key: value for key, value in known.items() if key != "data"}, wanted) else None
    except (Damaged, ValueError, KeyError, TypeError, AttributeError):  # none, or not ours: it is measured again and written anew
        return None


def last_measured(run: Run, name: str, wanted: Settings) -> int | None:
    """The step that an evaluator has measured last with the recipe's settings, or found nothing to measure in; or None."""
    step = measured_at(run.path / "eval" / f"{name}.json", wanted)
    return not_applicable(run).get(name, {}).get("step") if step is None else step


def write_result(run: Run, place: Place, content: dict[str, Any]) -> None:
    """Write what an evaluator has found in its place."""
    refuse_links(place.file.parent)
    if place.own:
        put_aside(place.file, content["settings"][MEASURED_WITH])
    with writing(place.file.parent):
        place.file.parent.mkdir(exist_ok=True)
    write_record(place.file, finite(content), run.path / "config.yaml")


def put_aside(file: Path, settings: Settings) -> Path | None:
    """Before the recipe's result is written: keep what lies there where other settings, or an earlier version, measured it."""
    try:
        raw = read_record(file, dict[str, Any])
        kept = understand(raw)["settings"]
        known = kept.get(MEASURED_WITH)
        if known is not None and alike(known, settings):
            return None
    except (Damaged, ValueError, KeyError, TypeError, AttributeError):  # none, or not ours
        return None
    aside = file.parent / file.stem / f"{digest(known if known is not None else {'format': 1, 'settings': kept})}.json"
    refuse_links(aside.parent)
    with writing(aside.parent):
        aside.parent.mkdir(exist_ok=True)
    write_record(aside, {**raw, "galleries": [], "pictures": []} | ({"files": {}} if "files" in raw else {}))
    return aside


def title_of(name: str, step: int, place: Place) -> str:
    """What a table of numbers is called."""
    return f"{name} at step {step}" + ("" if place.own else f", measured otherwise: {place.differing}")


def tell_apart(folder: Path, name: str, place: Place, display: Display, chosen: str = "") -> None:
    """Say that what other settings measured has not touched the recipe's result, or how to measure that: `iwm eval` with ``chosen``."""
    recipes = folder / f"{name}.json"
    if not place.own:
        state = f"{recipes}, is as it was" if recipes.exists() else f"is not measured yet: iwm eval {as_word(folder.parent)}{chosen}"
        display.say(f"measured with {place.differing}: kept apart; what the recipe's own settings measure, {state}")
