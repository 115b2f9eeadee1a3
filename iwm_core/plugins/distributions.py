"""What is installed: the entry points of the group ``iwm``, whose they are, and whether they go with this version of the core.

Decisions:
- ``IWM_DISABLED_PLUGINS=a,b`` leaves plugins out, by entry-point name or distribution.
- A plugin made for another version of the core is not imported: its interfaces may differ in ways that show only later.
- Nothing is imported here.
"""

import importlib.metadata
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

CORE = "iwm-core"


@dataclass
class Plugin:
    """One entry point of the group ``iwm``."""

    name: str
    distribution: str
    version: str
    module: Any = None
    problem: str | None = None


def mismatch(distribution: Any) -> str:
    """That a plugin asks for other versions of the core than the one installed, with the remedy; empty where it does not."""
    from packaging.requirements import InvalidRequirement, Requirement

    from iwm_core import __version__ as here

    asks = (distribution.requires if distribution else None) or []
    for text in (text for text in asks if re.match(r"iwm[-_.]core\b(?![-_.])", text, re.IGNORECASE)):
        with suppress(InvalidRequirement):
            asked = Requirement(text)
            if (asked.marker is None or asked.marker.evaluate({"extra": ""})) and not asked.specifier.contains(here, prereleases=True):
                name = distribution.metadata["Name"]
                return f"it is made for {CORE}{asked.specifier}, and {here} is installed; `pip install --upgrade {name}`"
    return ""


def disabled() -> set[str]:
    """Names in ``IWM_DISABLED_PLUGINS``."""
    return {name.strip() for name in os.environ.get("IWM_DISABLED_PLUGINS", "").split(",") if name.strip()}


def entry_points() -> list[tuple[Plugin, Any]]:
    """The entry points of this environment, sorted, without those that are left out; nothing is imported."""
    found: dict[tuple[str, str], tuple[Plugin, Any]] = {}
    for point in importlib.metadata.entry_points(group="iwm"):
        told: Any = (point.dist.metadata if point.dist else None) or {}  # which may lack anything
        plugin = Plugin(point.name, told.get("Name") or "unknown", told.get("Version") or "unknown")
        if not {plugin.distribution, plugin.name} & disabled():
            found.setdefault((plugin.distribution, plugin.name), (plugin, point))  # an editable install beside its checkout is seen twice
    return [found[key] for key in sorted(found)]
