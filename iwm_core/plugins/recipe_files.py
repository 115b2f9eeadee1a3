"""Finds recipes: YAML files in the folders that plugins bring, and files of one's own.

Decisions:
- What ends with ``.yaml`` is a file wherever it lies; all else is the name of an installed recipe. Nothing is looked for in both.
- A file of one's own may not have an installed recipe's name: runs are told apart by their recipes' names.
- A recipe that two plugins bring is left out and told; the others work. So is a ready-made choice (``size/cpu``), of which Hydra
  would silently take whichever lies first.
- Files are read when they are asked for: one that is not YAML hurts nobody else.
- Of a name, `os.path` tells what is there: a Path raises for one that is too long, or has a user that is not there.
"""

# ruff: noqa: PTH111, PTH113

import os
from dataclasses import dataclass
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.advice import advise
from iwm_core.plugins.distributions import Plugin
from iwm_core.plugins.faults import clash_text, strict
from iwm_core.plugins.kinds import groups
from iwm_core.plugins.loader import load_plugins

SHARED = {"budget", "launch", "size"}
"""Folders that hold settings which recipes share, not recipes; so do those of component groups."""

ENDINGS = (".yaml", ".yml")
"""Of recipes' files."""


@dataclass(frozen=True)
class RecipeFile:
    """A recipe on disk; of a plugin, or of one's own."""

    name: str
    path: Path
    plugin: Plugin | None = None

    @property
    def header(self) -> list[str]:
        """The comment lines at its top: what it is, cost, expected result, command."""
        lines = []
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            if not line.startswith("#"):
                break
            lines.append(line.lstrip("# ").rstrip())
        return lines


def find_recipes() -> dict[str, RecipeFile]:
    """All recipes of all plugins by name; those that clash are left out."""
    return {name: files[0] for name, files in files_by_name().items() if len(files) == 1 and not is_shared(name)}


def find_recipe(name: str) -> RecipeFile:
    """A recipe by its name, or by the path of a file of one's own; a `UserError` where no plugin brings it, two do, or there is no such
    file."""
    recipes = find_recipes()
    if is_file(name):
        return own_file(name)
    if name in recipes:
        return recipes[name]
    if givers := recipe_clashes().get(name):
        raise UserError(clash_text("recipe", name, givers))
    advise("explain_name", name)
    raise UserError(f"there is no recipe {name!r}")


def is_file(name: str) -> bool:
    """Whether a recipe is given by a file, as its ending tells."""
    return name.lower().endswith(ENDINGS)


def own_file(name: str) -> RecipeFile:
    """The recipe in a file; a `UserError` where there is none, or its name cannot be a recipe's."""
    path = Path(os.path.expanduser(name))
    if not os.path.isfile(path):
        advise("explain_file", name)
        raise UserError(f"recipe={name} is no file")
    if path.stem in find_recipes():
        raise UserError(f"recipe={name} has the name of an installed recipe, from which nobody could tell its runs; call it otherwise")
    return RecipeFile(path.stem, path)


def recipe_clashes() -> dict[str, list[Plugin]]:
    """The plugins that bring a recipe, or a ready-made choice, of one name, by that name."""
    return {name: [file.plugin for file in files if file.plugin] for name, files in files_by_name().items() if len(files) > 1}


def recipe_problems() -> list[str]:
    """One line for each clash; a `UserError` where there is one, and IWM_STRICT_PLUGINS is 1."""
    texts = [clash_text("ready-made choice" if is_shared(name) else "recipe", name, givers) for name, givers in recipe_clashes().items()]
    for text in texts:
        strict(text)
    return texts


def files_by_name() -> dict[str, list[RecipeFile]]:
    """Every file in recipe dirs, by its path below the dir without ``.yaml``."""
    found: dict[str, list[RecipeFile]] = {}
    for folder, plugin in load_plugins().recipe_dirs():
        for path in sorted(folder.rglob("*.yaml")):
            if path.is_file():
                name = path.relative_to(folder).with_suffix("").as_posix()
                found.setdefault(name, []).append(RecipeFile(name, path, plugin))
    return found


def ready_made(group: str) -> dict[str, Path]:
    """The files of settings that recipe dirs hold for a section, or a group of components, by the names that choose them."""
    return {
        path.stem: path for folder, _ in load_plugins().recipe_dirs() for path in sorted((folder / group).glob("*.yaml")) if path.is_file()
    }


def is_shared(name: str) -> bool:
    """Whether a file holds settings that recipes share."""
    return bool(set(Path(name).parts[:-1]) & (SHARED | set(groups())))


def shared_folders() -> set[str]:
    """The folders of ready-made choices in recipe dirs, such as ``size``."""
    return {path.name for folder, _ in load_plugins().recipe_dirs() for path in folder.iterdir() if path.is_dir()}
