"""Components described from their own fields, for listings and documentation."""

import dataclasses
from typing import Any

from iwm_core.plugins.distributions import Plugin


def option_rows(kind: str, component: Any, plugin: Plugin) -> list[dict[str, str]]:
    """One row for each field of a component: its type, default, range and documentation."""
    return [
        {
            "kind": kind,
            "component": component.name,
            "name": field.name,
            "type": getattr(field.type, "__name__", str(field.type)) if isinstance(field.type, type) else str(field.type),
            "default": default_text(field),
            "range": range_text(field.metadata),
            "doc": field.metadata.get("doc") or "",
            "distribution": plugin.distribution,
            "version": plugin.version,
        }
        for field in dataclasses.fields(component)
    ]


def default_text(field: dataclasses.Field) -> str:
    """A field's default as one writes it on the command line."""
    if field.default_factory is not dataclasses.MISSING:
        return str(field.default_factory()).replace("'", "")
    if field.default is dataclasses.MISSING:
        return "required"
    return "null" if field.default is None else str(field.default)


def range_text(metadata: Any) -> str:
    """The values that a field takes."""
    if not metadata:
        return ""
    if metadata["choices"]:
        return " | ".join(metadata["choices"])
    low, high = metadata["low"], metadata["high"]
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} … {'' if high is None else f'{high:g}'}".strip()


SAID = 0.3
"""An encoded number that is told in an action's own units."""


def numbers_told(component: Any) -> list[str]:
    """What a predictor is told of an action, by label, and what `SAID` of a number does to an image at rest, by default options and in the
    action's units; nothing of what is no action, or whose options have no defaults."""
    from iwm_core.interfaces import Action

    if not issubclass(component, Action) or any(default_text(field) == "required" for field in dataclasses.fields(component)):
        return []
    action = component()
    said = ["", f"A predictor is told {', '.join(action.labels)}: about -1 to 1 each, where 0 is no change."]
    if not action.changes_target:
        return [*said, "Sources alone are changed, so it is asked to be undone."]
    if not any(action.units):
        return said
    moved = action.identity.expand(len(action.units), -1).clone()
    moved.diagonal().add_(0.01)
    slopes = action.encode(action.identity.expand_as(moved), moved).diagonal() / 0.01
    means = {
        label: unit.format(float(rest + SAID / slope))
        for label, unit, rest, slope in zip(action.labels, action.units, action.identity, slopes, strict=False)
        if unit and slope
    }
    return [*said, f"With these defaults, {SAID:g} is {', '.join(f'{label} {words}' for label, words in means.items())}."]
