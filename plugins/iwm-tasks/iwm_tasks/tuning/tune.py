"""Tuning: heads, and what a protocol trains of a world model, learn tasks (PAPER §7), in the loop that pretraining uses.

A checkpoint holds the whole model, with what is frozen: a tuned run needs nothing besides.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from iwm_evals.measuring.notes import evaluations, log_evaluation, older
from iwm_evals.measuring.scorecard import FORMAT, MEASURED_WITH, form, place_of, rows_of, tell_apart, title_of, write_result
from iwm_evals.measuring.settings import digest, plain, settings_of
from iwm_evals.measuring.tables import readable, show_table
from iwm_evals.statistics.bootstrap import bootstrap
from safetensors.torch import save

from iwm_core.data.quarantine import Corrupt, named
from iwm_core.data.reading import open_split
from iwm_core.data.training import open_training
from iwm_core.interfaces import Images, Metric
from iwm_core.interfaces.errors import UserError
from iwm_core.process.display import Display
from iwm_core.process.launch import make_accelerator
from iwm_core.process.signals import Stop
from iwm_core.recipe.config import steps_of
from iwm_core.run.checkpoint import load_weights
from iwm_core.run.directory import Run
from iwm_core.run.files import write_atomically
from iwm_core.run.lock import placing
from iwm_core.run.saved import read_state
from iwm_core.run.stored import checksum_of_file
from iwm_core.training.loop import Loop
from iwm_tasks.tuning.batches import TuneData, part_of, validation_batches
from iwm_tasks.tuning.cost import Cost, read_cost, write_cost
from iwm_tasks.tuning.counting import device_name, flops, peak_memory
from iwm_tasks.tuning.learning import Learner, Untold
from iwm_tasks.tuning.model import Lesson, TunedModel, build_tuned, lessons
from iwm_tasks.tuning.recipe import TuneRecipe
from iwm_tasks.tuning.tuned import Tuned
from iwm_tasks.tuning.world_model import world_model_parts

ANSWERED_AT_ONCE = 64  # validation images in one pass


def tune(run: Run, recipe: TuneRecipe, checkpoint: Path | None, display: Display) -> None:
    """Train a tuning to its end from a checkpoint, or from the world model where there is none.

    Raises:
        UserError: the recipe does not fit the data or the machine, or training cannot go on.
        Stopped: a signal ended the run early; a checkpoint is written.
    """
    with Stop() as stop:
        accelerator = make_accelerator(recipe.launch, run.path)
        images = part_of(open_training(recipe.data), recipe.train.train_images)
        model, learned = build(recipe, images, restored=checkpoint is not None)
        if checkpoint is not None:
            check_outputs(read_state(checkpoint, outputs=dict[str, list[str]])["outputs"], learned)
            load_weights(checkpoint, model)
        display.say(f"trains {model.trained():,} of {model.total():,} parameters ({model.trained() / model.total():.1%})")
        quiet = not accelerator.is_main_process
        data = TuneData(recipe, recipe.tasks, images, model.image_size, run, accelerator.device, display, quiet)
        before = read_state(checkpoint, peak_memory=int)["peak_memory"] if checkpoint is not None else 0
        outputs, scales = {name: list(lesson.outputs) for name, lesson in learned.items()}, model.backbone.lr_scales()
        loop = Loop(
            *(run, checkpoint, recipe.train, recipe.launch, model, data, accelerator, stop, display),
            lr_scales={f"backbone.{name}": scale for name, scale in scales.items()},
            state=lambda: {"outputs": outputs, "peak_memory": max(before, peak_memory(accelerator.device))},
        )
        every = steps_of(recipe.train.evaluate_every, loop.schedule.steps_per_epoch, "train.evaluate_every")
        learner, prepared = Learner(learned, recipe.augment, recipe.train.seed), loop.prepare(model)
        untold = Untold(model)
        for step in loop.steps():
            result = loop.gradients(partial(learner, prepared, step))
            loop.update(recipe.train.weight_decay)
            untold.restore()
            if loop.logs:
                loop.log(result.numbers(), (), result.inputs(recipe.data.name))
            if every and loop.done % every == 0 and loop.leads and loop.done < loop.durations.steps:
                with loop.tally.paused():
                    measure_in_training(run, recipe, model, learned, loop.done, accelerator.device, display)
        if accelerator.is_main_process:
            arithmetic = flops(model.to(accelerator.device), model.image_size, accelerator.device)
            spent = read_state(loop.last, seconds=float, peak_memory=int)
            told = (spent["seconds"], spent["peak_memory"], device_name(accelerator.device))
            write_cost(run.path, Cost(model.trained(), model.total(), *arithmetic, *told))


def build(recipe: TuneRecipe, images: Images, restored: bool) -> tuple[TunedModel, dict[str, Lesson]]:
    """The model of a recipe, and what its tasks learn from ``images``.

    New weights depend on ``train.seed`` alone; ``restored`` where a checkpoint's weights follow.

    Raises:
        UserError: the parts do not fit together, or the world model's weights cannot be read.
    """
    learned = lessons(recipe.tasks, images)
    torch.manual_seed(recipe.train.seed)
    return build_tuned(recipe.protocol, recipe.heads, learned, world_model_parts(recipe.world_model, restored)), learned


def check_outputs(known: Mapping[str, Sequence[str]], learned: dict[str, Lesson]) -> None:
    """Refuse data that has other classes than a model's heads.

    Raises:
        UserError: the classes are not the same.
    """
    for name, lesson in learned.items():
        if name not in known:
            raise UserError(
                f"the checkpoint knows no task {name}, but {', '.join(known) or 'none'}; put back the config.yaml it was trained with"
            )
        if tuple(known[name]) != lesson.outputs:
            raise UserError(
                f"the head of task {name} knows {len(known[name])} outputs ({brief(known[name])}), and this data has "
                f"{len(lesson.outputs)} ({brief(lesson.outputs)}); use data with the classes it was trained on, or tune a new run"
            )


def brief(names: Sequence[str]) -> str:
    """The first few names."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def measure_in_training(
    run: Run, recipe: TuneRecipe, model: TunedModel, learned: dict[str, Lesson], done: int, device: torch.device, display: Display
) -> None:
    """Measure a model after ``done`` steps and append what is found to ``evaluations.jsonl``."""
    model.eval()
    for name, (metrics, _) in measure_tasks(recipe, model, learned, device, display).items():
        kept = {"settings": digest(settings_of(plain(recipe), name)), "metrics": form(metrics)}
        log_evaluation(run, {"format": FORMAT, "step": done, "evaluator": name, **kept})
        main = learned[name].task.main
        display.say(f"step {done}  {name}: {main} {readable(metrics[main].value)}")
    model.train()


