"""The list of what is checked of a plugin."""

import contextlib
import importlib.metadata
from collections.abc import Iterator
from typing import Any

from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.plugins.distributions import CORE, Plugin, disabled, entry_points
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_devkit.plugin_check.hooks import RECIPES, checks_of_module
from iwm_devkit.plugin_check.metadata import check_metadata
from iwm_devkit.plugin_check.modules import check_import
from iwm_devkit.plugin_check.moved import old_imports
from iwm_devkit.plugin_check.named import Check

Point = tuple[Plugin, Any]
"""A plugin and its `importlib.metadata.EntryPoint`."""
PREFIX = "iwm-"
"""What distributions of plugins begin with, by custom."""


def checks_of(name: str) -> list[Check]:
    """All that is checked of a plugin, in order; calls its hooks, to know what it brings, and runs no check.

    Args:
        name: of a distribution, or of an entry point.

    Raises:
        UserError: no such plugin is installed; or one is broken, and IWM_STRICT_PLUGINS is 1.
    """
    points = points_of(name)
    load_plugins()
    plugin, first = points[0]
    checks = []
    if plugin.distribution != CORE:
        checks.append(Check("metadata", plugin.distribution, plugin, lambda: check_metadata(first.dist)))
        checks.append(Check("imports", plugin.distribution, plugin, lambda: check_imports(points)))
    brought: list[str] = []
    inner: list[Check] = []
    for plugin, point in points:
        checks.append(Check("entry_point", plugin.name, plugin, lambda plugin=plugin, point=point: check_entry(plugin, point)))
        module = loaded(point)
        if module is not None:
            inner += checks_of_module(plugin, module, brought)
    plugin = points[0][0]
    checks.append(Check("registration", plugin.distribution, plugin, lambda: check_brought(brought)))
    recipes = checks_of_recipes([plugin for plugin, _ in points]) if RECIPES in brought else []  # without, torch need not be imported
    return [*checks, *inner, *recipes]


def check_imports(points: list[Point]) -> None:
    """Check that no file of the plugin imports from where the core's parts lay before."""
    found = old_imports(dict.fromkeys(point.value.partition(":")[0] for _, point in points))
    assert not found, "; ".join(found)


def check_entry(plugin: Plugin, point: Any) -> None:
    """Check that an entry point has a module of its own, which imports."""
    module, own = loaded(point), (plugin.distribution, plugin.name)
    others = [other for other in load_plugins().plugins if (other.distribution, other.name) != own]
    twin = next((other.name for other in others if other.module is module is not None), None)
    assert twin is None, f"names the same module as the entry point {twin!r}; remove one of the two from pyproject.toml"
    check_import(point)


def points_of(name: str) -> list[Point]:
    """The entry points of a distribution, or that of this name; nothing is imported.

    Raises:
        UserError: there is none, or several distributions have it.
    """
    points = entry_points()
    found = [p for p in points if plain(p[0].distribution) == plain(name)] or [p for p in points if p[0].name == name]
    owners = sorted({plugin.distribution for plugin, _ in found})
    if len(owners) > 1:
        raise UserError(f"the entry point {name!r} is of {' and of '.join(owners)}; say which distribution")
    if found:
        return found
    known = list(dict.fromkeys(word for plugin, _ in points for word in (plugin.distribution, plugin.name)))
    if {name, plain(name)} & {*disabled(), *map(plain, disabled())}:
        raise UserError(f"{name} is left out by IWM_DISABLED_PLUGINS; take it out of there to check it")
    with contextlib.suppress(importlib.metadata.PackageNotFoundError, ValueError):
        importlib.metadata.distribution(name)
        raise UserError(
            f"{name} is installed, and has no entry point in the group iwm; add `[project.entry-points.iwm]` with "
            f'`NAME = "MODULE"` to its pyproject.toml and install it again'
        )
    start = PREFIX if plain(name).startswith(PREFIX) else ""  # shared by most, so that it makes none of them near
    hint = did_you_mean(plain(name)[len(start) :], [word[len(start) :] for word in known if word.startswith(start)], start + "{}")
    raise UserError(f"no plugin {name!r} is installed; {hint}plugins: {', '.join(sorted({p.distribution for p, _ in points}))}")


def plain(name: str) -> str:
    """A distribution's name as installers compare it."""
    return name.lower().replace("_", "-").replace(".", "-")


def loaded(point: Any) -> Any:
    """The module of an entry point; None where it cannot be imported, which the check of the entry point tells."""
    try:
        return point.load()
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException:  # told by `check_import`, which imports it again
        return None


def checks_of_recipes(plugins: list[Plugin]) -> Iterator[Check]:
    """What is checked of the recipes that these entry points bring."""
    from iwm_core.plugins.recipe_files import files_by_name, is_shared
    from iwm_devkit.plugin_check.recipes import check_recipe  # which imports torch

    owners = {(plugin.distribution, plugin.name): plugin for plugin in plugins}
    for name, files in files_by_name().items():
        givers = [(file.plugin.distribution, file.plugin.name) for file in files if file.plugin]
        plugin = next((owners[giver] for giver in givers if giver in owners), None)
        if plugin is not None:
            shared = is_shared(name)
            yield Check("choice" if shared else "recipe", name, plugin, lambda name=name, shared=shared: check_recipe(name, shared))


def check_brought(brought: list[str]) -> str:
    """Check that the plugin brings anything at all."""
    assert brought, "brings nothing: write a function such as iwm_actions, marked with @hookimpl, that returns a list of classes"
    return ", ".join(brought)
