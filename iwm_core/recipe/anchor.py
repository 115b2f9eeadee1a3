"""Paths among components' options, made absolute: a run reads the same files from whichever folder it goes on."""

import dataclasses
import os
from collections.abc import Container
from pathlib import Path

from omegaconf import DictConfig

from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.schema import groups, kind_of, of, several, single


def anchor(config: DictConfig, chosen: Container[str] | None = None) -> None:
    """Make the paths among components' options absolute, as far as there is something; ``chosen``: the groups looked at, None for all."""
    schema, looked = kind_of(config).schema(), groups() if chosen is None else chosen
    nodes = [(kind, config[group]) for group, kind in of(schema, single()).items() if group in looked]
    nodes += [(kind, node) for group, kind in of(schema, several()).items() if group in looked for node in config[group].values()]
    for kind, node in nodes:
        for option in dataclasses.fields(load_plugins().component(kind, node.name)):
            value = node.get(option.name)
            if option.metadata.get("path") and value and os.path.exists(there := os.path.expanduser(str(value))):  # noqa: PTH110, PTH111
                node[option.name] = str(Path(there).absolute())
