"""What the installed plugins say of kinds: what recipes of each kind of run are made of, and which kind a config is of."""

import dataclasses
from collections.abc import Iterable
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import RunKind, Schema
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean

USUAL = "pretraining"
"""The core's own kind, which a config is of that tells of none."""


def kinds() -> list[RunKind]:
    """The installed kinds of runs."""
    return list(load_plugins().run_kinds.values())


def schemas() -> list[Schema]:
    """What recipes of each kind are made of."""
    return [kind.schema() for kind in kinds()]


def single() -> dict[str, str]:
    """Groups that hold one component, and its kind."""
    return {kind.group: kind.name for kind in load_plugins().kinds.values() if not kind.several}


def several() -> dict[str, str]:
    """Groups that hold named components in the recipe's order, and their kind."""
    return {kind.group: kind.name for kind in load_plugins().kinds.values() if kind.several}


def groups() -> dict[str, str]:
    """All groups: one name means one kind of component everywhere."""
    return {kind.group: kind.name for kind in load_plugins().kinds.values()}


def kind_of(config: Any) -> RunKind:
    """The kind of a composed, frozen or plain config; a `UserError` where no installed plugin gives it."""
    name = config.get("kind")
    if name is None:  # written before there were kinds, by hand, or damaged
        return next((kind for kind in kinds() if kind.recognises(config)), load_plugins().run_kinds[USUAL])
    if not isinstance(name, str) or name not in load_plugins().run_kinds:
        hint = did_you_mean(str(name), load_plugins().run_kinds)
        raise UserError(
            f"no installed plugin gives runs of the kind {str(name)!r}; {hint}installed: {', '.join(load_plugins().run_kinds)}; "
            "pip install the plugin that has it, see `iwm plugins`"
        )
    return load_plugins().run_kinds[name]


def kind_with(recipe: Any) -> RunKind:
    """The kind that a thawed recipe is of."""
    return next(kind for kind in kinds() if kind.schema().recipe is type(recipe))


def of(schema: Schema, held: Iterable[str]) -> dict[str, str]:
    """Those of some groups that recipes of a kind have, and the kind of component of each."""
    return {group: groups()[group] for group in schema.groups if group in held}


def empty(schema: Schema) -> dict[str, Any]:
    """A config with the defaults of all plain keys, and nothing chosen."""
    keys = {f.name: {} if f.default is dataclasses.MISSING else f.default for f in schema.plain_fields()}
    return keys | {group: {} for group in of(schema, several())}
