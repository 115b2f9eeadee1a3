"""From the finished runs of a comparison to its tables."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from iwm_evals.measuring.scorecard import MEASURED_WITH, last_measured, read_result, rows_of
from iwm_evals.measuring.settings import Settings, against, settings_of
from iwm_evals.statistics.bootstrap import EVERYTHING
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import as_word
from iwm_core.recipe.thaw import thaw_component
from iwm_core.run.directory import Run
from iwm_core.run.new_run import left_behind
from iwm_core.run.saved import read_state
from iwm_core.run.stored import Damaged, checksum_of_file
from iwm_tasks.comparison.interval import interval_over
from iwm_tasks.comparison.records import MEAN, ProtocolResult, TaskTable
from iwm_tasks.interfaces import Task
from iwm_tasks.tuning.cost import Cost, read_cost


class FinishedTuning(NamedTuple):
    """A finished tuning.

    Attributes:
        tasks: by name, with the main metric's name and what it did on each validation image.
        asked: by task, what it was measured with.
        resamples: of the images, for intervals.
    """

    cost: Cost
    tasks: dict[str, tuple[Task, str, Tensor]]
    asked: dict[str, Settings]
    resamples: int


MadeRows = dict[tuple[str, str, tuple[int, ...]], ProtocolResult]
"""Rows of tables by title, protocol and seeds."""


def read_finished(path: Path, weights: str = "") -> FinishedTuning | None:
    """A finished tuning; None where it has not finished, or is not measured yet.

    ``weights``: the checksum of those that are compared, see `iwm_tasks.comparison.setup.Setup`.

    Raises:
        UserError: a file of it is damaged, or it has begun from other weights.
    """
    frozen = path / "config.yaml"
    if not (frozen.exists() or frozen.is_symlink()):
        if path.is_dir() and not left_behind(path):
            raise Damaged(frozen, "is missing", f"bring back a copy of it, or remove {path} to tune anew")
        return None
    run = Run(path)
    config, checkpoint, cost = run.config(), run.latest(), read_cost(path)
    source = run.plain_config().get("world_model")
    if weights and isinstance(source, dict) and source.get("weights") not in (None, weights):
        raise UserError(f"{path} has begun from another model than is compared, by its weights; move it away, then compare again")
    if checkpoint is None or cost is None:
        return None
    state = read_state(checkpoint)
    if state["step"] < state["steps"]:
        return None
    tasks, asked, plain = {}, {}, run.plain_config()
    for name, node in config.tasks.items():
        evaluation, rows = path / "eval" / f"{name}.json", rows_of(path / "eval" / f"{name}.json")
        if last_measured(run, str(name), settings_of(plain, str(name))) != state["step"] or not rows.exists():
            return None
        again = f"remove {evaluation.name} and {rows.name} there, then `iwm resume {as_word(path)}` measures again"
        try:
            found = read_result(evaluation)
            main, asked[str(name)], expected = str(found["settings"]["main"]), found["settings"][MEASURED_WITH], found.get("rows")
        except (KeyError, TypeError, ValueError) as error:
            raise Damaged(evaluation, f"is damaged ({f'it lacks {error}' if isinstance(error, KeyError) else error})", again) from error
        tasks[str(name)] = (thaw_component("task", node, f"tasks.{name}"), main, read_rows(rows, expected, again))
    return FinishedTuning(cost, tasks, asked, config.train.resamples)


def read_rows(path: Path, expected: str | None, remedy: str) -> Tensor:
    """What a task did on each validation image.

    Raises:
        Damaged: it cannot be read, or has another checksum than was ``expected``.
    """
    found = checksum_of_file(path, remedy)
    if expected not in (None, found):
        raise Damaged(path, f"is damaged (its checksum is {found}, not {expected})", remedy)
    try:
        rows = load_file(path)["rows"]
    except (OSError, SafetensorError, KeyError) as error:
        raise Damaged(path, f"is damaged ({f'it lacks {error}' if isinstance(error, KeyError) else error})", remedy) from error
    if rows.ndim != 2 or not rows.is_floating_point():
        raise Damaged(path, "is damaged (its rows are not a table of numbers)", remedy)
    return rows


def tables_of(protocols: dict[str, dict[int, FinishedTuning]], known: MadeRows) -> list[TaskTable]:
    """A table for each task and, of several with the same main metric, one for their mean.

    Args:
        protocols: tunings by protocol and seed.
        known: rows that need not be made again; what is made is added.

    Raises:
        UserError: trainings were measured on different images.
    """
    names = dict.fromkeys(name for tunings in protocols.values() for tuned in tunings.values() for name in tuned.tasks)
    tables = []
    for task in names:
        having = {name: {seed: tuned for seed, tuned in tunings.items() if task in tuned.tasks} for name, tunings in protocols.items()}
        tables.append(table_of(task, [task], having, known))
    mains = {table.metric for table in tables}
    everything = {name: {s: tuned for s, tuned in tunings.items() if set(tuned.tasks) == set(names)} for name, tunings in protocols.items()}
    if len(tables) > 1 and len(mains) == 1 and any(everything.values()):
        tables.append(table_of(MEAN, list(names), everything, known))
    return tables


def table_of(title: str, tasks: list[str], protocols: dict[str, dict[int, FinishedTuning]], known: MadeRows) -> TaskTable:
    """The protocols by the mean of their tasks' main metrics."""
    entries = []
    for name, tunings in protocols.items():
        key = title, name, tuple(tunings)
        if tunings and key not in known:
            known[key] = entry_of(name, tasks, tunings)
        entries += [known[key]] if tunings else []
    sizes = {entry.metric.n: entry.protocol for entry in entries}
    if len(sizes) > 1:
        told = ", ".join(f"{name} on {images}" for images, name in sizes.items())
        raise UserError(f"{title} was measured on different images ({told}), which cannot be compared; compare anew with run=OTHER")
    first = next(tuned for tunings in protocols.values() for tuned in tunings.values())
    every = [[tuned.asked[task] for tunings in protocols.values() for tuned in tunings.values()] for task in tasks]
    apart = "; ".join(dict.fromkeys(reason for asked in every if (reason := against(asked))))
    chances = [task.chance(rows).get(main) for task, main, rows in (first.tasks[task] for task in tasks)]
    chance = None if None in chances else statistics.fmean(value for value in chances if value is not None)
    return TaskTable(title, first.tasks[tasks[0]][1], entries, apart, chance)


