"""A part of a config merged into its dataclass, which knows its keys, types and ranges; what is wrong becomes one line."""

import dataclasses
import sys
import types
import typing
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException, ValidationError

from iwm_core.interfaces.component import check_option
from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import Schema
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.config import Section

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", list: "a list", types.NoneType: "null"}

structured = cache(OmegaConf.structured)
"""A dataclass as a config, asked for whenever something is composed or thawed; who changes it copies."""


def instance(cls: Any, node: Any, label: str) -> Any:
    """A node, or a plain dict, which lies in the config at ``label``, such as ``actions.blur``, as an instance of a dataclass.

    Raises:
        UserError: an unknown or missing key, a value of the wrong type or out of range.
    """
    prefix = f"{label}." if label else ""
    merged = typed(cls, OmegaConf.create(node) if isinstance(node, dict) else node, label)
    try:
        return OmegaConf.to_object(merged)
    except MissingMandatoryValue as error:
        raise UserError(f"{prefix}{error.full_key} must be given: add {prefix}{error.full_key}=VALUE") from error
    except OmegaConfBaseException as error:
        raise UserError(f"{prefix}{error.full_key}: {str(error).splitlines()[0]}") from error
    except ValueError as error:
        text = str(error)
        raise UserError(text if not label or text.startswith(label.split(".")[0]) else f"{label}: {text}") from error


def typed(cls: Any, node: Any, label: str) -> DictConfig:
    """A node merged into the structured config of ``cls``, which need not be whole.

    Raises:
        UserError: an unknown key, a value of the wrong type or out of range.
    """
    prefix = f"{label}." if label else ""
    try:
        refuse_plain(cls, node, prefix)
        merged: Any = OmegaConf.merge(structured(cls), node)  # which is copied
        check_ranges(merged, prefix)
    except ConfigKeyError as error:
        parent, _, key = f"{prefix}{error.full_key}".rpartition(".")
        held: Any = OmegaConf.get_type(error.parent_node) if error.parent_node else cls
        names = to_type({f.name: f.type for f in dataclasses.fields(held)})
        value = as_typed(OmegaConf.select(node, str(error.full_key)))
        hint = did_you_mean(key, names, lambda near: f"{parent}.{names[near]}={value}".lstrip(".")) or f"its keys: {', '.join(names)}"
        raise UserError(f"unknown key {f'{prefix}{error.full_key}'!r}; {hint.rstrip()}") from error
    except ValidationError as error:
        key = str(error.full_key)
        raise UserError(wrong_type(cls, key, node, prefix) or f"{prefix}{key}: {str(error).splitlines()[0]}") from error
    except OmegaConfBaseException as error:
        raise UserError(f"{prefix}{error.full_key}: {str(error).splitlines()[0]}") from error
    except ValueError as error:
        raise UserError(str(error)) from error
    except OverflowError as error:  # a whole number of hundreds of digits
        raise UserError(
            f"{label or 'the recipe'} has a number that is too large: {str(error).splitlines()[0]}; write a smaller one"
        ) from error
    return merged


def plain_keys(schema: Schema) -> Any:
    """The keys of a recipe that are neither a section nor a group, as a dataclass."""
    return plain_class(schema.recipe, tuple(f.name for f in schema.plain_fields()))


@cache
def plain_class(recipe: Any, names: tuple[str, ...]) -> Any:
    """Some keys of a recipe as a dataclass."""
    fields = [(f.name, f.type, f) for f in dataclasses.fields(recipe) if f.name in names]
    return dataclasses.make_dataclass("Keys", fields, bases=(Section,), kw_only=True)


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


def refuse_plain(cls: Any, node: Any, prefix: str) -> None:
    """Refuse a plain value where settings belong."""
    if not isinstance(node, DictConfig):
        names = [f.name for f in dataclasses.fields(cls)]
        main = main_of(cls)
        meant = f"{prefix}{main}={as_typed(node)}" if may_be(cls, main, node) else f"{prefix}KEY=VALUE"
        raise UserError(f"{prefix.rstrip('.')} is a section with the keys {', '.join(names)}; write {meant}")
    for field in dataclasses.fields(cls):
        if field.name in node and dataclasses.is_dataclass(field.type) and not OmegaConf.is_interpolation(node, field.name):
            refuse_plain(field.type, node[field.name], f"{prefix}{field.name}.")


def check_ranges(node: DictConfig, prefix: str) -> None:
    """Check what options say of their values, each named by its whole key.

    Raises:
        ValueError: a value out of range.
    """
    for field in dataclasses.fields(OmegaConf.get_type(node)):  # pyright: ignore[reportArgumentType]
        if OmegaConf.is_missing(node, field.name) or OmegaConf.is_interpolation(node, field.name):
            continue
        value = node[field.name]
        if isinstance(value, DictConfig) and dataclasses.is_dataclass(OmegaConf.get_type(value)):
            check_ranges(value, f"{prefix}{field.name}.")
        else:
            plain: Any = OmegaConf.to_container(value) if OmegaConf.is_list(value) else value
            plain = [part for part in plain if "${" not in str(part)] if isinstance(plain, list) else plain
            if any(isinstance(part, int) and abs(part) > sys.maxsize for part in (plain if isinstance(plain, list) else [plain])):
                raise ValueError(f"{prefix}{field.name} has a number that is too large; write a smaller one, at most {sys.maxsize:.1g}")
            check_option(f"{prefix}{field.name}", plain, field.metadata)


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


def as_typed(value: Any) -> str:
    """A value as it is typed."""
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if isinstance(plain, list):
        return f"[{','.join(map(as_typed, plain))}]"
    words = {None: "null", True: "true", False: "false"}
    return words[plain] if plain is None or isinstance(plain, bool) else str(plain) or "nothing"
