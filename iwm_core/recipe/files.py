"""Finds recipes: YAML files in the folders that plugins (and the core, through the same hook) bring.

Decisions:
- A recipe that two plugins bring is left out and told; the others work. So is a ready-made choice (``size/cpu``), of which Hydra
  would silently take whichever lies first.
- Files are read when they are asked for: one that is not YAML hurts nobody else.
"""

from dataclasses import dataclass
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.distributions import Plugin
from iwm_core.plugins.faults import clash_text
from iwm_core.plugins.kinds import groups, kinds
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.problems import strict

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
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            if not line.startswith("#"):
                break
            lines.append(line.lstrip("# ").rstrip())
        return lines


def find_recipes() -> dict[str, RecipeFile]:
    """All recipes of all plugins by name; those that clash are left out."""
    return {name: files[0] for name, files in files_by_name().items() if len(files) == 1 and not is_shared(name)}


def find_recipe(name: str) -> RecipeFile:
    """A recipe by its name.

    Raises:
        UserError: no plugin brings it, or two do.
    """
    recipes = find_recipes()
    if name in recipes:
        return recipes[name]
    if name.endswith((".yaml", ".yml")) or name.startswith((".", "/", "~")):
        raise UserError(
            f"recipe={name} is a file, and recipes are taken by their names in installed plugins, not from files yet: choose one of "
            "`iwm recipes` and give your settings as key=value, or put the file into a plugin's folder of recipes"
        )
    if givers := recipe_clashes().get(name):
        raise UserError(clash_text("recipe", name, givers))
    raise UserError(f"there is no recipe {name!r}; {did_you_mean(name, recipes, 'recipe={}')}`iwm recipes` lists all")


def recipe_clashes() -> dict[str, list[Plugin]]:
    """The plugins that bring a recipe, or a ready-made choice, of one name, by that name."""
    return {name: [file.plugin for file in files] for name, files in files_by_name().items() if len(files) > 1}


def recipe_problems() -> list[str]:
    """One line for each clash.

    Raises:
        UserError: there is one, and IWM_STRICT_PLUGINS is 1.
    """
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


def refuse_hiding(folders: list[Path]) -> None:
    """Refuse files that Hydra would take in the place of what recipes are built on: a kind's base, a component."""
    built_on = [kind.schema().base for kind in kinds()]
    built_on += [f"{group}/{name}" for group, kind in groups().items() for name in load_plugins().entries(kind)]
    for file in (folder / f"{name}.yaml" for folder in folders for name in built_on):
        if file.is_file():
            raise UserError(f"{file} hides {file.stem!r}, which recipes are built on; give the file another name")


def is_shared(name: str) -> bool:
    """Whether a file holds settings that recipes share."""
    return bool(set(Path(name).parts[:-1]) & (SHARED | set(groups())))
