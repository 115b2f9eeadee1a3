"""What a recipe and a command line choose by name: whether there is such a thing, and what Hydra says of it in words that help."""

import shlex
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra.errors import ConfigCompositionException, MissingConfigException
from omegaconf import OmegaConf

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import groups, kinds, several, single
from iwm_core.plugins.lineage import Choice, Lineage, dotted
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import ready_made
from iwm_core.recipe.compose import field_names, is_choice, one_line
from iwm_core.recipe.shelf import LISTED
from iwm_devkit.advice.changes import instead


def check_choices(overrides: list[Any], lineage: Lineage) -> None:
    """Check that choices name what is installed, and several only where there may be."""
    for part in lineage.parts:
        if isinstance(part, Choice):
            check_choice(part.group, part.value, lineage, f"the defaults of {part.path} have {part.group}: ")
    for override in overrides:
        if is_choice(override):
            check_choice(override.key_or_group, override.value(), lineage)


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


def bad_override(error: ConfigCompositionException, name: str, path: Path, overrides: list[Any]) -> str:
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


def refuse_hiding(folders: list[Path]) -> None:
    """Refuse files that Hydra would take in the place of what recipes are built on: a kind's base, a component."""
    built_on = [kind.schema().base for kind in kinds()]
    built_on += [f"{group}/{name}" for group, kind in groups().items() for name in load_plugins().entries(kind)]
    for file in (folder / f"{name}.yaml" for folder in folders for name in built_on):
        if file.is_file():
            raise UserError(f"{file} hides {file.stem!r}, which recipes are built on; give the file another name")
