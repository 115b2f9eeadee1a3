"""The list of what is checked of a plugin."""

import contextlib
import importlib.metadata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from iwm_core.errors import UserError
from iwm_core.hook_faults import cause_of, component_fault, forgotten_marks, hook_names, hooks_of, listed, wrong_hooks
from iwm_core.near import did_you_mean
from iwm_core.plugin_check.metadata import check_metadata
from iwm_core.plugin_check.modules import check_import, line_of
from iwm_core.plugins import CORE, KINDS, Plugin, clash_text, disabled, entry_points, load_plugins
from iwm_core.signals import Stopped

Point = tuple[Plugin, Any]
"""A plugin and its `importlib.metadata.EntryPoint`."""


RECIPES = "recipes"
PREFIX = "iwm-"
"""What distributions of plugins begin with, by custom."""


@dataclass(frozen=True)
class Result:
    """What a check found.

    Attributes:
        problem: what is wrong and how to mend it, in one line; empty where nothing is.
        note: what a reader of a passed check should know.
    """

    problem: str = ""
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem


@dataclass(frozen=True)
class Check:
    """One named check of a plugin.

    Attributes:
        kind: what is looked at, such as ``metadata``, ``entry_point``, ``hook``, ``action`` or ``recipe``.
        name: which one.
        plugin: whose it is.
        run: raises AssertionError, or whatever the plugin's code raises, or gives a note; see `result`.
    """

    kind: str
    name: str
    plugin: Plugin
    run: Callable[[], str | None]

    @property
    def title(self) -> str:
        """The kind for people."""
        return self.kind.replace("_", " ")

    def result(self) -> Result:
        """Run the check; nothing that it raises gets out, but Ctrl-C."""
        try:
            return Result(note=self.run() or "")
        except AssertionError as error:
            return Result(problem=(str(error) or f"an assertion fails at {line_of(error)}").splitlines()[0])
        except UserError as error:
            return Result(problem=str(error))
        except (KeyboardInterrupt, Stopped):
            raise
        except BaseException as error:  # a third party's code may fail in any way; this is where it is told
            return Result(problem=f"raises {cause_of(error)} at {line_of(error)}; repair it")


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


def checks_of_module(plugin: Plugin, module: Any, brought: list[str]) -> Iterator[Check]:
    """What is checked of a module's hooks and of what they give; ``brought`` is told what that is."""
    yield Check("hooks", plugin.name, plugin, lambda: check_hooks(module))
    hooks = hooks_of(module)
    brought += [name for name in hooks if name in hook_names() and name not in (*KINDS.values(), "iwm_recipe_dirs")]
    if "iwm_recipe_dirs" in hooks:
        brought.append(RECIPES)
        yield Check("hook", f"{plugin.name}.iwm_recipe_dirs", plugin, lambda: check_folders(hooks["iwm_recipe_dirs"]))
    for kind, hook in KINDS.items():
        if hook not in hooks:
            continue
        function = hooks[hook]
        yield Check("hook", f"{plugin.name}.{hook}", plugin, lambda kind=kind, function=function: check_given(kind, function))
        for component in given(hook, function):
            if component_fault(kind, component) is None:
                brought.append(component.name)
                yield Check(kind, component.name, plugin, lambda kind=kind, c=component: check_one(kind, c))
                yield Check("name", component.name, plugin, lambda kind=kind, c=component: check_name(kind, c.name))


def given(hook: str, function: Any) -> list[Any]:
    """What a hook returns; nothing where it fails, which its own check tells."""
    try:
        return listed(hook, function())
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException:  # told by `check_given`
        return []


def check_one(kind: str, component: Any) -> str | None:
    """The kit's check of a component's kind."""
    from iwm_core.plugin_check.components import check_installed  # which imports torch

    return check_installed(kind, component)


def checks_of_recipes(plugins: list[Plugin]) -> Iterator[Check]:
    """What is checked of the recipes that these entry points bring."""
    from iwm_core.plugin_check.recipes import check_recipe  # which imports torch
    from iwm_core.recipes import files_by_name, is_shared

    owners = {(plugin.distribution, plugin.name): plugin for plugin in plugins}
    for name, files in files_by_name().items():
        plugin = next((owners[key] for file in files if (key := (file.plugin.distribution, file.plugin.name)) in owners), None)
        if plugin is not None:
            shared = is_shared(name)
            yield Check("choice" if shared else "recipe", name, plugin, lambda name=name, shared=shared: check_recipe(name, shared))


def check_brought(brought: list[str]) -> str:
    """Check that the plugin brings anything at all."""
    assert brought, "brings nothing: write a function such as iwm_actions, marked with @hookimpl, that returns a list of classes"
    return ", ".join(brought)


def check_hooks(module: Any) -> None:
    """Check that what is meant as a hook is one."""
    wrong = wrong_hooks(module)
    assert not wrong, "; ".join(wrong)
    near = [name for name in dir(module) if name.startswith("iwm_") and callable(getattr(module, name)) and name not in hooks_of(module)]
    forgotten = list(dict.fromkeys([*forgotten_marks(module), *(name for name in near if not isinstance(getattr(module, name), type))]))
    assert not forgotten, f"{', '.join(forgotten)} is no hook without its mark: write @hookimpl above it, or name it otherwise"


def check_given(kind: str, function: Any) -> str:
    """Check what a registration hook returns."""
    found = listed(KINDS[kind], function())
    assert found, f"{KINDS[kind]} returns no classes: return them, or leave the hook out"
    faults = [fault for component in found if (fault := component_fault(kind, component))]
    assert not faults, f"{KINDS[kind]} gives {'; '.join(faults)}"
    return f"{len(found)} class{'es' if len(found) > 1 else ''}"


def check_folders(function: Any) -> None:
    """Check the folders of recipes."""
    from pathlib import Path

    folders = listed("iwm_recipe_dirs", function())
    assert folders, "iwm_recipe_dirs returns no folders: return them, or leave the hook out"
    for folder in folders:
        there = isinstance(folder, str | Path) and Path(folder).is_dir()
        assert there, f"iwm_recipe_dirs gives {str(folder)!r}, which is no folder: is it packaged with the module?"
        assert any(Path(folder).rglob("*.yaml")), f"iwm_recipe_dirs gives {str(folder)!r}, which has no recipes, files that end in .yaml"


def check_name(kind: str, name: str) -> None:
    """Check that no other component of the kind has this name, nor a ready-made choice of recipes."""
    from iwm_core.recipes import files_by_name
    from iwm_core.schema import GROUPS

    plugins = load_plugins()
    plugins.entries(kind)
    givers = plugins.clashing.get((kind, name))
    assert not givers, clash_text(kind, name, givers or [])
    groups = [group for group, of in GROUPS.items() if of == kind]
    files = [file for group in groups for file in files_by_name().get(f"{group}/{name}", [])]
    whose = ", ".join(file.plugin.distribution for file in files)
    assert not files, f"{whose} brings the ready-made choice {files[0].name}, which recipes would take for it: choose another name"
