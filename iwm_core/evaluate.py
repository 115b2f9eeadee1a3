"""Runs evaluators: on a run's newest checkpoint, into ``RUN/eval/``, and on a model in training, into ``RUN/evaluations.jsonl``.

Decisions:
- One evaluator that finds nothing to measure, or cannot, does not keep the others from measuring; what failed is told at the end.
- The images of a gallery are written one by one for reports, and together as one picture, ``eval/<gallery>.png``, for the eye.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from iwm_core.checkpoint import read_state
from iwm_core.config import Recipe
from iwm_core.data.evaluation import RunData
from iwm_core.display import Display
from iwm_core.errors import UserError
from iwm_core.files import refuse_links, writing
from iwm_core.frozen import FrozenModel
from iwm_core.gallery import draw_gallery, pixels_of
from iwm_core.interfaces import Evaluation, Evaluator, Gallery, NotApplicable
from iwm_core.loading import load_world_model
from iwm_core.lock import placing
from iwm_core.run import Run
from iwm_core.world_model import ImageWorldModel


def evaluate(run: Run, recipe: Recipe, display: Display, names: list[str] | None = None, checkpoint: Path | None = None) -> None:
    """Measure a run with the recipe's evaluators, show a table for each and say where pictures are.

    Args:
        run: the run.
        recipe: its recipe, with the evaluators to use.
        display: progress, tables.
        names: only these of the recipe's evaluators.
        checkpoint: what to measure; None: the newest.

    Raises:
        UserError: there is no checkpoint, an evaluator cannot measure this model or data, or none has anything to measure.
    """
    model = load_world_model(run, recipe, recipe.launch.device, checkpoint)
    data = RunData(recipe, model.device)
    folder = run.evaluations()
    asked = names if names is not None else list(recipe.evaluators)
    failed, measured = [], 0
    for name in asked:
        try:
            result = measure(recipe.evaluators[name], model, data, folder, display)
        except NotApplicable as error:
            display.say(f"nothing to measure for evaluator {name}: {error}")
            with placing(run.path, "eval", display.warn):
                run.note_not_applicable(name, model.step, str(error))
            continue
        except (ValueError, OSError, UserError) as error:  # what cannot be measured; a picture that cannot be written; a missing plugin
            failed.append(f"evaluator {name}: {error}")
            continue
        measured += 1
        with placing(run.path, "eval", display.warn):
            written = write(run, name, model, result)
        display.table(f"{name} at step {model.step}", result.metrics)
        for text in [result.summary] if result.summary else []:
            display.say(text)
        for path in written:
            display.say(f"wrote {path}")
    for corrupt in sorted(data.corrupt):
        display.warn(f"cannot read {corrupt}; it is left out")
    if failed:
        raise UserError("; ".join(failed))
    if not measured:
        raise UserError(f"no evaluator of {', '.join(asked)} has anything to measure in this run; `iwm components evaluator` lists others")


def measure(evaluator: Evaluator, model: FrozenModel, data: RunData, folder: Path, display: Display) -> Evaluation:
    """One evaluator's findings; what it does to the global random generator is undone."""
    with torch.no_grad(), torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
        return evaluator.evaluate(model, data, folder, display.track)


def write(run: Run, name: str, model: FrozenModel, result: Evaluation) -> list[Path]:
    """Write what an evaluator found; returns the files that a user wants to open."""
    folder = run.evaluations()
    assert model.checkpoint is not None, "what is measured in training goes to evaluations.jsonl"
    pictures = []
    for gallery in result.galleries:
        path = folder / f"{gallery.name}.png"
        refuse_links(folder, path, folder / gallery.name)
        with writing(path):
            draw_gallery(gallery, path)
        pictures.append(path)
    content = {
        "evaluator": name,
        "step": model.step,
        "checkpoint": model.checkpoint.name,
        "metrics": {key: metric.written() for key, metric in result.metrics.items()},
        "settings": result.settings,
        "summary": result.summary,
        "about": result.about,
        "charts": [{**chart._asdict(), "series": [series._asdict() for series in chart.series]} for chart in result.charts],
        "galleries": [write_tiles(gallery, folder) for gallery in result.galleries],
        "pictures": [{"file": path.name, "about": about} for path, about in result.pictures],
    }
    return [run.write_evaluation(name, content), *pictures, *(path for path, _ in result.pictures)]


def write_tiles(gallery: Gallery, folder: Path) -> dict[str, Any]:
    """Write the images of a gallery; returns it with their file names, relative to ``folder``, in their place."""
    rows = []
    with writing(folder / gallery.name):
        (folder / gallery.name).mkdir(exist_ok=True)
        for number, row in enumerate(gallery.rows):
            files = [f"{gallery.name}/{number:02}_{column}.png" for column in range(len(row.images))]
            for file, image in zip(files, row.images, strict=True):
                refuse_links(folder / file)
                pixels_of(image).save(folder / file)
            rows.append({**row._asdict(), "images": files})
    return {**gallery._asdict(), "rows": rows}


def evaluate_in_training(
    names: list[str], run: Run, recipe: Recipe, model: ImageWorldModel, step: int, device: torch.device, display: Display
) -> None:
    """Measure a model in training with some of its evaluators and append what they find to ``evaluations.jsonl``.

    One that cannot measure is told, and training goes on.
    """
    frozen, data = FrozenModel(recipe, model.eval(), None, step, device), RunData(recipe, device)
    for name in names:
        try:
            result = measure(recipe.evaluators[name], frozen, data, run.evaluations(), display)
        except NotApplicable as error:
            display.say(f"nothing to measure for evaluator {name}: {error}")
            continue
        except (ValueError, OSError, UserError) as error:
            display.warn(f"step {step}: evaluator {name}: {error}")
            continue
        run.log_evaluation({"step": step, "evaluator": name, "metrics": {key: metric.written() for key, metric in result.metrics.items()}})
        if result.summary:
            display.say(f"step {step}  {name}: {result.summary}")
    model.train()


def missing_evaluations(run: Run, names: Iterable[str], checkpoint: Path) -> list[str]:
    """Those of the evaluators (or tasks) that have not measured a checkpoint, the run's newest, yet."""
    step = read_state(checkpoint)["step"]
    return [name for name in names if run.evaluated(name) != step]
