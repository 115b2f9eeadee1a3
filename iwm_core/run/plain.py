"""YAML as plain data: no alias (nested ones grow without bounds), no tag, no interpolation. Needs no torch."""

from typing import Any

import yaml

from iwm_core.plugins.recipe_text import Strict
from iwm_core.recipe.shapes import check_name

DEPTH = 40
"""Levels of mappings and lists."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # pyright: ignore[reportGeneralTypeIssues]
    """As OmegaConf reads."""

    yaml_implicit_resolvers = Strict.yaml_implicit_resolvers


class _Dumper(yaml.SafeDumper):
    """Quotes what the loader would not read as a text, such as a checksum of digits and one ``e``."""

    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


def written_yaml(content: dict[str, Any]) -> str:
    """A YAML text that `plain_yaml` reads as this content."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False)


def plain_yaml(text: str) -> Any:
    """What a YAML text holds: mappings by text, lists, texts, numbers, truth values and nulls; a `ValueError` or `yaml.YAMLError` where it
    is not YAML, or holds more than that."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"it holds an alias, *{event.anchor}")
        if getattr(event, "tag", None) is not None:
            raise ValueError(f"it holds a tag, {event.tag}")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH:
            raise ValueError("it is nested too deeply")
    content = yaml.load(text, Loader=_Loader)
    check_plain(content, "")
    return content


def check_plain(content: Any, place: str) -> None:
    """Check that there is no interpolation, which would be resolved here, and that keys are names; a `ValueError` where not."""
    if isinstance(content, dict):
        for key, value in content.items():
            if not isinstance(key, str):
                raise ValueError(f"the key {key!r} is not text")
            check_name(key, "the key")
            check_plain(value, f"{place}.{key}".lstrip("."))
    elif isinstance(content, list):
        for number, value in enumerate(content):
            check_plain(value, f"{place}[{number}]")
    elif isinstance(content, str) and "${" in content:
        raise ValueError(f"{place} holds ${{, and a run's settings are plain data")
