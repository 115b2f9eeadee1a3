"""Composes a recipe and overrides with Hydra into one plain config.

Decisions:
- `iwm_core.plugins.lineage` lists what a recipe is made of; Hydra composes that list, with the settings of each file in their place.
- `iwm_core.recipe.shelf` puts what may be named where Hydra looks: only installed components can be. `iwm_core.recipe.thaw` merges them
  into their own structured configs, which validate every field.
- A recipe may set options of a component that the command line then replaces: those the new one does not know are left out,
  with a note; any other unknown key is an error.
"""

import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins as HydraPlugins
from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import groups, kind_of, several, single
from iwm_core.plugins.lineage import Choice, Lineage, dotted
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import ready_made, refuse_hiding, shared_folders
from iwm_core.recipe.length import measured_quickly
from iwm_core.recipe.overrides import check_recipe
from iwm_core.recipe.own_settings import instead
from iwm_core.recipe.parts import check_parts, check_resolved
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
    check_choices(parsed, lineage)
    anew = {*lineage.replaced, *(override.key_or_group for override in parsed)}
    check_parts(lineage, anew)
    refuse_hiding([path.parent, *(folder for folder, _ in load_plugins().recipe_dirs())])
    HydraPlugins.instance().register(RecipeSearchPath)
    try:
        with shelved(lineage, choices or {}), initialize_config_dir(str(path.parent.resolve()), "iwm", "1.3"):
            try:
                config = hydra_compose(LISTED, overrides=overrides)
            except ConfigCompositionException as error:
                raise UserError(bad_override(error, name, path, parsed)) from error
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"recipe {name!r} ({path}): {one_line(error)}") from error
    except RecursionError as error:
        raise UserError(f"recipe {name!r} ({path}) chooses what includes itself; check the files of its ready-made choices") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {name!r} ({path}) names a file that is not valid YAML in UTF-8: {one_line(error)}") from error
    OmegaConf.set_struct(config, False)
    config.recipe = file.name
    notes = [*prune(config, parsed, lineage.replaced), *lineage.notes, *measured_quickly(config, parsed, lineage)]
    check_resolved(lineage, anew, config)
    # Hydra leaves chosen groups last; a reader expects the recipe's own order.
    fields = (f.name for f in dataclasses.fields(kind_of(config).schema().recipe) if f.name in config)
    order = dict.fromkeys(["recipe", "kind", *fields, *config])
    return OmegaConf.create({key: config._get_node(key) for key in order}), notes


def left_open(config: DictConfig) -> str | None:
    """The group of a composed recipe that only the beginning of a run can fill; None where there is none."""
    return next((group for group in single() if config.get(group) and OmegaConf.is_missing(config[group], "name")), None)


def check_choices(overrides: list[Override], lineage: Lineage) -> None:
    """Check that choices name what is installed, and several only where there may be; what those of a command line set counts last."""
    for part in lineage.parts:
        if isinstance(part, Choice):
            check_choice(part.group, part.value, lineage, f"the defaults of {part.path} have {part.group}: ")
    for override in overrides:
        group = override.key_or_group
        if override.is_delete() or not (group in groups() or group in shared_folders()) or isinstance(override.value(), dict):
            continue
        check_choice(group, override.value(), lineage)
        lineage.set_by(group, override.value())


def check_choice(group: str, value: Any, lineage: Lineage, where: str = "") -> None:
    """Check one choice; ``where`` tells who makes it."""
    kind = groups().get(group)
    names = value if isinstance(value, list) else [value]
    if group in single() and isinstance(value, list):
        raise UserError(f"{where}{group} takes one component: {group}=NAME")
    ready = sorted({*ready_made(group), *lineage.kind.schema().choices.get(group, ())})  # such as data=imagenette, which Hydra resolves
    for name in names:
        if kind and (name is None or isinstance(name, dict)):
            raise UserError(f"{where}choose {group} by name; `iwm components {kind}` lists what is installed")
        if str(name) not in ready and kind:
            try:
                load_plugins().component(kind, str(name), ready)
            except UserError as error:
                raise UserError(f"{where}{error}") from error
        elif str(name) not in ready:
            hint = did_you_mean(str(name), ready) or f"choose one of: {', '.join(ready) or 'none'}"
            raise UserError(f"{where}there is no {f'{group}/{name}'!r}; {hint.rstrip()}")
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise UserError(f"{where}{group} names {twice} twice; name it once")


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


def bad_override(error: ConfigCompositionException, name: str, path: Path, overrides: list[Override]) -> str:
    """One line for an override that Hydra could not apply."""
    first = str(error).splitlines()[0]
    file = error.missing_cfg_file if isinstance(error, MissingConfigException) else None
    group, _, missing = (file or "").rpartition("/")
    if group in groups():  # of a ready-made choice
        try:
            load_plugins().component(groups()[group], missing)
        except UserError as cause:
            return f"recipe {name!r} ({path}) makes a choice that lacks a component: {cause}"
    if "raised while composing" in first:
        return f"recipe {name!r} ({path}) chooses a file that does not fit: {one_line(error)[:200]}"
    if "Could not override" in first:
        key = first.split("'")[1]
        known: Any = OmegaConf.to_container(hydra_compose(LISTED))
        given = next((override for override in overrides if override.key_or_group == key), None)
        near = did_you_mean(key, dotted(known), lambda near: instead(given, near) if given else near)
        return f"unknown key {key!r}; {unchosen(key) or near}`iwm show recipe={shlex.quote(name)}` lists all keys"
    cause = f": {one_line(error.__cause__)}" if error.__cause__ else ""
    return f"{first.rstrip('.')}{cause}"


def unchosen(key: str) -> str:
    """Of an option that components have which are not chosen, how to choose one, as the beginning of a sentence."""
    group, _, rest = key.partition(".")
    component, _, option = rest.partition(".")
    if group in several():
        known = component in load_plugins().entries(several()[group]) and option in field_names(several()[group], component)
        return f'the recipe has no {component} among its {group}, add it: "{group}=[…,{component}]"; ' if known else ""
    if group not in single():
        return ""
    givers = [name for name in load_plugins().entries(single()[group]) if component in field_names(single()[group], name)]
    return f"it is an option of {', '.join(f'{group}={name}' for name in givers)}, add that; " if givers else ""


def one_line(error: BaseException) -> str:
    """An exception's text on one line."""
    return " ".join(str(error).split())
