"""What the command line lists: recipes, components and plugins, for people and, with ``--json``, for programs."""

import argparse
import json
import sys

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.distributions import Plugin
from iwm_core.plugins.near import did_you_mean
from iwm_core.process.shown import tell
from iwm_core.process.tables import folded, room, tabulated, width


def run_recipes(arguments: list[str]) -> int:
    as_json = listing_options(arguments, "recipes", 0).json
    from iwm_core.plugins.loader import load_plugins
    from iwm_core.plugins.recipe_files import find_recipes, recipe_problems

    rows = [row("recipe", r.name, r.plugin, about=(r.header or [""])[0]) for r in find_recipes().values() if r.plugin]
    show_rows(rows, as_json, ("name", "distribution", "about"))
    warn([*load_plugins().problems, *recipe_problems()])
    return 0


def run_components(arguments: list[str]) -> int:
    from iwm_core.plugins.loader import load_plugins

    options = listing_options(arguments, "components", 2)
    kind, name = (*options.words, None, None)[:2]
    plugins = load_plugins()
    if kind is not None and kind not in plugins.kinds:
        raise UserError(f"there is no kind {kind!r}; {did_you_mean(kind, plugins.kinds)}kinds: {', '.join(plugins.kinds)}")
    if kind is not None and name is not None:
        component = plugins.component(kind, name)
        from iwm_core.cli.describe import numbers_told, option_rows

        plugin = plugins.entries(kind)[name].plugin
        rows = option_rows(kind, component, plugin)
        if not options.json:
            tell(f"{kind.replace('_', ' ')} {name}, from {plugin.distribution} {plugin.version}: {about(component)}")
            tell("")
        show_rows(rows, options.json, ("name", "type", "default", "range", "doc"))
        for sentence in [] if options.json else numbers_told(component):
            tell("\n".join(folded(sentence, width())), keep="\n")
        return 0
    entries = [entry for k in ([kind] if kind else plugins.kinds) for entry in plugins.entries(k).values()]
    rows = [row(e.kind, e.name, e.plugin, about=about(e.component)) for e in entries]
    show_rows(rows, options.json, ("kind", "name", "distribution", "version", "about"))
    tell_problems()
    return 0


def row(kind: str, name: str, plugin: Plugin, **more: str) -> dict[str, str]:
    """What is told of everything that is listed."""
    return {"kind": kind, "name": name, "distribution": plugin.distribution, "version": plugin.version, **more}


def about(component: type) -> str:
    """The first line of a component's documentation."""
    return (component.__doc__ or "").partition("\n")[0]


def run_plugins(arguments: list[str]) -> int:
    as_json = listing_options(arguments, "plugins", 0).json
    from iwm_core.plugins.loader import load_plugins

    rows = [row("plugin", p.name, p, problem=p.problem or "") for p in load_plugins().plugins]
    show_rows(rows, as_json, ("name", "distribution", "version", "problem"))
    return 0


def listing_options(arguments: list[str], verb: str, most: int) -> argparse.Namespace:
    """``--json`` and at most ``most`` words."""
    words = [a for a in arguments if a != "--json"]
    wrong = [word for word in words if word.startswith("-")] or words[most:]
    if wrong:
        hint = did_you_mean(wrong[0], ("--json", "new", "check") if verb == "plugins" else ("--json",), f"iwm {verb} {{}}")
        raise UserError(f"cannot read {wrong[0]!r}; {hint}`iwm {verb} --help` shows how it is used")
    return argparse.Namespace(json="--json" in arguments, words=words)


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
