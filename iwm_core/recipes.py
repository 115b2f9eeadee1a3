"""Finds recipes: YAML files in the folders that plugins (and the core, through the same hook) bring."""

from dataclasses import dataclass
from pathlib import Path

from iwm_core.errors import UserError
from iwm_core.plugins import Plugin, load_plugins
from iwm_core.schema import GROUPS

SHARED = {"budget", "launch", "size"}
"""Folders that hold settings which recipes share, not recipes; so do those of component groups."""


@dataclass(frozen=True)
class RecipeFile:
    """A recipe on disk."""

    name: str
    path: Path
    plugin: Plugin

    @property
    def header(self) -> list[str]:
        """The comment lines at its top: what it is, cost, expected result, command."""
        lines = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                break
            lines.append(line.lstrip("# ").rstrip())
        return lines


def find_recipes() -> dict[str, RecipeFile]:
    """All recipes of all plugins by name.

    Raises:
        UserError: two plugins bring a recipe of one name.
    """
    found: dict[str, RecipeFile] = {}
    for folder, plugin in load_plugins().recipe_dirs():
        for path in sorted(folder.rglob("*.yaml")):
            name = path.relative_to(folder).with_suffix("").as_posix()
            if set(Path(name).parts[:-1]) & (SHARED | set(GROUPS)):
                continue
            if name in found:
                raise UserError(
                    f"the recipe {name!r} is given by both {found[name].plugin.distribution} and {plugin.distribution}; uninstall one"
                )
            found[name] = RecipeFile(name, path, plugin)
    return found
