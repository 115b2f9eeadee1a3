"""What can be wrong with a plugin and its hooks, told so that its author, or who has installed it, can mend it.

Decisions:
- A plugin that fails is recorded with its cause and a remedy; the rest works. ``IWM_STRICT_PLUGINS=1`` makes it an error.
- Whatever a third party's code raises is the plugin's problem, `SystemExit` too; Ctrl-C and signals are not.
- A function is a hook's implementation where `iwm_core.hookimpl` has marked it; one that is merely called like a hook is a forgotten mark.
- Components are looked at as classes: nothing is built here.
"""

import inspect
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import is_dataclass
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.interfaces.kinds import ComponentKind
from iwm_core.plugins.distributions import CORE, Plugin
from iwm_core.plugins.near import did_you_mean, enumerated

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
            if not getattr(function, MARK)["optionalhook"]:
                hint = did_you_mean(name, specs) or "it is misspelt, "
                wrong.append(f"there is no hook {name}; {hint}or the plugin that declares it is not installed; hooks: {', '.join(specs)}")
            continue
        expected, own = list(inspect.signature(specs[name]).parameters), inspect.signature(function).parameters.values()
        strange = [argument.name for argument in own if argument.default is argument.empty and argument.name not in expected]
        if strange:
            fix = f"its only argument is called {expected[0]}" if expected else "it takes no arguments"
            wrong.append(f"{name} has the argument {strange[0]!r}; {fix}")
        if getattr(function, MARK)["wrapper"] or getattr(function, MARK)["hookwrapper"]:
            wrong.append(f"{name} is a wrapper, and no hook of another plugin can be wrapped; mark it with @hookimpl alone")
    return wrong


def forgotten_marks(module: Any, specs: Mapping[str, Any]) -> list[str]:
    """Functions that are called like a hook and not marked as one."""
    return [name for name in specs if inspect.isroutine(found := getattr(module, name, None)) and not hasattr(found, MARK)]


def component_fault(kind: ComponentKind, component: Any) -> str | None:
    """Why a class that a hook gives cannot be a component of this kind; None where it can."""
    base = base_of(kind)
    label = getattr(component, "__name__", None) or repr(component)
    name = getattr(component, "name", None)
    if not isinstance(component, type):
        return f"{component!r} is not a class; give the class itself, as in [Gamma]"
    if not (is_dataclass(component) and isinstance(name, str)):
        return f"{label} is not a dataclass with a `name`; decorate it with @dataclass(kw_only=True) and set name"
    if not issubclass(component, base):
        own = kind.base.replace(":", ".")
        return f"{label} is not a subclass of {base.__name__}; derive it from {own}, or give it from the hook of its own kind"
    if missing := sorted(getattr(component, "__abstractmethods__", ())):
        return f"{label} lacks {', '.join(missing)}, which every {base.__name__} needs; implement {'it' if len(missing) == 1 else 'them'}"
    if name in kind.reserved:
        return f"{label} has the name {name!r}, which recipes use for something else; choose another"
    return None


def fault_of(kind: type) -> Callable[[Any], str | None]:
    """Tells of what is not an instance of a class."""
    return lambda one: None if isinstance(one, kind) else f"{one!r}, which is not an instance of {kind.__name__}"


def base_of(kind: ComponentKind) -> type:
    """The class that components of a kind derive from; imports it."""
    base = resolve_name(kind.base)
    if not isinstance(base, type):
        raise TypeError(f"the base of the kind {kind.name!r}, {kind.base}, is not a class")
    return base


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


def clash_text(kind: str, name: str, givers: Sequence[Plugin]) -> str:
    """One line about a name that several plugins give, or one of them twice; ``kind`` may be that of a recipe."""
    names = list(dict.fromkeys(plugin.distribution for plugin in givers))
    what = f"the {kind.replace('_', ' ')} {name!r} is given"
    if len(names) == 1:
        return f"{what} twice by {names[0]}; rename one of the two"
    other = next(name for name in reversed(names) if name != CORE)
    return f"{what} by {'both ' * (len(names) == 2)}{enumerated(names)}; uninstall one, or set IWM_DISABLED_PLUGINS={other}"


def strict(problem: str) -> None:
    """Raise a problem when the user asked for strictness."""
    if os.environ.get("IWM_STRICT_PLUGINS") == "1":
        raise UserError(f"{problem} (IWM_STRICT_PLUGINS=1)")


def record(plugin: Plugin, error: BaseException) -> None:
    """Note why a plugin does not work, with the remedy."""
    plugin.problem = f"{cause_of(error)}; repair it, `pip uninstall {plugin.distribution}`, or set IWM_DISABLED_PLUGINS={plugin.name}"
    strict(f"plugin {plugin.name!r} of {plugin.distribution}: {plugin.problem}")


@contextmanager
def recorded(plugin: Plugin) -> Iterator[None]:
    """Record whatever a third party's module raises, `SystemExit` too, as the plugin's problem; what it prints goes to standard error."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:
        record(plugin, error)