@torch.no_grad()
def measure_tasks(
    recipe: TuneRecipe, model: TunedModel, learned: dict[str, Lesson], device: torch.device, display: Display
) -> dict[str, tuple[dict[str, Metric], torch.Tensor]]:
    """Each task's metrics on the validation images, with intervals, and the rows that they are made of; the model is in evaluation mode."""
    images = open_split(recipe.data, "validation")
    check_outputs({name: lesson.outputs for name, lesson in learned.items()}, lessons(recipe.tasks, images))
    tasks = {name: lesson.task for name, lesson in learned.items()}
    rows: dict[str, list[torch.Tensor]] = {name: [] for name in tasks}
    corrupt: list[Corrupt] = []
    for batch in validation_batches(images, tasks, model.image_size, ANSWERED_AT_ONCE, recipe.launch.workers, device, display.track):
        corrupt += batch.corrupt
        given = model.outputs(batch.images)
        for name, task in tasks.items():
            rows[name].append(task.rows(given[name], batch.targets[name]).float().cpu())
    if corrupt:
        display.warn(f"cannot read {named(corrupt)}: {len(corrupt)} of {len(images)} validation images, left out")
    whole = {name: torch.cat(parts) for name, parts in rows.items()}
    train, found = recipe.train, {}
    for name, part in whole.items():
        task = tasks[name]
        metrics, chances = (bootstrap(of, part, train.seed, train.resamples, task.possible) for of in (task.metrics, task.chance))
        found[name] = metrics | {measure: metrics[measure].against(chance=chance) for measure, chance in chances.items()}, part
    return found


def evaluate_tasks(run: Run, recipe: TuneRecipe, model: Tuned, display: Display, own: TuneRecipe | None = None) -> None:
    """Measure a tuned run on the validation images of its data; write and show what is found.

    ``own``: the recipe as the run has it, where ``recipe`` may differ.
    """
    learned = {name: Lesson(task, model.outputs[name]) for name, task in model.tasks.items()}
    with placing(run.path, "eval", display.warn):  # a run that cannot be written is refused before the work
        folder = evaluations(run)
    found = measure_tasks(recipe, model.model, learned, model.device, display)
    assert model.checkpoint is not None, "a run's model comes from its checkpoint"
    for name, (metrics, rows) in found.items():
        asked = settings_of(plain(recipe), name) | older(run)
        place = place_of(folder, name, asked, settings_of(plain(own or recipe), name))
        settings = {"main": model.tasks[name].main, "images": len(rows), "resamples": recipe.train.resamples, "seed": recipe.train.seed}
        content = {"format": FORMAT, "evaluator": name, "step": model.step, "checkpoint": model.checkpoint.name}
        content |= {"metrics": form(metrics), "settings": {**settings, MEASURED_WITH: asked}}
        content |= {"summary": task_in_words(name, model, metrics, run), "about": {}, "charts": [], "galleries": [], "pictures": []}
        with placing(run.path, "eval", display.warn):
            place.file.parent.mkdir(exist_ok=True)
            write_atomically(rows_of(place.file), save({"rows": rows}))
            write_result(run, place, content | {"rows": checksum_of_file(rows_of(place.file))})
        show_table(display, title_of(name, model.step, place), metrics)
        display.say(content["summary"])
        display.say(f"wrote {place.file}")
        tell_apart(folder, name, place, display)


def task_in_words(name: str, model: Tuned, metrics: dict[str, Metric], run: Run) -> str:
    """What came of a task, and what was trained for it."""
    main, cost = model.tasks[name].main, read_cost(run.path)
    found = metrics[main]
    interval = "" if math.isnan(found.value) else f" ({found.low:.3f} to {found.high:.3f})"
    words = f"{name}: {main} {readable(found.value)}{interval} on {found.n} images"
    if "chance" in found.controls:
        words += f", where chance is {readable(found.controls['chance'].value)}"
    if cost is not None:
        words += f", training {cost.trained:,} of {cost.parameters:,} parameters ({cost.trained / cost.parameters:.1%})"
    return words
