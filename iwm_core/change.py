"""Overrides on the frozen config of an existing run: what `iwm resume` and `iwm eval` may change, by the same grammar as `iwm train`."""

from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from iwm_core.compose import component_defaults, parse, prune
from iwm_core.errors import UserError
from iwm_core.plugins import load_plugins
from iwm_core.schema import GROUPS, SECTIONS, SEVERAL


def checkpoint_in(words: list[str]) -> tuple[str | None, list[str]]:
    """The checkpoint that a command line names (``checkpoint=step_N``), and the other words.

    Raises:
        UserError: it names several.
    """
    named = [word.partition("=")[2] for word in words if word.startswith("checkpoint=")]
    if len(named) > 1 or "" in named:
        raise UserError("checkpoint= names one checkpoint, once: checkpoint=step_N")
    return named[0] if named else None, [word for word in words if not word.startswith("checkpoint=")]


def change(config: DictConfig, overrides: list[str], allowed: tuple[str, ...], verb: str) -> DictConfig:
    """A copy of a run's config with overrides applied.

    Args:
        config: the frozen config.
        overrides: ``key=value`` texts.
        allowed: the sections and groups that may change.
        verb: for messages.

    Raises:
        UserError: an override of anything else, or one that cannot be applied.
    """
    config = OmegaConf.create(OmegaConf.to_container(config))  # pyright: ignore[reportAssignmentType]
    parsed = parse(overrides)
    for override in parsed:
        section = override.key_or_group.split(".")[0]
        if section not in allowed:
            raise UserError(f"iwm {verb} changes only {', '.join(allowed)}, not {override.key_or_group!r}; train another run for that")
        if override.is_sweep_override() or override.is_delete():
            raise UserError(f"iwm {verb} takes plain key=value, got {override.input_line!r}")
    # Choices first, whatever their place on the command line: options then land in the chosen components.
    for override in sorted(parsed, key=lambda o: "." in o.key_or_group):
        if override.key_or_group in GROUPS:
            choose(config, override)
        elif override.key_or_group in SECTIONS:
            config[override.key_or_group] = OmegaConf.merge(config[override.key_or_group], ready_made(override))
        else:
            OmegaConf.update(config, override.key_or_group, override.value(), force_add=True)
    prune(config, parsed)
    return config


def ready_made(override: Override) -> DictConfig:
    """The settings that a recipe dir holds for a section under a name, such as ``launch=gpu``.

    Raises:
        UserError: none does.
    """
    section, value = override.key_or_group, str(override.value())
    files = {path.stem: path for folder, _ in load_plugins().recipe_dirs() for path in sorted((folder / section).glob("*.yaml"))}
    if value not in files:
        known = f"there are {', '.join(files)}; or " if files else ""
        raise UserError(f"there is no {section}={value}: {known}give single settings, {section}.key=value")
    return OmegaConf.load(files[value])  # pyright: ignore[reportReturnType]


def choose(config: DictConfig, override: Override) -> None:
    """Put the chosen components' defaults in place; a component that was chosen before keeps its options."""
    group = override.key_or_group
    kind = GROUPS[group]
    value: Any = override.value()
    if group in SEVERAL:
        names = [part for name in (value if isinstance(value, list) else [value]) for part in expand_set(group, str(name))]
        chosen = {name: component_defaults(load_plugins().component(kind, name)) for name in names}
        config[group] = chosen | {name: node for name, node in config[group].items() if name in chosen}
    elif config[group].name != value:
        config[group] = component_defaults(load_plugins().component(kind, str(value)))


def expand_set(group: str, name: str) -> list[str]:
    """The components that a recipe dir lists under a name, such as ``evaluators=[scorecard]``; a component's own name stays."""
    if name in load_plugins().entries(GROUPS[group]):
        return [name]
    for folder, _ in load_plugins().recipe_dirs():
        path = folder / group / f"{name}.yaml"
        if path.is_file():
            return [str(part) for part in OmegaConf.load(path).defaults]  # pyright: ignore[reportAttributeAccessIssue]
    return [name]
