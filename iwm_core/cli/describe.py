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
