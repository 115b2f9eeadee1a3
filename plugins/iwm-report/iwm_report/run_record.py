"""Reads what a run's directory holds: all of it may be missing, or be of an earlier version, but for config.yaml.

Decisions:
- What is damaged is named and left out, and the rest is shown: a report is asked for when something has gone wrong, too.
- Numbers that are not finite are null in JSON and NaN here.
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from iwm_evals.measuring.measured import Measured, attempt, read_results
from iwm_evals.measuring.notes import MeasuredLine, read_not_applicable
from iwm_evals.measuring.scorecard import understand

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.results import Metric
from iwm_core.plugins.advice import advise
from iwm_core.process.shown import as_word
from iwm_core.recipe.shapes import fitting
from iwm_core.run.directory import is_run
from iwm_core.run.saved import Logged, latest_checkpoint, read_config, read_state
from iwm_core.run.stored import Log, read_log, read_record, read_text


class Environment(TypedDict, total=False):
    """What is shown of env.json."""

    versions: dict[str, str]
    python: str
    platform: str
    git_commit: str | None
    started: str
    seed: int
    command: list[str]


@dataclass(frozen=True)
class RunRecord:
    """All that is known of a run.

    Attributes:
        path: its directory, as the user gave it.
        label: what the report calls it.
        config, text: config.yaml, as values and as it is.
        environment: env.json.
        log: lines of metrics.jsonl.
        history: lines of evaluations.jsonl.
        measured: by evaluator, in the order of the recipe: what its settings measured.
        others: by evaluator, what other settings measured.
        step, steps: of the newest checkpoint, and of a whole training; None where that is not known.
        checkpoint, state: the newest checkpoint, and its state.json.
        not_applicable: evaluators that found nothing to measure, each with the reason.
        problems: what could not be read, a line each.
    """

    path: Path
    label: str
    config: dict[str, Any]
    text: str
    environment: dict[str, Any]
    log: list[dict[str, Any]]
    history: list[dict[str, Any]]
    measured: dict[str, Measured]
    others: dict[str, list[Measured]]
    step: int | None
    steps: int | None
    checkpoint: Path | None = None
    state: dict[str, Any] = field(default_factory=dict)
    not_applicable: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def recipe(self) -> str:
        """The recipe's name."""
        return str(self.config.get("recipe", "of no name"))

    @property
    def unmeasured(self) -> dict[str, str]:
        """The recipe's evaluators, or tasks, that have no result, each with the reason."""
        asked = self.config.get("evaluators") or self.config.get("tasks") or {}
        missing = [name for name in asked if name not in self.measured]
        return {name: self.not_applicable.get(name, f"iwm eval {as_word(self.path)}") for name in missing}


def read_run(path: Path, label: str) -> RunRecord:
    """Read a run.

    Raises:
        UserError: there is none, or its config.yaml cannot be read.
    """
    config_file = path / "config.yaml"
    if not is_run(path):
        advise("explain_run", str(path))
        raise UserError(f"{path} is not a run")
    config, text = read_config(config_file), read_text(config_file)

    measured, problems = read_results(path, config)

    def readable(log: Log, file: Path) -> list[dict[str, Any]]:
        """The lines of a log that can be read; that there are others is told."""
        if log.bad:
            problems.append(f"{file} holds lines that cannot be read and are left out ({log.bad}); `iwm resume {as_word(path)}` repairs it")
        return log.records

    def lines(file: Path) -> list[dict[str, Any]]:
        return readable(read_log(file, Logged, config_file), file)

    def history(file: Path) -> list[dict[str, Any]]:
        found = [understand(line) for line in readable(read_log(file, MeasuredLine, config_file), file)]
        return [{**line, "metrics": fitting(line["metrics"], dict[str, Metric], "metrics")} for line in found]

    others: dict[str, list[Measured]] = {}
    for one in measured:
        if not one.own:
            others.setdefault(one.name, []).append(one)
    newest = latest_checkpoint(path / "checkpoints")
    state = attempt(lambda file: read_state(file.parent), newest / "state.json", {}, problems, needed=True) if newest else {}
    without = attempt(read_not_applicable, path / "not_applicable.json", {}, problems)
    return RunRecord(
        path=path,
        label=label,
        config=config,
        text=text,
        environment=attempt(partial(read_record, shape=Environment, config=config_file), path / "env.json", {}, problems),
        log=attempt(lines, path / "metrics.jsonl", [], problems),
        history=attempt(history, path / "evaluations.jsonl", [], problems),
        measured={one.name: one for one in measured if one.own},
        others=others,
        step=state.get("step"),
        steps=state.get("steps"),
        checkpoint=newest,
        state=state,
        not_applicable={name: one["reason"] for name, one in without.items() if "reason" in one},
        problems=problems,
    )
