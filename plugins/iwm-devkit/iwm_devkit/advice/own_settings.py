"""Checks overrides against what the core knows without its components: its own sections and keys, and the files that recipes are made of.

Decisions:
- A setting is checked against its dataclass alone; how settings fit together is seen once they are composed (`iwm_core.recipe.thaw`).
- Of what a recipe sets, only its length is read, as far as a slip of newcomers needs it.
"""

import dataclasses
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import Schema
from iwm_core.plugins.kinds import groups, several, single
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import ready_made, shared_folders
from iwm_core.recipe.typed import as_typed, plain_keys, typed
from iwm_devkit.advice.changes import instead
from iwm_devkit.advice.types import main_of, may_be, to_type


def check_settings(overrides: list[Any], schema: Schema, recipe: str = "NAME") -> None:
    """Check what overrides on a recipe set of the core's own sections and keys; components are looked up later.

    Raises:
        UserError: an unknown key, a value of the wrong type or out of range.
    """
    plain = plain_keys(schema)
    for override in overrides:
        key = override.key_or_group
        section, _, rest = key.partition(".")
        group, _, name = key.rpartition(".")
        if name == "name" and (group in single() or group.partition(".")[0] in several()):
            first = group.partition(".")[0]
            raise UserError(
                f"components are chosen by name: {first}={'[NAME]' if first in several() else 'NAME'}, not {override.input_line}"
            )
        if section in schema.sections:
            cls = schema.sections[section]
            check_setting(cls, section, rest, override) if rest else check_choice(override, cls)
        elif section in plain.__dataclass_fields__:
            check_setting(plain, "", key, override)
        elif section not in groups() and section.partition("/")[0] not in shared_folders():
            keys = keys_of(schema)
            hint = did_you_mean(key, keys, lambda near, known=keys, given=override: instead(given, known[near]))
            raise UserError(f"unknown key {key!r}; {hint}`iwm show recipe={recipe}` lists all keys")


def check_setting(cls: Any, section: str, key: str, override: Any) -> None:
    """Check the value of one setting of a section; those of a sweep, and interpolations, are seen once they are composed."""
    if override.is_sweep_override() or override.is_delete() or "${" in str(override.value()):
        return
    node = OmegaConf.create({})
    OmegaConf.update(node, key, override.value(), force_add=True)
    typed(cls, node, section)


def check_choice(override: Any, cls: Any) -> None:
    """Check that a section is given as a whole by the name of ready-made settings, such as ``launch=gpu``, or as a mapping."""
    if override.is_sweep_override() or override.is_delete():
        return
    value = override.value()
    if isinstance(value, dict):
        typed(cls, OmegaConf.create(value), override.key_or_group)
    else:
        settings_file(override.key_or_group, value, cls)


def settings_file(section: str, value: Any, cls: Any) -> Path:
    """The file of ready-made settings that a section, whose dataclass is ``cls``, is given by its name.

    Raises:
        UserError: there is none.
    """
    files = ready_made(section)
    if str(value) not in files:
        known = f"there are {', '.join(files)}; or " if files else ""
        keys = [f.name for f in dataclasses.fields(cls)]
        main = main_of(cls)
        meant = f"such as {section}.{main}={as_typed(value)}" if may_be(cls, main, value) else f"{section}.KEY=VALUE"
        raise UserError(
            f"there is no {section}={as_typed(value)}: {did_you_mean(str(value), files, f'{section}={{}}')}{known}"
            f"give single settings, {meant}; its keys: {', '.join(keys)}"
        )
    return files[str(value)]


def keys_of(schema: Schema) -> dict[str, str]:
    """The core's keys of a kind of recipe, and its groups; by each, the key to type for it."""
    return {group: group for group in schema.groups} | keys_below(plain_keys(schema)) | keys_below(schema.sections)


def keys_below(parts: Any, prefix: str = "") -> dict[str, str]:
    """The keys of sections by name, or of a dataclass, and of those inside of it; by each, the key to type for it."""
    named = parts if isinstance(parts, dict) else {f.name: f.type for f in dataclasses.fields(parts)}
    found = to_type({f"{prefix}{name}": kind for name, kind in named.items()})
    for name, kind in named.items():
        found |= keys_below(kind, f"{prefix}{name}.") if dataclasses.is_dataclass(kind) else {}
    return found
