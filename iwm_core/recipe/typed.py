"""A part of a config merged into its dataclass, which knows its keys, types and ranges; what is wrong becomes one line."""

import dataclasses
import sys
from functools import cache
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException, ValidationError

from iwm_core.interfaces.component import check_option
from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import Schema
from iwm_core.plugins.advice import advise
from iwm_core.recipe.config import Section

structured = cache(OmegaConf.structured)
"""A dataclass as a config, asked for whenever something is composed or thawed; who changes it copies."""


def instance(cls: Any, node: Any, label: str) -> Any:
    """A node, or a plain dict, which lies in the config at ``label``, such as ``actions.blur``, as an instance of a dataclass; a
    `UserError` for an unknown or missing key, a value of the wrong type or out of range."""
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
    """A node merged into the structured config of ``cls``, which need not be whole; a `UserError` for an unknown key, a value of the wrong
    type or out of range."""
    prefix = f"{label}." if label else ""
    try:
        refuse_plain(cls, node, prefix)
        merged: Any = OmegaConf.merge(structured(cls), node)  # which is copied
        check_ranges(merged, prefix)
    except ConfigKeyError as error:
        advise("explain_key", cls, error, node, prefix)
        raise UserError(f"unknown key {f'{prefix}{error.full_key}'!r}") from error
    except ValidationError as error:
        advise("explain_type", cls, str(error.full_key), node, prefix)
        raise UserError(f"{prefix}{error.full_key}: {str(error).splitlines()[0]}") from error
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


def refuse_plain(cls: Any, node: Any, prefix: str) -> None:
    """Refuse a plain value where settings belong."""
    if not isinstance(node, DictConfig):
        advise("explain_section", cls, node, prefix)
        raise UserError(f"{prefix.rstrip('.')} is a section; write {prefix}KEY=VALUE")
    for field in dataclasses.fields(cls):
        if field.name in node and dataclasses.is_dataclass(field.type) and not OmegaConf.is_interpolation(node, field.name):
            refuse_plain(field.type, node[field.name], f"{prefix}{field.name}.")


def check_ranges(node: DictConfig, prefix: str) -> None:
    """Check what options say of their values, each named by its whole key; a `ValueError` for a value out of range."""
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


def as_typed(value: Any) -> str:
    """A value as it is typed."""
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    if isinstance(plain, list):
        return f"[{','.join(map(as_typed, plain))}]"
    words = {None: "null", True: "true", False: "false"}
    return words[plain] if plain is None or isinstance(plain, bool) else str(plain) or "nothing"
