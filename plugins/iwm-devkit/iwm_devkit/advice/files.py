"""What each file of a recipe sets, checked by itself: a mistake is told with the file, and the line in it.

Decisions:
- What a file sets of a component is checked against the one that is chosen in the end; where that replaced another, options that it does
  not have are left alone, as `iwm_core.recipe.compose.prune` leaves them out.
- ``???``, which Hydra would pass over in silence where another recipe is changed, is refused.
"""

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import groups, single
from iwm_core.plugins.lineage import Lineage, Settings, dotted
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_text import stands_for
from iwm_core.recipe.typed import plain_keys, typed


def check_parts(lineage: Lineage, anew: Collection[str]) -> None:
    """Check what the files of a recipe set; the components of the groups ``anew`` were chosen by others than the file.

    Raises:
        UserError: a key that nothing knows, a value that is left open, of another form or type, or out of range.
    """
    for part in lineage.parts:
        if isinstance(part, Settings):
            if left := next((key for key, value in dotted(part.content).items() if value == "???"), None):
                raise UserError(f"{place(part.path, left)}: {left} is left open, ???; write its value")
            check_part(part, lineage, anew)


def check_resolved(lineage: Lineage, anew: Collection[str], config: DictConfig) -> None:
    """Check, once a recipe is composed, the values that its files refer to, such as ``${image_size}``.

    Raises:
        UserError: there is none, or it is wrong where it is used.
    """
    for part in lineage.parts:
        for key, value in dotted(part.content).items() if isinstance(part, Settings) else ():
            if isinstance(value, str) and "${" in value:
                try:
                    content: Any = OmegaConf.select(config, key)
                except OmegaConfBaseException as error:
                    raise UserError(f"{place(part.path, key)}: {key}: {str(error).splitlines()[0]}; write the value itself") from error
                for name in reversed(key.split(".")):
                    content = {name: content}
                check_part(Settings(part.path, content), lineage, anew)


def check_part(part: Settings, lineage: Lineage, anew: Collection[str]) -> None:
    """Check what one file sets."""
    schema = lineage.kind.schema()
    keys = [field.name for field in dataclasses.fields(schema.recipe) if field.name != "recipe"]
    for key, value in part.content.items():
        if key not in keys:
            section, dot, rest = str(key).partition(".")
            meant = f"write {section}: {{{rest}: …}}; " if dot and section in keys else did_you_mean(str(key), keys)
            raise UserError(
                f"{place(part.path, str(key))}: unknown key {str(key)[:60]!r} in the recipe; {meant}its keys: {', '.join(keys)}"
            )
        if key in schema.sections:
            check_options(part, schema.sections[key], key, value)
        elif key in groups():
            chosen = lineage.chosen.get(key)
            if chosen not in schema.choices.get(key, ()):  # known once a run is begun
                check_group(part, key, value, chosen, key in anew)
        else:
            check_options(part, plain_keys(schema), "", {key: value})


def check_group(part: Settings, group: str, value: Any, chosen: Any, anew: bool) -> None:
    """Check the options of a group's component, or components."""
    kind, one = groups()[group], group in single()
    if not isinstance(value, dict) or (one and "name" in value):
        options, choice = ("{OPTION: VALUE}", "NAME") if one else ("{NAME: {OPTION: VALUE}}", "[NAME, NAME]")
        line = f"{place(part.path, group)}: write {group}: {options} to set options"
        raise UserError(f"{line}; what it is, is chosen among the defaults: {group}: {choice}; `iwm components {kind}` lists what there is")
    for name, options in {chosen: value}.items() if one else value.items():
        named = options.get("name", name) if isinstance(options, dict) else name
        try:
            component = load_plugins().component(kind, stands_for(group, str(named)))
        except UserError as error:
            raise UserError(f"{place(part.path, f'{group}.{name}')}: {error}") from error
        check_options(part, component, group if one else f"{group}.{name}", options, anew, ("name", *component.retired))


def check_options(part: Settings, cls: Any, label: str, options: Any, anew: bool = False, passed: Collection[str] = ()) -> None:
    """Check settings, but for those that are ``passed`` over; one by one, where something is wrong among them."""
    if isinstance(options, str) and "${" in options:  # seen once it is composed
        return
    known = {field.name for field in dataclasses.fields(cls)}
    if isinstance(options, dict):
        options = {key: value for key, value in options.items() if key not in passed and (key in known or not anew)}
    one_by_one = [(f"{label}.{key}".lstrip("."), {key: options[key]}) for key in options] if isinstance(options, dict) else []
    try:
        typed(cls, OmegaConf.create(options) if isinstance(options, dict | list) else options, label)
    except UserError as error:
        for _, node in one_by_one if len(one_by_one) > 1 else ():
            check_options(part, cls, label, node)
        raise UserError(f"{place(part.path, one_by_one[0][0] if one_by_one else label)}: {error}") from error


def place(path: Path, key: str) -> str:
    """Where a file sets a key, or else what is around it, as far as can be told: ``mine.yaml, line 3``."""
    node: Any = yaml.compose(path.read_text(encoding="utf-8-sig"), yaml.SafeLoader)
    line = 0
    for part in key.split("."):
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next(((name, value) for name, value in pairs if name.value == part), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return f"{path}, line {line}" if line else str(path)
