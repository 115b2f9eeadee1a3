"""What can be wrong with a plugin's hooks, told so that its author can mend it.

Decisions:
- A function is a hook's implementation where `iwm_core.hookimpl` has marked it; one that is merely called like a hook is a forgotten mark.
- Components are looked at as classes: nothing is built here.
"""

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any

from iwm_core.interfaces.kinds import ComponentKind
from iwm_core.interfaces.near import did_you_mean

MARK = "iwm_impl"
SPEC = "iwm_spec"
"""The attributes that pluggy's markers leave on an implementation and on a declaration."""


def hooks_of(module: Any) -> dict[str, Any]:
    """The functions of a plugin that are marked as hooks, by name."""
    named = ((name, getattr(module, name, None)) for name in dir(module))
    return {name: function for name, function in named if isinstance(getattr(function, MARK, None), dict)}


def declared(module: ModuleType) -> dict[str, Any]:
    """The hooks that a module declares, by name."""
    return {name: spec for name, spec in vars(module).items() if hasattr(spec, SPEC)}


def wrong_hooks(module: Any, specs: Mapping[str, Any]) -> list[str]:
    """Marked functions that cannot be used: misspelt, with other arguments than the hook's, or wrappers; ``specs`` are all hooks."""
    wrong = []
    for name, function in hooks_of(module).items():
        if name not in specs:
            hint = did_you_mean(name, specs) or "the plugin that declares it is not installed, or it is misspelt; "
            wrong.append(f"there is no hook {name}; {hint}hooks: {', '.join(specs)}")
            continue
        expected = list(inspect.signature(specs[name]).parameters)
        strange = [argument for argument in needed(function) if argument not in expected]
        if strange:
            fix = f"its only argument is called {expected[0]}" if expected else "it takes no arguments"
            wrong.append(f"{name} has the argument {strange[0]!r}; {fix}")
        if getattr(function, MARK)["wrapper"] or getattr(function, MARK)["hookwrapper"]:
            wrong.append(f"{name} is a wrapper, and no hook of another plugin can be wrapped; mark it with @hookimpl alone")
    return wrong


def needed(function: Any) -> list[str]:
    """A function's arguments that have no default."""
    return [p.name for p in inspect.signature(function).parameters.values() if p.default is p.empty]


def forgotten_marks(module: Any, specs: Mapping[str, Any]) -> list[str]:
    """Functions that are called like a hook and not marked as one."""
    return [name for name in specs if inspect.isroutine(found := getattr(module, name, None)) and not hasattr(found, MARK)]


def component_fault(kind: ComponentKind, component: Any) -> str | None:
    """Why a class that a hook gives cannot be a component of this kind; None where it can."""
    module, _, base = kind.base.partition(":")
    label = getattr(component, "__name__", None) or repr(component)
    name = getattr(component, "name", None)
    if not isinstance(component, type):
        return f"{component!r} is no class; give the class itself, as in [Gamma]"
    if not (is_dataclass(component) and isinstance(name, str)):
        return f"{label} is no dataclass with a `name`; decorate it with @dataclass(kw_only=True) and set name"
    if not issubclass(component, getattr(importlib.import_module(module), base)):
        return f"{label} is no {base}; derive it from {module}.{base}, or give it from the hook of its own kind"
    if missing := sorted(getattr(component, "__abstractmethods__", ())):
        return f"{label} lacks {', '.join(missing)}, which every {base} needs; implement {'it' if len(missing) == 1 else 'them'}"
    if name in kind.reserved:
        return f"{label} has the name {name!r}, which recipes use for something else; choose another"
    return None


def listed(hook: str, found: Any) -> list[Any]:
    """What a registration hook returned, which must be a list."""
    if found is None:
        raise TypeError(f"{hook} returned nothing; it must return a list")
    if not isinstance(found, list | tuple):
        raise TypeError(f"{hook} returned {found!r}; it must return a list")
    return list(found)


def cause_of(error: BaseException) -> str:
    """An exception in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
