"""The commands that make a run and its report again."""

import shlex

from iwm_core.process.shown import as_word
from iwm_report.run_record import RunRecord


def commands(run: RunRecord) -> list[str]:
    """Train and measure again, in a directory of its own."""
    return [train_command(run), eval_command(run)]


def train_command(run: RunRecord) -> str:
    """The command that the run was started with, without its directory, which exists.

    A run that was started otherwise, such as from Python, is trained again from its frozen config, which is complete.
    """
    words = run.environment.get("command") or []
    if words[1:2] in (["train"], ["tune"]) and any(word.startswith("recipe=") for word in words):
        return shlex.join(["iwm", *(word for word in words[1:] if not word.startswith("run="))])
    again, config = as_word(f"{run.path}-again"), as_word(run.path / "config.yaml")
    return f"mkdir {again} && cp {config} {again} && iwm resume {again}"


def eval_command(run: RunRecord) -> str:
    """The command that measures what the report shows: the recipe's evaluators or tasks, or evaluators that have measured besides."""
    recipe = list(run.config.get("evaluators") or {})
    names = list(run.measured)
    extra = [f"evaluators=[{','.join(names)}]"] if set(names) - set(recipe) and "world_model" not in run.config else []
    return " ".join(["iwm eval", as_word(run.path), *map(shlex.quote, extra)])


def report_command(runs: list[RunRecord]) -> str:
    """The command that writes this report."""
    return " ".join(["iwm report", *(as_word(run.path) for run in runs)])
