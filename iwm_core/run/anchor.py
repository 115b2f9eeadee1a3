"""Paths among components' options, made absolute: a run reads the same files from whichever folder it goes on."""

import dataclasses
import os
import re
from collections.abc import Container
from pathlib import Path

from omegaconf import DictConfig

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import groups, kind_of, of, several, single
from iwm_core.plugins.loader import load_plugins


def anchor(config: DictConfig, chosen: Container[str] | None = None) -> None:
    """Make the paths among components' options absolute, as far as there is something; ``chosen``: the groups looked at, None for all."""
    schema, looked = kind_of(config).schema(), groups() if chosen is None else chosen
    nodes = [(kind, config[group]) for group, kind in of(schema, single()).items() if group in looked]
    nodes += [(kind, node) for group, kind in of(schema, several()).items() if group in looked for node in config[group].values()]
    for kind, node in nodes:
        if not isinstance(node, DictConfig) or "name" not in node:
            continue  # options of what is not chosen: `thaw` says so
        for option in dataclasses.fields(load_plugins().component(kind, node.name)):
            if option.metadata.get("path") and (there := found(node.get(option.name))):
                node[option.name] = absolute(there)


def found(value: object) -> str:
    """Where a path leads, or the folder of names with stars or braces, such as ``DATA/{00..10}.tar``; empty where nothing is there."""
    there = os.path.expanduser(str(value or ""))  # noqa: PTH111
    named = re.split(r"[*?[{]", there)[0]
    pattern = named != there and os.path.isdir(os.path.dirname(named) or ".")  # noqa: PTH112, PTH120
    return there if os.path.exists(there) or pattern else ""  # noqa: PTH110


def absolute(path: str) -> str:
    """One spelling of a path: absolute, and without ``..`` and ``.`` where these lead to the same place, which links may prevent; a
    `UserError` where a config would read it as an interpolation."""
    plain = os.path.abspath(path)  # noqa: PTH100
    if "${" in plain:
        raise UserError(f"a run cannot keep the path {plain}: ${{…}} has a meaning in recipes; rename the folder, or link to it")
    return plain if os.path.exists(plain) and os.path.samefile(plain, path) else str(Path(path).absolute())  # noqa: PTH110, PTH121
