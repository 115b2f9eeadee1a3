"""What the command line lists: recipes, components and plugins, for people and, with ``--json``, for programs."""

import json
import sys
from dataclasses import dataclass

from iwm_core.interfaces.component import option
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.distributions import Plugin
from iwm_core.plugins.near import did_you_mean
from iwm_core.process.shown import tell
from iwm_core.process.tables import folded, room, tabulated, width


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The switch of verbs that list something."""

    json: bool = option(False, "for programs: an array of flat objects")


def run_recipes(_: list[str], given: Listing) -> int:
    from iwm_core.plugins.loader import load_plugins
    from iwm_core.plugins.recipe_files import find_recipes, recipe_problems

    rows = [row("recipe", r.name, r.plugin, about=(r.header or [""])[0]) for r in find_recipes().values() if r.plugin]
    show_rows(rows, given.json, ("name", "distribution", "about"))
    warn([*load_plugins().problems, *recipe_problems()])
    return 0


def run_components(words: list[str], given: Listing) -> int:
    from iwm_core.plugins.loader import load_plugins

    kind, name = (*words, None, None)[:2]
    plugins = load_plugins()
    if kind is not None and kind not in plugins.kinds:
        raise UserError(f"there is no kind {kind!r}; {did_you_mean(kind, plugins.kinds)}kinds: {', '.join(plugins.kinds)}")
    if kind is not None and name is not None:
        component = plugins.component(kind, name)
        from iwm_core.cli.describe import numbers_told, option_rows

        plugin = plugins.entries(kind)[name].plugin
        rows = option_rows(kind, component, plugin)
        if not given.json:
            tell(f"{kind.replace('_', ' ')} {name}, from {plugin.distribution} {plugin.version}: {about(component)}")
            tell("")
        show_rows(rows, given.json, ("name", "type", "default", "range", "doc"))
        for sentence in [] if given.json else numbers_told(component):
            tell("\n".join(folded(sentence, width())), keep="\n")
        return 0
    entries = [entry for k in ([kind] if kind else plugins.kinds) for entry in plugins.entries(k).values()]
    rows = [row(e.kind, e.name, e.plugin, about=about(e.component)) for e in entries]
    show_rows(rows, given.json, ("kind", "name", "distribution", "version", "about"))
    tell_problems()
    return 0


def row(kind: str, name: str, plugin: Plugin, **more: str) -> dict[str, str]:
    """What is told of everything that is listed."""
    return {"kind": kind, "name": name, "distribution": plugin.distribution, "version": plugin.version, **more}


def about(component: type) -> str:
    """The first line of a component's documentation."""
    return (component.__doc__ or "").partition("\n")[0]


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
