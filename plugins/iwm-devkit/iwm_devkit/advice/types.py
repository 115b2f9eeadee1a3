"""What options and sections take, where they were given something else, and a line to type."""

import dataclasses
import types
import typing
from typing import Any

from omegaconf import OmegaConf

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.typed import as_typed, typed

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", list: "a list", types.NoneType: "null"}


def explain_key(cls: Any, error: Any, node: Any, prefix: str) -> None:
    """Say which keys there are, in the place of one that is unknown."""
    parent, _, key = f"{prefix}{error.full_key}".rpartition(".")
    held: Any = OmegaConf.get_type(error.parent_node) if error.parent_node else cls
    names = to_type({f.name: f.type for f in dataclasses.fields(held)})
    value = as_typed(OmegaConf.select(node, str(error.full_key)))
    hint = did_you_mean(key, names, lambda near: f"{parent}.{names[near]}={value}".lstrip(".")) or f"its keys: {', '.join(names)}"
    raise UserError(f"unknown key {f'{prefix}{error.full_key}'!r}; {hint.rstrip()}") from error


def explain_section(cls: Any, node: Any, prefix: str) -> None:
    """Say which settings a section has, in the place of a plain value."""
    names = [f.name for f in dataclasses.fields(cls)]
    main = main_of(cls)
    meant = f"{prefix}{main}={as_typed(node)}" if may_be(cls, main, node) else f"{prefix}KEY=VALUE"
    raise UserError(f"{prefix.rstrip('.')} is a section with the keys {', '.join(names)}; write {meant}")


def main_of(cls: Any) -> str:
    """The setting of a section that is meant where the section is given a value."""
    return getattr(cls, "main", dataclasses.fields(cls)[0].name)


def to_type(kinds: dict[str, Any]) -> dict[str, str]:
    """By key, the key to type for it: where it is a section, that of its main setting."""
    return {key: f"{key}.{main_of(kind)}" if dataclasses.is_dataclass(kind) else key for key, kind in kinds.items()}


def may_be(cls: Any, key: str, value: Any) -> bool:
    """Whether a setting takes a value, so that it can be proposed."""
    try:
        typed(cls, OmegaConf.create({key: value}), "")
    except UserError:
        return False
    return True


def explain_type(cls: Any, key: str, node: Any, prefix: str) -> None:
    """Say what an option of a dataclass takes, as far as that is known."""
    if text := wrong_type(cls, key, node, prefix):
        raise UserError(text)


def wrong_type(cls: Any, key: str, node: Any, prefix: str) -> str:
    """Of an option that was given a value of another type: which type it takes, and a line to type; nothing where that is not known."""
    name, _, rest = key.partition(".")
    name = name.partition("[")[0]
    field = next((f for f in dataclasses.fields(cls) if f.name == name), None)
    value = node.get(name)
    if field is None:
        return ""
    kind = typing.get_type_hints(cls)[name]
    if dataclasses.is_dataclass(kind):
        return wrong_type(kind, rest, value, f"{prefix}{name}.")
    union = typing.get_origin(kind) in (types.UnionType, typing.Union)
    words = [WORDS.get(typing.get_origin(part) or part) for part in (typing.get_args(kind) if union else (kind,))]
    if None in words:
        return ""
    return f"{prefix}{name} is {' or '.join(map(str, words))}, got {as_typed(value)}; write {example(prefix + name, field, value)}"


def example(key: str, field: Any, value: Any) -> str:
    """A line to type: the value as a whole number or a list where it can be one, else the default."""
    default = field.default_factory() if callable(field.default_factory) else field.default
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 and not isinstance(default, list):  # such as 1e3
        return f"{key}={int(value)}"
    if isinstance(default, list):
        default = default or [value]
        return f'"{key}={as_typed(default)}"'
    return f"{key}={'NUMBER' if default in (None, dataclasses.MISSING) else as_typed(default)}"
