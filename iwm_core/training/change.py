"""Overrides on the frozen config of an existing run: what `iwm resume` and `iwm eval` may change, by the same grammar as `iwm train`."""

from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.advice import advise
from iwm_core.plugins.kinds import groups, kind_of, several
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import ready_made
from iwm_core.plugins.recipe_text import settings_of, stands_for
from iwm_core.recipe.compose import prune
from iwm_core.recipe.overrides import parse_changes
from iwm_core.recipe.shelf import component_defaults
from iwm_core.run.anchor import anchor


def change(config: DictConfig, overrides: list[str], allowed: tuple[str, ...], verb: str) -> DictConfig:
    """A copy of a run's frozen config with overrides of the sections and groups that ``verb`` is allowed to change; a `UserError` for an
    override of anything else, or one that cannot be applied."""
    config = OmegaConf.create(OmegaConf.to_container(config))  # pyright: ignore[reportAssignmentType]
    parsed, schema = parse_changes(overrides, allowed, verb), kind_of(config).schema()
    advise("check_settings", parsed, schema)
    # Choices first, whatever their place on the command line: options then land in the chosen components.
    for override in sorted(parsed, key=lambda o: "." in o.key_or_group):
        if override.key_or_group in groups():
            choose(config, override)
        elif (section := override.key_or_group) in schema.sections:
            value = override.value()
            if not isinstance(value, dict) and str(value) not in ready_made(section):
                raise UserError(f"there are no settings {section}={value}; give single ones, {section}.KEY=VALUE")
            settings = value if isinstance(value, dict) else OmegaConf.load(ready_made(section)[str(value)])
            config[section] = OmegaConf.merge(config[section], settings)
        else:
            OmegaConf.update(config, override.key_or_group, override.value(), force_add=True)
    prune(config, parsed)
    try:
        OmegaConf.resolve(config)
    except OmegaConfBaseException as error:  # an interpolation that leads nowhere
        raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    anchor(config, {override.key_or_group.partition(".")[0] for override in parsed})
    return config


def choose(config: DictConfig, override: Any) -> None:
    """Put the chosen components' defaults in place, those of a set (``evaluators=[scorecard]``) too; one chosen before keeps options."""
    group = override.key_or_group
    kind = groups()[group]
    value: Any = override.value()
    if group in several():
        names = [str(name) for name in (value if isinstance(value, list) else [value])]
        sets = {name: file for name, file in ready_made(group).items() if name not in load_plugins().entries(kind)}
        parts = [str(part) for name in names for part in (OmegaConf.load(sets[name]).defaults if name in sets else [name])]  # pyright: ignore[reportAttributeAccessIssue]
        chosen = {name: component_defaults(load_plugins().component(kind, name)) for name in parts}
        config[group] = chosen | {name: node for name, node in config[group].items() if name in chosen}
    else:
        if config[group].name != (name := stands_for(group, str(value))):
            config[group] = component_defaults(load_plugins().component(kind, name, [*ready_made(group)]))
        config.merge_with(settings_of(group, str(value)))