def entry_of(protocol: str, tasks: list[str], tunings: dict[int, FinishedTuning]) -> ProtocolResult:
    """One protocol over its trainings."""
    costs = [tuned.cost for tuned in tunings.values()]
    first = next(iter(tunings.values()))
    rows = {seed: [tuned.tasks[task][2] for task in tasks] for seed, tuned in tunings.items()}
    if len({len(one) for each in rows.values() for one in each}) > 1:
        raise UserError(f"the trainings of {protocol} were measured on different images; compare anew with run=OTHER")
    metric = mean_of([first.tasks[task] for task in tasks])
    beside = {seed: torch.cat(each, dim=1) for seed, each in rows.items()}
    known = [first.tasks[task][0].possible.get(first.tasks[task][1], EVERYTHING) for task in tasks]
    least, most = (statistics.fmean(ends) for ends in zip(*known, strict=True))
    over = interval_over(list(beside.values()), metric, first.resamples, least, most)
    return ProtocolResult(
        protocol=protocol,
        metric=over,
        values={seed: metric(one) for seed, one in beside.items()},
        cost=costs[0]._replace(
            seconds=statistics.fmean(cost.seconds for cost in costs),
            peak_memory=max(cost.peak_memory for cost in costs),
            device=", ".join(dict.fromkeys(cost.device for cost in costs)),
        ),
    )


def mean_of(tasks: list[tuple[Task, str, Tensor]]) -> Callable[[Tensor], float]:
    """The mean of the main metrics of tasks whose rows lie side by side."""
    widths = [rows.shape[1] for _, _, rows in tasks]

    def metric(rows: Tensor) -> float:
        parts = rows.split(widths, dim=1)
        return statistics.fmean(task.metrics(part)[main] for (task, main, _), part in zip(tasks, parts, strict=True))

    return metric
