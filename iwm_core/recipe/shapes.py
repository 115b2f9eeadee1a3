"""Values of JSON or YAML as instances of types, and the names that may be used as file names.

OmegaConf would turn ``"3"`` into 3 where a number is wanted, and pydantic be one more dependency for these lines.
"""

import dataclasses
import re
import types
import typing
from pathlib import Path
from typing import Any, NewType

Name = NewType("Name", str)
"""A text that may name a file: `fitting` checks it."""

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
WORDS = {
    dict: "a mapping",
    list: "a list",
    tuple: "a list",
    str: "a text",
    Name: "a name",
    Path: "a text",
    bool: "a truth value",
    int: "an integer",
    float: "a number",
    types.NoneType: "null",
}


def check_name(name: str, what: str) -> None:
    """Check what may name a file and is shown; a `ValueError` where it holds something else than letters, digits, ``_``, ``-`` and ``.``,
    begins with one of the last two, or is long."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{what} {name[:60]!r} is not a name: at most 100 letters, digits, _, - and ., not beginning with - or .")


def fitting(value: Any, shape: Any, place: str = "") -> Any:
    """A value of JSON as an instance of a type.

    Args:
        value: mappings, lists, texts, numbers, truth values and nulls.
        shape: ``int, float, str, bool, None, Any``, `Name`, `Path`, lists, tuples of one type, dicts, unions, `Literal`; a NamedTuple or
            dataclass, which is made, or a TypedDict. Keys that these do not know are passed over. A float may be an integer in JSON, and
            NaN null.
        place: where the value lies, for the message.

    Raises:
        ValueError: it is not such a thing.
    """
    origin, inner = typing.get_origin(shape), typing.get_args(shape)
    if shape is Any:
        return value
    if shape is float and value is None:
        return float("nan")
    if shape is float and (type(value) is float or (type(value) is int and abs(value) < 1e308)):
        return float(value)
    if shape is Name and type(value) is str:
        check_name(value, place or "it")
        return value
    if shape is Path and type(value) is str:
        return Path(value)
    if type(value) is shape and shape in WORDS:
        return value
    if origin in (typing.Union, types.UnionType):
        return _one_of(value, inner, place)
    if origin is typing.Literal and value in inner:
        return value
    if origin in (list, tuple) and type(value) is list:
        return origin(fitting(one, inner[0], f"{place}[{number}]") for number, one in enumerate(value))
    if origin is dict and type(value) is dict:
        return {fitting(key, inner[0], "the key"): fitting(one, inner[1], _below(place, key)) for key, one in value.items()}
    if type(value) is dict and shape not in WORDS and hasattr(shape, "__annotations__"):
        return _record(value, shape, place)
    wanted = f"one of {', '.join(map(str, inner))}" if origin is typing.Literal else WORDS.get(origin or shape, "a mapping")
    raise ValueError(f"{place or 'it'} is {WORDS[type(value)]}, not {wanted}")


def _below(place: str, key: str) -> str:
    """The place of a key's value."""
    return f"{place}.{key[:60]}" if place else key[:60]


def _one_of(value: Any, shapes: tuple[Any, ...], place: str) -> Any:
    """An instance of the first type of a union that fits."""
    if value is None and types.NoneType in shapes:
        return None
    *others, last = (one for one in shapes if one is not types.NoneType)
    for shape in others:
        try:
            return fitting(value, shape, place)
        except ValueError:
            continue
    return fitting(value, last, place)


def _record(value: dict[str, Any], shape: Any, place: str) -> Any:
    """An instance of a class with typed fields."""
    hints = typing.get_type_hints(shape)
    typed = typing.is_typeddict(shape)
    if dataclasses.is_dataclass(shape):
        fields = dataclasses.fields(shape)
        optional = {f.name for f in fields if f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING}
    else:
        optional = shape.__optional_keys__ if typed else shape._field_defaults.keys()
    missing = [name for name in hints if name not in optional and name not in value]
    if missing:
        raise ValueError(f"it lacks {_below(place, missing[0])}")
    given = {name: fitting(value[name], hint, _below(place, name)) for name, hint in hints.items() if name in value}
    return given if typed else shape(**given)  # pyright: ignore[reportCallIssue]
