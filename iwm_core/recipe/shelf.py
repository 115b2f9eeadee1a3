"""What Hydra composes of: the schema of a recipe's kind, every installed component, and the settings of the recipe's files, by name.

Decisions:
- Components enter as their fields' defaults plus their ``name``; `iwm_core.recipe.thaw` types them again, with what is set of them.
- It lies where Hydra looks, in one place of a process, only while iwm composes, one thread at a time: what a program has put there stays.
- Hydra would compose its own settings, too (logging, launchers), from a dozen files, which takes as long as the recipe; they are empty.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import RLock
from typing import Any

from hydra.conf import HydraConf
from hydra.core.config_store import ConfigNode, ConfigStore
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.plugins.kinds import empty, groups, several
from iwm_core.plugins.lineage import Lineage, Settings
from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.typed import structured

LISTED = "iwm_recipe"
"""What Hydra knows a recipe by."""

Choices = dict[str, dict[str, dict[str, Any]]]
"""By group and name, the settings that a choice besides the components stands for."""

EMPTY = ConfigNode("config.yaml", OmegaConf.structured(HydraConf(defaults=[])), "hydra", None, "hydra")
"""Hydra's own settings, without what they choose."""


class Shelf(dict[str, Any]):
    """Nodes and groups of them by name. Hydra copies the node that it takes; it would copy all others, too, before it looks for it."""

    turn = RLock()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Shelf":
        return self


def component_defaults(component: Any) -> dict[str, Any]:
    """A component's fields as plain config: its name, defaults, and ??? where the user must say."""
    fields: Any = OmegaConf.to_container(structured(component))
    return {"name": component.name, **fields}


@cache
def component_node(component: Any) -> DictConfig:
    """A component's fields as Hydra holds them."""
    return OmegaConf.create(component_defaults(component))


@contextmanager
def shelved(lineage: Lineage, choices: Choices) -> Iterator[None]:
    """While entered, Hydra finds what a recipe is composed of; ``choices`` take the place of its kind's own."""
    store = ConfigStore.instance()
    with Shelf.turn:
        kept, store.repo = store.repo, Shelf(hydra={"config.yaml": EMPTY})
        try:
            put_components(store.repo)
            put_recipe(store, lineage, choices)
            GlobalHydra.instance().clear()
            yield
        finally:
            store.repo = kept


def put_components(shelf: dict[str, Any]) -> None:
    """Add every installed component; one that OmegaConf cannot hold is left out, and told."""
    for group, kind in groups().items():
        held = shelf.setdefault(group, {})
        for name, entry in list(load_plugins().entries(kind).items()):
            package = f"{group}.{name}" if group in several() else group
            try:
                node = component_node(entry.component)
            except (OmegaConfBaseException, ValueError) as error:  # such as a field typed tuple or Literal
                load_plugins().leave_out(entry, error)
                continue
            held[f"{name}.yaml"] = ConfigNode(f"{name}.yaml", node, group, package, entry.plugin.distribution)


def put_recipe(store: ConfigStore, lineage: Lineage, choices: Choices) -> None:
    """Add a recipe as the list of what it is composed of, each file's settings under a name of their own, and what its kind brings."""
    schema, defaults = lineage.kind.schema(), list[Any]()
    sections = {name: OmegaConf.to_container(structured(cls)) for name, cls in schema.sections.items()}
    store.store(name=schema.base, node={"kind": lineage.kind.name, **empty(schema), **sections})  # typed again by `thaw`
    for group, own in schema.choices.items():
        for name, node in {**own, **choices.get(group, {})}.items():
            store.store(group=group, name=name, node=node, package=group)
    for number, part in enumerate(lineage.parts):
        if isinstance(part, Settings):
            store.store(name=f"{LISTED}_{number}", node=part.content)
            defaults.append(f"{LISTED}_{number}")
        else:
            defaults.append({part.group: part.value})
    store.store(name=LISTED, node={"defaults": [schema.base, *defaults, "_self_"]})
