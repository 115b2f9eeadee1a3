"""What is checked of a module's hooks, and of what they give."""

import functools
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from iwm_core.interfaces.errors import Stopped
from iwm_core.interfaces.kinds import ComponentKind
from iwm_core.plugins.distributions import Plugin
from iwm_core.plugins.faults import clash_text, component_fault, declared, forgotten_marks, hooks_of, listed, wrong_hooks
from iwm_core.plugins.loader import load_plugins
from iwm_devkit.plugin_check.named import Check
from iwm_devkit.plugin_check.offers import OFFERS, Offer

RECIPES = "recipes"


def checks_of_module(plugin: Plugin, module: Any, brought: list[str]) -> Iterator[Check]:
    """What is checked of a module's hooks and of what they give; ``brought`` is told what that is."""
    yield Check("hooks", plugin.name, plugin, lambda: check_hooks(module))
    hooks, kinds = hooks_of(module), {kind.hook: kind for kind in load_plugins().kinds.values()}
    lists = {*kinds, *(offer.hook for offer in OFFERS), "iwm_recipe_dirs"}
    brought += [name for name in hooks if name in load_plugins().specs and name not in lists]

    def check(name: str, function: Any, *given: Any) -> Check:
        return Check("hook", f"{plugin.name}.{name}", plugin, functools.partial(function, *given))

    if "iwm_recipe_dirs" in hooks:
        brought.append(RECIPES)
        yield check("iwm_recipe_dirs", check_folders, hooks["iwm_recipe_dirs"])
    if "iwm_hookspecs" in hooks:
        yield check("iwm_hookspecs", check_declared, hooks["iwm_hookspecs"])
    for offer in OFFERS:
        if offer.hook in hooks:
            yield check(offer.hook, check_offered, offer, hooks[offer.hook])
            for one in given(offer.hook, hooks[offer.hook]):
                if isinstance(one, offer.of):
                    name = str(getattr(one, offer.key, one))
                    brought.append(name)
                    yield Check(offer.kind, name, plugin, functools.partial(offer.check, one))
                    yield Check("name", name, plugin, functools.partial(check_own, offer.told, name))
    for hook, kind in kinds.items():
        if hook in hooks:
            yield check(hook, check_given, kind, hooks[hook])
            for component in given(hook, hooks[hook]):
                if of_kind(kind, component):
                    brought.append(component.name)
                    yield Check(kind.name, component.name, plugin, functools.partial(check_one, kind.name, component))
                    yield Check("name", component.name, plugin, functools.partial(check_name, kind, component.name))


def given(hook: str, function: Any) -> list[Any]:
    """What a hook returns; nothing where it fails, which its own check tells."""
    try:
        return listed(hook, function())
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException:  # told by the check of the hook
        return []


def of_kind(kind: ComponentKind, component: Any) -> bool:
    """Whether a class can be a component of a kind; where not, the check of the hook tells why, or that of the kind."""
    try:
        return component_fault(kind, component) is None
    except (ImportError, AttributeError, TypeError):  # the kind's base is not there
        return False


def check_hooks(module: Any) -> None:
    """Check that what is meant as a hook is one."""
    specs = load_plugins().specs
    wrong = wrong_hooks(module, specs)
    assert not wrong, "; ".join(wrong)
    near = [name for name in dir(module) if name.startswith("iwm_") and callable(getattr(module, name)) and name not in hooks_of(module)]
    marked = [*forgotten_marks(module, specs), *(name for name in near if not isinstance(getattr(module, name), type))]
    forgotten = list(dict.fromkeys(marked))
    assert not forgotten, f"{', '.join(forgotten)} is not a hook without @hookimpl: write @hookimpl above it, or name it otherwise"


def check_given(kind: ComponentKind, function: Any) -> str:
    """Check what a registration hook of components returns."""
    found = listed(kind.hook, function())
    assert found, f"{kind.hook} returns no classes: return them, or leave the hook out"
    faults = [fault for component in found if (fault := component_fault(kind, component))]
    assert not faults, f"{kind.hook} gives {'; '.join(faults)}"
    return f"{len(found)} class{'es' if len(found) > 1 else ''}"


def check_offered(offer: Offer, function: Any) -> str:
    """Check what a hook returns that gives something else than components."""
    found = listed(offer.hook, function())
    assert found, f"{offer.hook} returns nothing in its list: return some, or leave the hook out"
    strange = [one for one in found if not isinstance(one, offer.of)]
    assert not strange, f"{offer.hook} gives {strange[0]!r}, which is not an instance of {offer.of.__name__}: give instances of it"
    return f"{len(found)}"


def check_declared(function: Any) -> str:
    """Check the hooks that a plugin declares."""
    found = listed("iwm_hookspecs", function())
    assert found, "iwm_hookspecs returns no modules: return them, or leave the hook out"
    names: list[str] = []
    for one in found:
        assert isinstance(one, ModuleType), f"iwm_hookspecs gives {one!r}, which is not a module: give that whose functions are marked"
        assert declared(one), f'{one.__name__} declares no hooks: mark its functions with pluggy.HookspecMarker("iwm")'
        names += declared(one)
    strange = [name for name in names if not name.startswith("iwm_")]
    assert not strange, f"declares {', '.join(strange)}: the name of a hook begins with iwm_"
    return ", ".join(names)


def check_folders(function: Any) -> None:
    """Check the folders of recipes."""
    folders = listed("iwm_recipe_dirs", function())
    assert folders, "iwm_recipe_dirs returns no folders: return them, or leave the hook out"
    for folder in folders:
        there = isinstance(folder, str | Path) and Path(folder).is_dir()
        assert there, f"iwm_recipe_dirs gives {str(folder)!r}, which is not a folder: is it packaged with the module?"
        assert any(Path(folder).rglob("*.yaml")), f"iwm_recipe_dirs gives {str(folder)!r}, which has no recipes, files that end in .yaml"


def check_one(kind: str, component: Any) -> str | None:
    """The kit's check of a component's kind."""
    from iwm_devkit.plugin_check.components import check_installed  # which imports torch

    return check_installed(kind, component)


def check_own(told: str, name: str) -> None:
    """Check that no other verb, or kind, has this name."""
    plugins = load_plugins()
    _ = plugins.commands, plugins.kinds, plugins.run_kinds, plugins.model_sources  # clashes are found when they are asked for
    givers = plugins.clashing.get((told, name))
    assert not givers, clash_text(told, name, givers or [])


def check_name(kind: ComponentKind, name: str) -> None:
    """Check that no other component of the kind has this name, nor a ready-made choice of recipes."""
    from iwm_core.plugins.recipe_files import files_by_name

    plugins = load_plugins()
    plugins.entries(kind.name)
    givers = plugins.clashing.get((kind.name, name))
    assert not givers, clash_text(kind.name, name, givers or [])
    files = files_by_name().get(f"{kind.group}/{name}", [])
    whose = ", ".join(file.plugin.distribution for file in files if file.plugin)
    assert not files, f"{whose} brings the ready-made choice {files[0].name}, which recipes would take for it: choose another name"
