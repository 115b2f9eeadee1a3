"""What every component is: a dataclass with a name, whose fields are its config, its command line and its documentation."""

import copy
import dataclasses
import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, cast

REQUIRED = dataclasses.MISSING


def option(
    default: Any = REQUIRED,
    doc: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    path: bool = False,
    value: str = "",
) -> Any:
    """A documented field of a component, checked when the component is made; or of a verb's switches.

    Args:
        default: the field's default; left out, the user must give it. Lists and dicts are copied for each instance.
        doc: one line for ``iwm components``, with units.
        low, high, choices: the closed range of a number, or of every number in a list; the words allowed.
        path: it may name a file or folder; where there is one, a run keeps it absolute, so that it means the same from everywhere.
        value: of a switch, how its value is written in help, where neither the default nor the choices show that: ``FILE.json``.
    """
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices, "path": path, "value": value}
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=partial(copy.copy, cast(Any, default)), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(kw_only=True)
class Component:
    """Base of every component: a name, and fields whose ranges are checked.

    Attributes:
        retired: options that earlier versions had; a run's config, or a recipe, that still gives them is read without them.

    Raises:
        ValueError: a field outside its range or choices.
    """

    name: ClassVar[str]
    retired: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            check_option(f"{getattr(self, 'name', type(self).__name__)}.{field.name}", getattr(self, field.name), field.metadata)


def check_option(label: str, value: Any, metadata: Any) -> None:
    """Raise ValueError when ``value`` lies outside the range or choices in an option's metadata."""
    if not metadata or value is None:
        return
    if check := metadata.get("check"):
        check(label, value)
    low, high, choices = metadata["low"], metadata["high"], metadata["choices"]
    numbers = cast(list[Any], value) if isinstance(value, list) else [value]
    for number in numbers:
        if isinstance(number, float) and not math.isfinite(number) and (low, high) != (None, None):
            raise ValueError(f"{label} must be a finite number, got {number}")
        if low is not None and number < low:
            raise ValueError(f"{label} must be at least {low:g}, got {number}")
        if high is not None and number > high:
            raise ValueError(f"{label} must be at most {high:g}, got {number}")
        if choices is not None and number not in choices:
            raise ValueError(f"{label} must be one of {', '.join(choices)}, got {number!r}")


def required_options(component: type) -> list[str]:
    """The fields of a component that have no default: the user must give them."""
    return [f.name for f in dataclasses.fields(component) if f.default is f.default_factory is dataclasses.MISSING]
