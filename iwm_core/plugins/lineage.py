"""A recipe and the recipes that it changes, as one list of choices and settings.

Decisions:
- Among a recipe's defaults, the name of another recipe, or of a file, from where the recipe lies, stands for all that this one chooses and
  sets. A choice that is made again replaces the first in its place, as on the command line; settings of the recipe win over those before.
- Hydra asks for ``override predictor: none`` there, and takes a recipe in a folder for one of a package; so it is given the list, made.
- What a choice sets itself, such as the path of ``data: cifar10``, wins over the recipes before it, as they chose something else.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import RunKind
from iwm_core.plugins.kinds import groups, kinds, several
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import SHARED, RecipeFile, find_recipes, is_file, is_shared, ready_made, shared_folders
from iwm_core.plugins.recipe_text import DEEPEST, PACKAGE, SELF, recipe_in, settings_of


class Choice(NamedTuple):
    """One entry of defaults, such as ``size: cpu``, and the file that has it."""

    group: str
    value: Any
    path: Path


class Settings(NamedTuple):
    """What a recipe sets itself."""

    path: Path
    content: dict[str, Any]


@dataclass
class Lineage:
    """What a recipe is composed of, in the order in which it counts.

    Attributes:
        begun_with: the kind whose base its defaults begin with.
        replaced: by group whose components were chosen anew, the dotted keys that are set from there on.
        chosen: by group, the last choice.
        notes: for the user.
        included: the files.
    """

    begun_with: RunKind | None = None
    parts: list[Choice | Settings] = field(default_factory=list[Choice | Settings])
    replaced: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    chosen: dict[str, Any] = field(default_factory=dict[str, Any])
    notes: list[str] = field(default_factory=list[str])
    included: set[Path] = field(default_factory=set[Path])

    @property
    def kind(self) -> RunKind:
        """Of the runs that the recipe makes."""
        assert self.begun_with is not None, "`lineage_of` has seen to it"
        return self.begun_with

    def choose(self, choice: Choice, own: set[str]) -> None:
        """Add a choice; one of a recipe before, for the same group, is replaced."""
        self.chosen[choice.group] = choice.value
        for place, part in enumerate(self.parts):
            if isinstance(part, Choice) and part.group == choice.group:
                self.parts[place] = choice
                self.replaced[choice.group] = own
                self.set_by(choice.group, choice.value)
                return
        self.parts.append(choice)

    def set_by(self, group: str, value: Any) -> None:
        """Add what a choice sets itself, over the recipes so far."""
        self.chosen[group] = value
        for name in value if isinstance(value, list) else [value]:
            if settings := settings_of(group, str(name)):
                self.parts.append(Settings(ready_made(group)[str(name)], settings))

    def include(self, path: Path, above: tuple[Path, ...] = ()) -> None:
        """Add a recipe, after those that it names; a `UserError` where it cannot be read, includes itself, or names what is not there."""
        if path.resolve() in above:
            raise UserError(f"{above[0]} includes itself: {path} is named by the defaults of {above[-1]}, which it includes")
        if len(above) == DEEPEST:
            raise UserError(f"{above[0]} is made of more than {DEEPEST} recipes, each of which changes the next; write fewer files")
        if path.resolve() in self.included:  # two recipes that it names change the same one
            return
        self.included.add(path.resolve())
        content = recipe_in(path)
        if package := PACKAGE.search(path.read_text(encoding="utf-8-sig")):
            raise UserError(f"{path} has a line {package[0][:60]!r}, which is for ready-made choices alone; remove it")
        entries = entries_of(content.pop("defaults", None) or [], path)
        if SELF not in entries:
            self.notes.append(f"end the defaults of {path} with `- {SELF}`: it says that its own settings win, as now")
        own = set(dotted(content))
        for entry in [*entries, *([] if SELF in entries else [SELF])]:
            if entry == SELF:
                self.parts.append(Settings(path, content))
            elif isinstance(entry, Choice):
                self.choose(entry, own)
            elif kind := next((kind for kind in kinds() if kind.schema().base == entry), None):
                if self.begun_with not in (None, kind):
                    raise UserError(f"{path} is made of recipes of two kinds, {self.kind.name} and {kind.name}; name those of one")
                self.begun_with = kind
            else:
                self.include(named(entry, path), (*above, path.resolve()))
        for keys in self.replaced.values():
            keys |= own


def lineage_of(file: RecipeFile) -> Lineage:
    """What a recipe is composed of; a `UserError` where it cannot be read, or does not say what it begins with."""
    found = Lineage()
    found.include(file.path)
    if found.begun_with is None:
        bases = " or ".join(kind.schema().base for kind in kinds())
        begin = f"begin it with a line defaults: [quickstart, {SELF}], where quickstart is the recipe that it changes, or with {bases}"
        raise UserError(f"{file.path} does not say what it changes: {begin}; `iwm recipes` lists all")
    return found


def entries_of(defaults: Any, path: Path) -> list[str | Choice]:
    """The entries of a file's defaults: recipes by their names, and choices; a `UserError` where they are no such list, or hold something
    twice."""
    if not isinstance(defaults, list):
        raise UserError(f"the defaults of {path} are no list: write defaults: [quickstart, {SELF}], or one entry a line after -")
    entries = list[str | Choice]()
    for entry in defaults:
        if isinstance(entry, str) and is_shared(entry) and not is_file(entry):  # size/cpu
            group, _, name = entry.rpartition("/")
            entries.append(choice_of(group, name, path))
        elif isinstance(entry, dict) and len(entry) == 1:
            ((group, value),) = entry.items()
            entries.append(choice_of(group, value, path))
        elif isinstance(entry, str):
            entries.append(entry)
        else:
            raise UserError(f"the defaults of {path} hold {str(entry)[:60]}; write a recipe's name, or GROUP: NAME")
    said = [f"{entry.group}:" if isinstance(entry, Choice) else entry for entry in entries]
    if twice := next((one for one in said if said.count(one) > 1), None):
        raise UserError(f"the defaults of {path} have {twice[:60]!r} twice; write it once")
    return entries


def choice_of(key: Any, value: Any, path: Path) -> Choice:
    """The choice that an entry ``GROUP: NAME`` of a file's defaults makes; a `UserError` where it makes none."""
    group, known = str(key).removeprefix("override ").removeprefix("/"), sorted({*groups(), *SHARED})
    where = f"the defaults of {path} have {str(key)[:60]}: {str(value)[:60]}"
    if group not in known and group not in shared_folders():
        raise UserError(f"{where}, and there is no group {group[:60]!r}; {did_you_mean(group, known)}groups: {', '.join(known)}")
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and name != "???" for name in names) or (isinstance(value, list) and group not in several()):
        raise UserError(f"{where}; write {group}: {'[NAME, NAME]' if group in several() else 'NAME'}")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f"{where}, which names {twice[:60]} twice; name it once")
    return Choice(group, value, path)


def named(name: str, path: Path) -> Path:
    """The file of a recipe that the defaults of a file name; a `UserError` where there is none."""
    beside = path.parent / (name if is_file(name) else f"{name}.yaml")
    if not is_file(name) and (found := find_recipes().get(name)):
        return found.path
    if os.path.isfile(beside):  # noqa: PTH113 - a Path raises for a name that is too long
        return beside
    files = [file.name if is_file(name) else file.stem for file in path.parent.glob("*.yaml")]
    known = [*(kind.schema().base for kind in kinds()), *files, *find_recipes()]
    hint = did_you_mean(name, known) or "`iwm recipes` lists installed ones; a file is named from where this one lies, as other.yaml"
    raise UserError(f"there is no {name[:60]!r}, which the defaults of {path} name; {hint.rstrip()}")


def dotted(config: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """All keys of nested settings, as ``train.lr.peak``, with their values."""
    found = dict[str, Any]()
    for key, value in config.items():
        found |= {f"{prefix}{key}": value} | (dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {})
    return found
