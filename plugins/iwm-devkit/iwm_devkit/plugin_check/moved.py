"""Where the public parts of iwm lie now: what plugins written for 0.1 import, and what they write instead."""

import ast
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

MOVED = {
    "iwm_core.testing": "iwm_devkit",
    "iwm_core.testing.heads": "iwm_tasks.kit.heads",
    "iwm_core.testing.protocols": "iwm_tasks.kit.protocols",
    "iwm_core.testing.tasks": "iwm_tasks.kit.tasks",
    "iwm_core.predictors": "iwm_vit.predictors",
    "iwm_core.encoder": "iwm_vit.encoder",
    "iwm_core.positions": "iwm_vit.positions",
    "iwm_core.transformer": "iwm_vit.transformer",
    "iwm_core.interfaces.Backbone": "iwm_tasks.interfaces.Backbone",
    "iwm_core.interfaces.HeadComponent": "iwm_tasks.interfaces.HeadComponent",
    "iwm_core.interfaces.Protocol": "iwm_tasks.interfaces.Protocol",
    "iwm_core.interfaces.Task": "iwm_tasks.interfaces.Task",
    "iwm_core.interfaces.WorldModelParts": "iwm_tasks.interfaces.WorldModelParts",
    "iwm_core.interfaces.tuning": "iwm_tasks.interfaces",
    "iwm_core.component": "iwm_core.interfaces.component",
    "iwm_core.constant": "iwm_core.interfaces.constant",
    "iwm_core.draws": "iwm_core.interfaces.draws",
    "iwm_core.errors": "iwm_core.interfaces.errors",
    "iwm_core.events": "iwm_core.interfaces.events",
    "iwm_core.near": "iwm_core.plugins.near",
    "iwm_core.results": "iwm_core.interfaces.results",
    "iwm_core.bootstrap": "iwm_evals.statistics.bootstrap",
    "iwm_core.evaluation.bootstrap": "iwm_evals.statistics.bootstrap",
    "iwm_core.intervals": "iwm_evals.statistics.intervals",
    "iwm_core.evaluation.intervals": "iwm_evals.statistics.intervals",
    "iwm_core.jackknife": "iwm_evals.statistics.jackknife",
    "iwm_core.evaluation.jackknife": "iwm_evals.statistics.jackknife",
    "iwm_core.evaluation": "iwm_evals.measuring",
    "iwm_core.data.evaluation": "iwm_evals.measuring.run_data",
    "iwm_core.health": "iwm_evals.scores.health",
    "iwm_core.training.health": "iwm_evals.scores.health",
    "iwm_core.model.views": "iwm_interop.python.own_loop",
    "iwm_core.training.course": "iwm_core.training.starting",
    "iwm_core.schedules": "iwm_core.training.schedules",
    "iwm_core.engine": "iwm_core.training.loop",
    "iwm_core.planning": "iwm_evals.plans",
    "iwm_core.model.planning": "iwm_evals.plans",
    "iwm_core.frozen": "iwm_core.model.frozen",
    "iwm_core.actions": "iwm_core.model.actions",
    "iwm_core.resample": "iwm_crop.resample",
    "iwm_core.data.resample": "iwm_crop.resample",
    "iwm_core.data.decode": "iwm_data.decode",
    "iwm_core.data.folder": "iwm_data.folder",
    "iwm_core.data.hub": "iwm_data.hub",
    "iwm_core.data.reading.Part": "iwm_data.part.Part",
    "iwm_core.interfaces.results.measure_and_part": "iwm_report.numbers.measure_and_part",
    "iwm_core.run.new_run.reserve": "iwm_cluster.jobs.reserve",
    "iwm_core.recipe.thaw.thaw_plain": "iwm_core.recipe.thaw.thaw",
    "iwm_core.process.jobs": "iwm_cluster.jobs",
    "iwm_core.process.group": "iwm_cluster.group",
    "iwm_core.cli.sweep": "iwm_cluster.sweep",
    "iwm_core.checkpoint": "iwm_core.run.checkpoint",
    "iwm_core.run.Run": "iwm_core.run.directory.Run",
    "iwm_core.plugins.load_plugins": "iwm_core.plugins.loader.load_plugins",
}
"""Old and new, by dotted names; a module's stand for all that is in it."""


REWRITTEN = {'metrics={"mrr": mrr, "mrr_chance": chance}': 'metrics={"mrr": mrr.against(chance=chance)}'}
"""What an evaluator returned, and what it returns now; the kit tells it."""


def table() -> str:
    """The same as a table in Markdown, as CHANGELOG.md has it."""
    return "\n".join(["| before | now |", "|---|---|", *(f"| `{old}` | `{new}` |" for old, new in (MOVED | REWRITTEN).items())])


def old_imports(modules: Iterable[str]) -> list[str]:
    """What the sources of some modules' packages import from where it lay before: in which line, and what to write instead."""
    return [text for top in dict.fromkeys(module.partition(".")[0] for module in modules) for text in old_imports_below(top)]


def old_imports_below(top: str) -> Iterator[str]:
    """The same of a package, and of the tests beside it where it is installed from a checkout; nothing is imported."""
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return
    alone = Path(spec.origin)
    home = alone.parent if spec.submodule_search_locations else None
    files = [*sorted(home.rglob("*.py")), *sorted(tests_beside(home))] if home else [alone]
    root = home.parent if home else alone.parent
    for file in files:
        try:
            parts = list(ast.walk(ast.parse(file.read_bytes())))
        except SyntaxError:  # told by the check of the entry point
            continue
        for part in parts:
            if isinstance(part, ast.Import | ast.ImportFrom) and (new := rewritten(part)):
                yield f"{file.relative_to(root)}:{part.lineno}: `{ast.unparse(part)}` is now `{new}`"


def tests_beside(home: Path) -> Iterable[Path]:
    """The tests of a package in a checkout."""
    return (home.parent / "tests").rglob("*.py") if (home.parent / "pyproject.toml").is_file() else []


def rewritten(part: ast.Import | ast.ImportFrom) -> str:
    """An import by today's names; empty where it is as it was, or relative."""
    if isinstance(part, ast.Import):
        lines = [f"import {moved(alias.name)}" + (f" as {alias.asname}" if alias.asname else "") for alias in part.names]
        return "; ".join(lines) if any(moved(alias.name) != alias.name for alias in part.names) else ""
    if part.level or part.module is None or all(moved(name) == name for name in (f"{part.module}.{alias.name}" for alias in part.names)):
        return ""
    places: dict[str, list[str]] = {}
    for alias in part.names:
        module, _, name = moved(f"{part.module}.{alias.name}").rpartition(".")
        bound = alias.asname or alias.name
        places.setdefault(module, []).append(name if name == bound else f"{name} as {bound}")
    return "; ".join(f"from {module} import {', '.join(names)}" if module else f"import {names[0]}" for module, names in places.items())


def moved(name: str) -> str:
    """Today's dotted name of what had this one."""
    for old in sorted(MOVED, key=len, reverse=True):
        if f"{name}.".startswith(f"{old}."):
            return MOVED[old] + name.removeprefix(old)
    return name
