"""What a plugin's distribution says of itself."""

import importlib.metadata
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from iwm_core.plugins.distributions import CORE
from iwm_devkit.versions import bounds, following

LOWER = (">=", ">", "==", "~=", "===")


def check_metadata(distribution: Any) -> str:
    """Check a distribution's version, and that it asks for a core that is installed.

    Returns:
        What it asks for.

    Raises:
        AssertionError: something is missing, or not satisfied.
    """
    installed = importlib.metadata.version(CORE)
    line = f'"{CORE}{bounds(installed)}"'
    told = distribution.metadata or {}
    assert told.get("Name"), "its metadata has no name: set `name` in pyproject.toml and install it again"
    assert told.get("Version"), "its metadata has no version: set `version` in pyproject.toml and install it again"
    texts = distribution.requires or []
    broken = [text for text in texts if read(text) is None]
    assert not broken, f"cannot read the dependency {broken[0]!r}: write it as {line}"
    asked = [r for text in texts if (r := read(text)) and r.name.lower().replace("_", "-") == CORE and applies(r)]
    assert asked, f"does not say that it needs {CORE}: add {line} to `dependencies` in pyproject.toml"
    for requirement in asked:
        asks = requirement.specifier
        assert any(bound.operator in LOWER for bound in asks), (
            f"says no lowest version of {CORE} that it works with: write {line} in `dependencies`"
        )
        assert asks.contains(installed, prereleases=True), (
            f"needs {CORE}{asks}, and {installed} is installed: pip install '{CORE}{asks}', or make it work with this one: {line}"
        )
        later = following(installed)
        assert not asks.contains(later), f"claims to work with {CORE} {later}, whose interfaces may differ: write {line}"
    return ", ".join(str(requirement) for requirement in asked)


def read(text: str) -> Requirement | None:
    """A dependency; None where it is not a valid one."""
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


def applies(requirement: Requirement) -> bool:
    """Whether it is needed here, without extras."""
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})
