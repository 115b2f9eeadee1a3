"""Runs evaluators: on a run's newest checkpoint, into ``RUN/eval/``, and on a model in training, into ``RUN/evaluations.jsonl``.

Decisions:
- One evaluator that finds nothing to measure, or cannot, does not keep the others from measuring; what failed is told at the end.
- What is found is kept by the settings that it was measured with (`iwm_evals.measuring.scorecard`): `iwm eval` with others leaves the
  recipe's alone.
- Pictures of galleries are drawn by who listens to `iwm_evaluated`; without a listener, there are none.
- Files of an evaluator's own are made elsewhere, and put in place with what it returns: so no two evaluations mix theirs, a failed one
  leaves none, and what is measured in training leaves those of the newest result alone.
"""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

from iwm_core.data.quarantine import Corrupt, listed, named
from iwm_core.interfaces import Evaluation, Evaluator, NotApplicable
from iwm_core.interfaces.component import required_options
from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.events import Evaluated, RunMeasured
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.loading import load_world_model
from iwm_core.model.world_model import ImageWorldModel
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import Display
from iwm_core.process.shown import as_word
from iwm_core.recipe.config import Recipe
from iwm_core.run.directory import Run
from iwm_core.run.files import refuse_links, write_atomically, writing
from iwm_core.run.lock import placing
from iwm_core.run.stored import Damaged, checksum_of_file
from iwm_evals.measuring.notes import evaluations, log_evaluation, note_not_applicable, older
from iwm_evals.measuring.run_data import RunData
from iwm_evals.measuring.scorecard import FORMAT, MEASURED_WITH, Place, form, place_of, tell_apart, title_of, write_result
from iwm_evals.measuring.settings import Settings, digest, plain, settings_of
from iwm_evals.measuring.tables import show_table

OPEN: WeakKeyDictionary[Run, RunData] = WeakKeyDictionary()
"""The data of runs that are being trained or measured."""


def evaluate(
    run: Run, recipe: Recipe, display: Display, names: list[str] | None = None, checkpoint: Path | None = None, own: Recipe | None = None
) -> None:
    """Measure a run with the recipe's evaluators; of a few (`Display.tables`), show each one's table and say where pictures are.

    Args:
        names: only these of the recipe's evaluators.
        checkpoint: what to measure; None: the newest.
        own: the recipe as the run has it, where ``recipe`` may differ.

    Raises:
        UserError: there is no checkpoint, an evaluator cannot measure this model or data, or none has anything to measure.
    """
    model = load_world_model(run, recipe, recipe.launch.device, checkpoint)
    data = data_of(run, recipe, model.device)
    for note in data.split("validation").images.notes if own is not None else ():  # else training has told what there is to tell
        display.warn(note)
    with placing(run.path, "eval", display.warn):  # a run that cannot be written is refused before the work
        folder = evaluations(run)
    asked = names if names is not None else list(recipe.evaluators)
    failed, measured, quiet = [], list[str](), len(asked) > display.tables
    for name in asked:
        settings = settings_of(plain(recipe), name) | older(run)
        place = place_of(folder, name, settings, usual_settings(own or recipe, name, recipe.evaluators[name]))
        with tempfile.TemporaryDirectory() as made:
            try:
                result = measure(recipe.evaluators[name], model, data, Path(made), display)
            except NotApplicable as error:
                display.say(f"nothing to measure for evaluator {name}: {error}")
                if place.own:
                    with placing(run.path, "eval", display.warn):
                        note_not_applicable(run, name, model.step, str(error))
                continue
            except (ValueError, OSError, UserError) as error:  # what cannot be measured; a picture that cannot be written; a missing plugin
                failed.append(f"evaluator {name}: {error}")
                continue
            measured.append(name)
            with placing(run.path, "eval", display.warn):
                written = write(run, name, place, settings, model, put_in_place(result, Path(made), place))
        if not quiet:
            show_table(display, title_of(name, model.step, place), result.metrics)
            for text in [*([result.summary] if result.summary else []), *(f"wrote {path}" for path in written)]:
                display.say(text)
        tell_apart(folder, name, place, display, f' "evaluators=[{name}]"')  # which its recipe may lack, as a trial's does
    if corrupt := sorted(data.corrupt - known(run)):
        display.warn(f"cannot read {named(corrupt)}; left out, as data.max_corrupt allows")
    if quiet and measured:
        load_plugins().tell("iwm_run_measured", RunMeasured(run.path, measured, display.say))
        display.say(f"wrote {len(measured)} results to {folder}; `iwm eval {as_word(run.path)} --all` prints their tables")
    if failed:
        raise UserError("; ".join(failed))
    if not measured:
        raise UserError(f"no evaluator of {', '.join(asked)} has anything to measure in this run; `iwm components evaluator` lists others")


