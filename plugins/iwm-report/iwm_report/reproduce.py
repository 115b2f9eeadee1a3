"""The commands that make a run and its report again.

Decisions:
- A run is made again from its frozen config: it is complete, and stays as it is where the recipe that it was composed from has changed.
- The command that it was started with is told beside it, as what somebody asked for.
"""

import os
import re
import shlex
from pathlib import Path

from iwm_core.process.shown import as_word
from iwm_report.naming import common_folder
from iwm_report.run_record import RunRecord

PLAIN = re.compile(r"[\w./+-]+")
"""A path that a command line takes as the name of a recipe."""


def commands(run: RunRecord) -> list[str]:
    """Train and measure again, in a directory of its own: what the recipe measures is measured by its training."""
    again = again_of(run)
    return [train_command(run, again), *measure_commands(run, again)]


def again_of(run: RunRecord) -> str:
    """The directory of what is made again, beside the run's."""
    return os.path.normpath(run.path / ".." / f"{run.path.resolve().name}-again")


def train_command(run: RunRecord, again: str) -> str:
    """Train what the frozen config says, in another directory; what is tuned, or lies in an odd place, goes on from a copy of it."""
    config = os.path.normpath(run.path / "config.yaml")
    if "world_model" not in run.config and PLAIN.fullmatch(config) and not config.startswith("-"):
        return shlex.join(["iwm", "train", f"recipe={config}", f"run={again}"])
    folder = as_word(again)
    return f"mkdir {folder} && cp {as_word(config)} {folder} && iwm resume {folder}"


def measure_commands(run: RunRecord, again: str) -> list[str]:
    """The command that measures what the report shows besides, by evaluators that the recipe lacks."""
    extra = [name for name in run.measured if name not in (run.config.get("evaluators") or {})]
    if not extra or "world_model" in run.config:
        return []
    chosen = shlex.quote(f"evaluators=[{','.join(extra)}]")
    return [f"iwm eval {as_word(again)} {chosen}"]


def started_with(run: RunRecord) -> str:
    """The command that a run was started with; empty where it was started otherwise, such as from Python."""
    words = run.environment.get("command") or []
    return shlex.join(["iwm", *words[1:]]) if words[1:2] in (["train"], ["tune"]) else ""


def report_command(runs: list[RunRecord]) -> str:
    """The command that writes this report, of the runs that are made again."""
    return " ".join(["iwm report", *(as_word(again_of(run)) for run in runs)])


def report_place(runs: list[RunRecord]) -> str:
    """Where that report will lie."""
    places = [Path(again_of(run)) for run in runs]
    return os.path.normpath((places[0] if len(runs) == 1 else common_folder(places)) / "report.html")
