"""What the command line lists, for people and, with ``--json``, for programs; of the core, that is its plugins."""

import json
import sys
from dataclasses import dataclass

from iwm_core.interfaces.component import option
from iwm_core.plugins.distributions import Plugin
from iwm_core.process.shown import tell
from iwm_core.process.tables import room, tabulated


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The switch of verbs that list something."""

    json: bool = option(False, "for programs: an array of flat objects")


def row(kind: str, name: str, plugin: Plugin, **more: str) -> dict[str, str]:
    """What is told of everything that is listed."""
    return {"kind": kind, "name": name, "distribution": plugin.distribution, "version": plugin.version, **more}


def run_plugins(_: list[str], given: Listing) -> int:
    from iwm_core.plugins.loader import load_plugins

    rows = [row("plugin", p.name, p, problem=p.problem or "") for p in load_plugins().plugins]
    show_rows(rows, given.json, ("name", "distribution", "version", "problem"))
    return 0


def show_rows(rows: list[dict[str, str]], as_json: bool, columns: tuple[str, ...]) -> None:
    """Rows as JSON or as a table."""
    if as_json:
        tell(json.dumps(rows, indent=1, ensure_ascii=False), keep="\n")
        return
    for line in tabulated([column.upper() for column in columns], [[str(row[column]) for column in columns] for row in rows], room()):
        tell(line)


def tell_problems() -> None:
    """One warning for each plugin that does not work, and for each name that two give, once all of their hooks have been asked."""
    from iwm_core.plugins.loader import load_plugins
    from iwm_core.plugins.recipe_files import recipe_problems

    plugins = load_plugins()
    for kind in plugins.kinds:
        plugins.entries(kind)
    clashes = recipe_problems()  # which also finds folders that are missing
    warn([*plugins.problems, *plugins.clashes, *clashes])


def warn(problems: list[str]) -> None:
    """One line each on standard error."""
    for problem in problems:
        tell(f"iwm: warning: {problem}", sys.stderr)
