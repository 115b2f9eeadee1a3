"""The commands that make a run and its report again."""

import os
import shlex

from iwm_core.process.shown import as_word
from iwm_report.run_record import RunRecord


def commands(run: RunRecord) -> list[str]:
    """Train and measure again, in a directory of its own: what the recipe measures is measured by its training."""
    again = again_of(run)
    return [train_command(run, again), *measure_commands(run, again)]


def again_of(run: RunRecord) -> str:
    """The directory of what is made again, beside the run's."""
    return os.path.normpath(run.path / ".." / f"{run.path.resolve().name}-again")


def train_command(run: RunRecord, again: str) -> str:
    """The command that the run was started with, in another directory.

    A run that was started otherwise, such as from Python, is trained again from its frozen config, which is complete.
    """
    words = run.environment.get("command") or []
    if words[1:2] in (["train"], ["tune"]) and any(word.startswith("recipe=") for word in words):
        return shlex.join(["iwm", *(word for word in words[1:] if not word.startswith("run=")), f"run={again}"])
    folder, config = as_word(again), as_word(run.path / "config.yaml")
    return f"mkdir {folder} && cp {config} {folder} && iwm resume {folder}"


def measure_commands(run: RunRecord, again: str) -> list[str]:
    """The command that measures what the report shows besides, by evaluators that the recipe lacks."""
    extra = [name for name in run.measured if name not in (run.config.get("evaluators") or {})]
    if not extra or "world_model" in run.config:
        return []
    chosen = shlex.quote(f"evaluators=[{','.join(extra)}]")
    return [f"iwm eval {as_word(again)} {chosen}"]


def report_command(runs: list[RunRecord]) -> str:
    """The command that writes this report."""
    return " ".join(["iwm report", *(as_word(run.path) for run in runs)])
