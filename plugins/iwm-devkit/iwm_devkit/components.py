"""What components of all kinds have in common: a name, documentation, and options that are checked."""

import dataclasses
import re
import types
import typing
from typing import Any, Union

from iwm_core.interfaces.component import Component

NAME = re.compile(r"[a-z][a-z0-9_]*")
PLAIN = (bool, int, float, str)
HOLDABLE = "bool, int, float, str, list[…] or dict[str, …] of these, a dataclass of these, or one of them | None"


def check_component(component: Component | type[Component]) -> None:
    """Check what every component must have: a name, a docstring, and options that a recipe can hold, that are documented and checked.

    Raises:
        AssertionError: it has not.
    """
    assert not isinstance(component, type), f"give an instance to the check: {component.__name__}(), with options that make it fast"
    check_class(type(component))
    for field in dataclasses.fields(component):
        check_refusals(component, field)


def check_class(kind: type[Component]) -> None:
    """`check_component` of what needs no instance, for a class that has no default for one of its options.

    Raises:
        AssertionError: the class has not what it must have.
    """
    name = getattr(kind, "name", None)
    assert isinstance(name, str), f"{kind.__name__} needs a `name`, by which recipes choose it"
    assert NAME.fullmatch(name), f"the name {name!r} must be lower-case letters, digits and _: it is typed on the command line"
    forgotten = [key for key, value in vars(kind).items() if isinstance(value, dataclasses.Field)]
    assert not forgotten, f"{kind.__name__} must be decorated with @dataclass(kw_only=True), or {', '.join(forgotten)} will not be options"
    about = kind.__doc__ or ""
    written = about.strip() and not about.startswith(f"{kind.__name__}(")  # what @dataclass puts in the place of none
    assert written, f"{kind.__name__} needs a docstring: its first line is the component's description in `iwm components`"
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        label = f"{kind.__name__}.{field.name}"
        assert field.metadata.get("doc"), f"{label} needs documentation: {field.name} = option(default, 'what it is, with its unit')"
        hint = hints[field.name]
        assert holdable(hint), f"{label} is {hint}, which a recipe cannot hold: use {HOLDABLE}"


def check_refusals(component: Component, field: "dataclasses.Field[Any]") -> None:
    """Check that a field refuses values outside its range or choices."""
    label = f"{type(component).__name__}.{field.name}"
    for bad in refused(field):
        try:
            dataclasses.replace(component, **{field.name: [bad] if isinstance(getattr(component, field.name), list) else bad})
        except ValueError:
            continue
        raise AssertionError(f"{label} = {bad!r} must be refused: call super().__post_init__() in {type(component).__name__}.__post_init__")


def holdable(hint: Any) -> bool:
    """Whether a recipe can hold values of a type."""
    if hint in PLAIN or hint is Any:
        return True
    if dataclasses.is_dataclass(hint):
        return all(holdable(part) for part in typing.get_type_hints(hint).values())
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return all(part is types.NoneType or holdable(part) for part in inner)
    if origin is dict:
        return inner[0] is str and holdable(inner[1])
    return origin is list and holdable(inner[0])


def refused(field: "dataclasses.Field[Any]") -> list[Any]:
    """Values just outside an option's range or choices."""
    low, high, choices = (field.metadata.get(key) for key in ("low", "high", "choices"))
    return [
        *([low - 1] if low is not None else []),
        *([high + 1] if high is not None else []),
        *(["no such choice"] if choices is not None else []),
    ]
