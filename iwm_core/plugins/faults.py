"""What can be wrong with a plugin's hooks, told so that its author can mend it.

Decisions:
- A function is a hook's implementation where `iwm_core.hookimpl` has marked it; one that is merely called like a hook is a forgotten mark.
- Components are looked at as classes: nothing is built here.
"""

import inspect
from dataclasses import is_dataclass
from typing import Any

from iwm_core.interfaces.near import did_you_mean
from iwm_core.plugins import hookspecs

MARK = "iwm_impl"
"""The attribute that pluggy's marker leaves on a function."""

BASES = {
    "encoder": "EncoderComponent",
    "predictor": "PredictorComponent",
    "action": "Action",
    "target_selector": "TargetSelector",
    "head": "HeadComponent",
    "evaluator": "Evaluator",
    "data_source": "DataSource",
    "task": "Task",
    "protocol": "Protocol",
}
"""What components of each kind derive from, in `iwm_core.interfaces`."""

RESERVED = {("data_source", "world_model")}
"""Names that mean something else in recipes."""


def hook_names() -> list[str]:
    """All hooks that there are."""
    return [name for name, spec in vars(hookspecs).items() if hasattr(spec, "iwm_spec")]


def hooks_of(module: Any) -> dict[str, Any]:
    """The functions of a plugin that are marked as hooks, by name."""
    named = ((name, getattr(module, name, None)) for name in dir(module))
    return {name: function for name, function in named if isinstance(getattr(function, MARK, None), dict)}


def wrong_hooks(module: Any) -> list[str]:
    """Marked functions that cannot be used: misspelt, with other arguments than the hook's, or wrappers."""
    wrong, known = [], hook_names()
    for name, function in hooks_of(module).items():
        if name not in known:
            hint = did_you_mean(name, known) or f"hooks: {', '.join(known)}"
            wrong.append(f"there is no hook {name}; {hint.rstrip()}")
            continue
        expected = list(inspect.signature(getattr(hookspecs, name)).parameters)
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


def forgotten_marks(module: Any) -> list[str]:
    """Functions that are called like a hook and not marked as one."""
    return [name for name in hook_names() if inspect.isroutine(found := getattr(module, name, None)) and not hasattr(found, MARK)]


def component_fault(kind: str, component: Any) -> str | None:
    """Why a class that a hook gives cannot be a component of this kind; None where it can."""
    from iwm_core import interfaces  # which imports torch

    label = getattr(component, "__name__", None) or repr(component)
    base = BASES[kind]
    name = getattr(component, "name", None)
    if not isinstance(component, type):
        return f"{component!r} is no class; give the class itself, as in [Gamma]"
    if not (is_dataclass(component) and isinstance(name, str)):
        return f"{label} is no dataclass with a `name`; decorate it with @dataclass(kw_only=True) and set name"
    if not issubclass(component, getattr(interfaces, base)):
        return f"{label} is no {base}; derive it from iwm_core.interfaces.{base}, or give it from the hook of its own kind"
    if missing := sorted(getattr(component, "__abstractmethods__", ())):
        return f"{label} lacks {', '.join(missing)}, which every {base} needs; implement {'it' if len(missing) == 1 else 'them'}"
    if (kind, name) in RESERVED:
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
