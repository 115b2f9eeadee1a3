"""Finds recipes: YAML files in the folders that plugins bring, and files of one's own.

Decisions:
- What ends with ``.yaml`` is a file wherever it lies; all else is the name of an installed recipe. Nothing is looked for in both.
- A file of one's own may not have an installed recipe's name: runs are told apart by their recipes' names.
- A recipe that two plugins bring is left out and told; the others work. So is a ready-made choice (``size/cpu``), of which Hydra
  would silently take whichever lies first.
- Files are read when they are asked for: one that is not YAML hurts nobody else.
- Of a name, `os.path` tells what is there: a Path raises for one that is too long, or has a user that is not there.
"""

# ruff: noqa: PTH110, PTH111, PTH112, PTH113, PTH114, PTH115

import os
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
    """A recipe by its name, or by the path of a file of one's own.

    Raises:
        UserError: no plugin brings it, or two do; there is no such file.
    """
    recipes = find_recipes()
    if is_file(name):
        return own_file(name)
    if name in recipes:
        return recipes[name]
    if givers := recipe_clashes().get(name):
        raise UserError(clash_text("recipe", name, givers))
    if os.path.isdir(os.path.expanduser(name)):
        raise UserError(f"recipe={name} is a folder; {in_folder(name)}")
    file = next((f"{name}{ending}" for ending in ENDINGS if os.path.isfile(f"{name}{ending}")), None)
    if file or name.startswith((".", "/", "~")):
        raise UserError(f"the name of a recipe's file ends with .yaml: recipe={file or f'{name}.yaml'}")
    raise UserError(f"there is no recipe {name!r}; {did_you_mean(name, recipes, 'recipe={}')}`iwm recipes` lists all")


def is_file(name: str) -> bool:
    """Whether a recipe is given by a file, as its ending tells."""
    return name.lower().endswith(ENDINGS)


def own_file(name: str) -> RecipeFile:
    """The recipe in a file.

    Raises:
        UserError: there is none, or its name cannot be a recipe's.
    """
    path = Path(os.path.expanduser(name))
    if not os.path.isfile(path):
        beside = [file.as_posix() for file in yaml_files(path.parent)]
        near = f"{did_you_mean(path.as_posix(), beside, 'recipe={}')}`iwm recipes` lists installed ones"
        raise UserError(f"recipe={name} {what_instead(path)}; {in_folder(name) if os.path.isdir(path) else near}")
    if path.stem in find_recipes():
        raise UserError(f"recipe={name} has the name of an installed recipe, from which nobody could tell its runs; call it otherwise")
    return RecipeFile(path.stem, path)


def what_instead(path: Path) -> str:
    """What a path is that is no file, in words."""
    if os.path.isdir(path):
        return "is a folder"
    if os.path.exists(path):
        return "is no file of text, but a pipe or a device"
    if os.path.islink(path):
        return f"is a link to {os.readlink(path)}, which is not there"
    return "does not exist, nor does such a user" if path.parts[0].startswith("~") else "does not exist"


def in_folder(name: str) -> str:
    """What to name in the place of a folder, which may be a run's."""
    files = yaml_files(Path(os.path.expanduser(name)))
    return f"name a file in it, such as recipe={files[0]}" if files else "name a recipe's file; this has none"


def yaml_files(folder: Path) -> list[Path]:
    """The files that may be recipes in a folder, if it is one."""
    return sorted(file for file in folder.glob("*") if is_file(file.name) and file.is_file()) if os.path.isdir(folder) else []


def recipe_clashes() -> dict[str, list[Plugin]]:
    """The plugins that bring a recipe, or a ready-made choice, of one name, by that name."""
    return {name: [file.plugin for file in files if file.plugin] for name, files in files_by_name().items() if len(files) > 1}


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


def shared_folders() -> set[str]:
    """The folders of ready-made choices in recipe dirs, such as ``size``."""
    return {path.name for folder, _ in load_plugins().recipe_dirs() for path in folder.iterdir() if path.is_dir()}
