"""Why there is no recipe of a name, or no file where one should be, and what to write instead."""

# ruff: noqa: PTH110, PTH111, PTH112, PTH113, PTH114, PTH115 - a Path raises for a name that is too long

import os
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import ENDINGS, find_recipes, is_file


def explain_name(name: str) -> None:
    """Say why there is no recipe of a name."""
    if os.path.isdir(os.path.expanduser(name)):
        raise UserError(f"recipe={name} is a folder; {in_folder(name)}")
    file = next((f"{name}{ending}" for ending in ENDINGS if os.path.isfile(f"{name}{ending}")), None)
    if file or name.startswith((".", "/", "~")):
        raise UserError(f"the name of a recipe's file ends with .yaml: recipe={file or f'{name}.yaml'}")
    raise UserError(f"there is no recipe {name!r}; {did_you_mean(name, find_recipes(), 'recipe={}')}`iwm recipes` lists all")


def explain_file(name: str) -> None:
    """Say what lies where the file of a recipe should be."""
    path = Path(os.path.expanduser(name))
    beside = [file.as_posix() for file in yaml_files(path.parent)]
    near = f"{did_you_mean(path.as_posix(), beside, 'recipe={}')}`iwm recipes` lists installed ones"
    raise UserError(f"recipe={name} {what_instead(path)}; {in_folder(name) if os.path.isdir(path) else near}")


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
