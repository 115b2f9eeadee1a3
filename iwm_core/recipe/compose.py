"""Composes a recipe and overrides with Hydra into one plain config.

Decisions:
- `iwm_core.plugins.lineage` lists what a recipe is made of; Hydra composes that list, with the settings of each file in their place.
- `iwm_core.recipe.shelf` puts what may be named where Hydra looks: only installed components can be. `iwm_core.recipe.thaw` merges them
  into their own structured configs, which validate every field.
- A recipe may set options of a component that the command line then replaces: those the new one does not know are left out,
  with a note; any other unknown key is an error.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins as HydraPlugins
from hydra.errors import ConfigCompositionException, HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.advice import advise
from iwm_core.plugins.kinds import groups, kind_of, several, single
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import shared_folders
from iwm_core.recipe.overrides import check_recipe
from iwm_core.recipe.shelf import LISTED, Choices, shelved


class RecipeSearchPath(SearchPathPlugin):
    """Lets recipes name the groups (``size: cpu``) that lie at the top of any recipe dir."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder, plugin in load_plugins().recipe_dirs():
            search_path.append(plugin.distribution, f"file://{folder.resolve()}")  # Hydra takes it literally: no %20


def compose(name: str, overrides: list[str], choices: Choices | None = None) -> tuple[DictConfig, list[str]]:
    """A recipe with overrides applied, and notes for the user about what was left out.

    Args:
        name: of the recipe.
        overrides: ``key=value`` texts.
        choices: what choices besides components (`Schema.choices`) stand for here: by group and name, the settings.

    Raises:
        UserError: an unknown recipe, component or key, or a value that cannot be parsed.
    """
    file, lineage, parsed = check_recipe(name, overrides)
    path = file.path
    advise("check_choices", parsed, lineage)
    for override in parsed:  # what those of the command line set counts last
        if is_choice(override):
            lineage.set_by(override.key_or_group, override.value())
    anew = {*lineage.replaced, *(override.key_or_group for override in parsed)}
    advise("check_files", path, lineage, anew)
    HydraPlugins.instance().register(RecipeSearchPath)
    try:
        with shelved(lineage, choices or {}), initialize_config_dir(str(path.parent.resolve()), "iwm", "1.3"):
            try:
                config = hydra_compose(LISTED, overrides=overrides)
            except ConfigCompositionException as error:
                advise("explain", error, name, path, parsed)
                raise
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"recipe {name!r} ({path}): {one_line(error)}") from error
    except RecursionError as error:
        raise UserError(f"recipe {name!r} ({path}) chooses what includes itself; check the files of its ready-made choices") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {name!r} ({path}) names a file that is not valid YAML in UTF-8: {one_line(error)}") from error
    OmegaConf.set_struct(config, False)
    config.recipe = file.name
    notes = [*prune(config, parsed, lineage.replaced), *lineage.notes, *advise("check_composed", config, parsed, lineage, anew)]
    # Hydra leaves chosen groups last; a reader expects the recipe's own order.
    fields = (f.name for f in dataclasses.fields(kind_of(config).schema().recipe) if f.name in config)
    order = dict.fromkeys(["recipe", "kind", *fields, *config])
    return OmegaConf.create({key: config._get_node(key) for key in order}), notes


def left_open(config: DictConfig) -> str | None:
    """The group of a composed recipe that only the beginning of a run can fill; None where there is none."""
    return next((group for group in single() if config.get(group) and OmegaConf.is_missing(config[group], "name")), None)


def is_choice(override: Override) -> bool:
    """Whether an override chooses components, or ready-made settings, by name."""
    group = override.key_or_group
    return not override.is_delete() and (group in groups() or group in shared_folders()) and not isinstance(override.value(), dict)


def prune(config: DictConfig, overrides: list[Override], changed: Mapping[str, set[str]] = MappingProxyType({})) -> list[str]:
    """Leave out the recipe's options of components that the command line replaced, or a recipe in the one that it changes (``changed``,
    `Lineage.replaced`); return notes about them."""
    replaced = {override.key_or_group for override in overrides if override.key_or_group in groups()}
    explicit = {override.key_or_group for override in overrides if override.key_or_group not in groups()}
    explicit |= {key for group, keys in changed.items() if group not in replaced for key in keys if key.partition(".")[0] == group}
    replaced |= changed.keys() & groups().keys()
    notes = []
    for group in replaced & set(single()):
        node = config[group]
        known = {"name", *field_names(single()[group], node.name)}
        unknown = [k for k in node if k not in known and f"{group}.{k}" not in explicit]
        for key in unknown:
            del node[key]
        if unknown:
            values = "recipe's values are" if len(unknown) > 1 else "recipe's value is"
            notes.append(f"{group}={node.name} has no {', '.join(map(repr, unknown))}: the {values} left out")
    for group in replaced & set(several()):
        unchosen = [k for k, node in config[group].items() if "name" not in node and k in load_plugins().entries(several()[group])]
        for key in unchosen:
            if not any(text.startswith(f"{group}.{key}.") for text in explicit):
                del config[group][key]
    return notes


def field_names(kind: str, name: str) -> list[str]:
    """The names of a component's fields."""
    return [f.name for f in dataclasses.fields(load_plugins().component(kind, name))]


def one_line(error: BaseException) -> str:
    """An exception's text on one line."""
    return " ".join(str(error).split())