def data_of(run: Run, recipe: Recipe, device: torch.device) -> RunData:
    """The data of a run: as long as it is open, with all that its last measurement has kept."""
    data = OPEN.get(run)
    if data is None or data.recipe is not recipe or data.device != device:
        data = OPEN[run] = RunData(recipe, device)
    return data


def known(run: Run) -> set[Corrupt]:
    """The corrupt images that training has told of; none where their list is damaged: they are told again."""
    try:
        return set(listed(run.quarantine))
    except Damaged:
        return set()


def usual_settings(own: Recipe, name: str, evaluator: Evaluator) -> Settings | None:
    """What the recipe measures an evaluator with, or the defaults of one that it lacks; None where options of it have none."""
    config = plain(own)
    if name not in own.evaluators:
        if required_options(type(evaluator)):
            return None
        config["evaluators"] = {name: {"name": name, **asdict(type(evaluator)())}}
    return settings_of(config, name)


def measure(evaluator: Evaluator, model: FrozenModel, data: RunData, folder: Path, display: Display) -> Evaluation:
    """One evaluator's findings; what it does to the global random generator is undone."""
    with torch.no_grad(), torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        return evaluator.evaluate(model, data, folder, display.track)


def put_in_place(result: Evaluation, made: Path, place: Place) -> Evaluation:
    """Put the files that an evaluator has made into the folder of its result; returns its findings with its pictures there."""
    refuse_links(place.file.parent, place.folder)
    for file in sorted(made.rglob("*")):
        there = place.folder / file.relative_to(made)
        refuse_links(there)
        with writing(there.parent):
            there.parent.mkdir(parents=True, exist_ok=True)
        if file.is_file():
            write_atomically(there, file.read_bytes())
    return result._replace(pictures=tuple((place.folder / path.name, about) for path, about in result.pictures))


def write(run: Run, name: str, place: Place, settings: Settings, model: FrozenModel, result: Evaluation) -> list[Path]:
    """Write what an evaluator found with some settings; returns the files that a user wants to open."""
    assert model.checkpoint is not None, "what is measured in training goes to evaluations.jsonl"
    beside = place.folder.relative_to(place.file.parent)
    event = Evaluated(name, model.step, result, place.folder, beside)
    load_plugins().tell("iwm_evaluated", event)
    content = {
        "format": FORMAT,
        "evaluator": name,
        "step": model.step,
        "checkpoint": model.checkpoint.name,
        "metrics": form(result.metrics),
        "settings": {**result.settings, MEASURED_WITH: settings},
        "summary": result.summary,
        "about": result.about,
        "better": result.better,
        "answer": result.answer and result.answer._asdict(),
        "charts": [{**chart._asdict(), "series": [series._asdict() for series in chart.series]} for chart in result.charts],
        "galleries": event.galleries,
        "pictures": [{"file": (beside / path.name).as_posix(), "about": about} for path, about in result.pictures],
    }
    files = [one for gallery in content["galleries"] for row in gallery["rows"] for one in row["images"]]
    files += [picture["file"] for picture in content["pictures"]]
    content["files"] = {one: checksum_of_file(place.file.parent / one) for one in files}
    write_result(run, place, content)
    return [place.file, *event.pictures, *(path for path, _ in result.pictures)]


def evaluate_in_training(
    names: list[str], run: Run, recipe: Recipe, model: ImageWorldModel, step: int, device: torch.device, display: Display, track: Any
) -> None:
    """Measure a model in training with some of its evaluators, append what they find to ``evaluations.jsonl`` and ``track`` its values.

    One that cannot measure is told, and training goes on.
    """
    frozen, data = FrozenModel(recipe, model.eval(), None, step, device), data_of(run, recipe, device)
    for name in names:
        try:
            with tempfile.TemporaryDirectory() as unused:
                result = measure(recipe.evaluators[name], frozen, data, Path(unused), display)
        except NotApplicable as error:
            display.say(f"nothing to measure for evaluator {name}: {error}")
            continue
        except (ValueError, OSError, UserError) as error:
            display.warn(f"step {step}: evaluator {name}: {error}")
            continue
        kept = {"settings": digest(settings_of(plain(recipe), name)), "metrics": form(result.metrics)}
        log_evaluation(run, {"format": FORMAT, "step": step, "evaluator": name, **kept})
        track({f"{name}/{key}": metric.value for key, metric in result.metrics.items()}, step=step)
        if result.summary:
            display.say(f"step {step}  {name}: {result.summary}")
    model.train()
