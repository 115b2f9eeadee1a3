"""Turns a composed or frozen config into a `Recipe` of typed, validated instances.

Each node is merged into the structured config of its dataclass, which checks keys, types and, in ``__post_init__``, ranges.
"""

import dataclasses
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import kind_of, of, several, single
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.shapes import check_name
from iwm_core.recipe.typed import instance, plain_keys


def thaw(config: DictConfig | dict[str, Any]) -> Any:
    """A composed recipe, or a run's config as plain data, as typed, validated instances: a `Recipe`, or what another kind of run has; a
    `UserError` for a missing or unknown component or key, a value of the wrong type or out of range."""
    config = OmegaConf.create(config) if isinstance(config, dict) else config
    try:
        plain = {str(key): value for key, value in config.items()}
    except OmegaConfBaseException as error:  # an interpolation that leads nowhere
        raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    parts: dict[str, Any] = {}
    kind = kind_of(config)
    schema = kind.schema()
    for group in of(schema, several()):
        if not isinstance(plain.get(group), DictConfig):
            raise UserError(f"{group} holds no components by their names; `iwm show recipe=NAME` shows what it looks like")
        for key in plain[group]:
            check_key(group, str(key))
    for group, kind_name in of(schema, single()).items():
        if not plain.get(group):
            raise UserError(f"the recipe chooses no {group}: add {group}=NAME; `iwm components {kind_name}` lists what is installed")
        if OmegaConf.is_missing(config[group], "name"):
            raise UserError(f"{group} is only known once such a run is begun, by {kind.begun_by.format('NAME')}; or choose {group}=NAME")
        parts[group] = thaw_component(kind_name, config[group], group)
    for group, kind_name in of(schema, several()).items():
        parts[group] = {str(key): thaw_component(kind_name, node, f"{group}.{key}") for key, node in config[group].items()}
    for section, cls in schema.sections.items():
        parts[section] = instance(cls, plain.get(section, {}), section)
    known = [f.name for f in dataclasses.fields(schema.recipe)]
    if unknown := set(plain) - {"kind", *known}:
        raise UserError(f"unknown key {min(unknown)!r} in the recipe; {did_you_mean(min(unknown), known)}its keys: {', '.join(known)}")
    keys = plain_keys(schema)
    names = [f.name for f in dataclasses.fields(keys)]
    top = instance(keys, OmegaConf.create({name: plain[name] for name in names if name in plain}), "")
    return schema.recipe(**{name: getattr(top, name) for name in names}, **parts)


def check_key(group: str, key: str) -> None:
    """Check what names files in a run and is shown."""
    try:
        check_name(key, f"{group}:")
    except ValueError as error:
        raise UserError(str(error)) from error


def thaw_component(kind: str, node: Any, label: str) -> Any:
    """The instance that a node of the config describes."""
    if not isinstance(node, DictConfig) or "name" not in node:
        words = label.split(".")[-1]
        raise UserError(
            f"{label} is set, but {words!r} is not chosen; choose it with {label.split('.')[0]}=[…,{words}] or remove its options"
        )
    component = load_plugins().component(kind, node.name)
    fields = OmegaConf.masked_copy(node, [str(key) for key in node if key not in ("name", *component.retired)])
    return instance(component, fields, label)
