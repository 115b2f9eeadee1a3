"""A recipe and the recipes that it changes, as one list of choices and settings.

Decisions:
- Among a recipe's defaults, the name of another recipe, or of a file, from where the recipe lies, stands for all that this one chooses and
  sets. A choice that is made again replaces the first in its place, as on the command line; settings of the recipe win over those before.
- Hydra asks for ``override predictor: none`` there, and takes a recipe in a folder for one of a package; so it is given the list, made.
- A recipe may be a stranger's: it is data, and reads nothing of the machine where it is composed.
- What ``iwm show`` prints, and a run's config.yaml, are recipes: the components' names in them are choices.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import RunKind
from iwm_core.plugins.kinds import kind_of, kinds, of, several, single
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import ENDINGS, RecipeFile, find_recipe, find_recipes, is_shared
from iwm_core.recipe.shapes import NAME

SELF, LARGEST = "_self_", 1_000_000  # bytes of a recipe's file
RESOLVED = re.compile(r"\$\{[\w.]+:[^}\s]{0,40}")  # an interpolation that asks a resolver, such as ${oc.env:HOME}
FROZEN = ("checksum", "format", "recipe", "run")  # what a run's config tells of that run


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
        notes: for the user.
    """

    begun_with: RunKind | None = None
    parts: list[Choice | Settings] = field(default_factory=list[Choice | Settings])
    replaced: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    notes: list[str] = field(default_factory=list[str])

    @property
    def kind(self) -> RunKind:
        """Of the runs that the recipe makes."""
        assert self.begun_with is not None, "`lineage_of` has seen to it"
        return self.begun_with

    def choose(self, choice: Choice, own: set[str]) -> None:
        """Add a choice; one of another file for the same group is replaced."""
        for place, part in enumerate(self.parts):
            if isinstance(part, Choice) and part.group == choice.group and part.path != choice.path:
                self.parts[place] = choice
                self.replaced[choice.group] = own
                return
        self.parts.append(choice)

    def include(self, path: Path, above: tuple[Path, ...] = ()) -> None:
        """Add a recipe, after those that it names.

        Raises:
            UserError: it cannot be read, includes itself, or names what is not there.
        """
        if path.resolve() in above:
            raise UserError(f"{above[0]} includes itself: {path} is named by the defaults of {above[-1]}, which it includes")
        content = recipe_in(path)
        defaults = content.pop("defaults", None) or []
        if not isinstance(defaults, list):
            raise UserError(f"the defaults of {path} are no list: write defaults: [quickstart, {SELF}], or one entry a line after -")
        if SELF not in defaults:
            self.notes.append(f"end the defaults of {path} with `- {SELF}`: it says that its own settings win, as now")
        own = set(dotted(content))
        for entry in [*defaults, *([] if SELF in defaults else [SELF])]:
            if entry == SELF:
                self.parts.append(Settings(path, content))
            elif isinstance(entry, dict) and len(entry) == 1:
                ((group, value),) = entry.items()
                self.choose(Choice(str(group).removeprefix("override ").removeprefix("/"), value, path), own)
            elif not isinstance(entry, str):
                raise UserError(f"the defaults of {path} hold {entry!r}; write a recipe's name, or GROUP: NAME")
            elif kind := next((kind for kind in kinds() if kind.schema().base == entry), None):
                if self.begun_with not in (None, kind):
                    raise UserError(f"{path} is made of recipes of two kinds, {self.kind.name} and {kind.name}; name those of one")
                self.begun_with = kind
            elif is_shared(entry):
                group, _, name = entry.rpartition("/")
                self.choose(Choice(group, name, path), own)
            else:
                self.include(named(entry, path), (*above, path.resolve()))
        for keys in self.replaced.values():
            keys |= own


def lineage_of(file: RecipeFile) -> Lineage:
    """What a recipe is composed of.

    Raises:
        UserError: it cannot be read, or does not say what it begins with.
    """
    if file.plugin is None and not NAME.fullmatch(file.name):
        rule = "letters, digits, _, - and ., at most 100, not beginning with - or ."
        raise UserError(f"runs take the name of their recipe, and {file.name[:60]!r} is not a name; call the file by {rule}")
    found = Lineage()
    found.include(file.path)
    if found.begun_with is None:
        bases = " or ".join(kind.schema().base for kind in kinds())
        begin = f"begin it with a line defaults: [quickstart, {SELF}], where quickstart is the recipe that it changes, or with {bases}"
        raise UserError(f"{file.path} does not say what it changes: {begin}; `iwm recipes` lists all")
    return found


def named(name: str, path: Path) -> Path:
    """The file of a recipe that the defaults of a file name; a `UserError` where there is none."""
    beside = path.parent / (name if name.endswith(ENDINGS) else f"{name}.yaml")
    if not name.endswith(ENDINGS) and name in find_recipes():
        return find_recipe(name).path
    if beside.is_file():
        return beside
    files = [file.name if name.endswith(ENDINGS) else file.stem for file in path.parent.glob("*.yaml")]
    known = [*(kind.schema().base for kind in kinds()), *files, *find_recipes()]
    hint = did_you_mean(name, known) or "`iwm recipes` lists installed ones; a file is named from where this one lies, as other.yaml"
    raise UserError(f"there is no {name!r}, which the defaults of {path} name; {hint.rstrip()}")


def recipe_in(path: Path) -> dict[str, Any]:
    """The content of a recipe's file; a `UserError` where it is not YAML, or no recipe."""
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} has more than {LARGEST / 1e6:g} MB, which no recipe has; name a recipe's file")
        text = path.read_text(encoding="utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):  # a few can stand for billions of values
            raise UserError(f"{path} repeats values by aliases (*name), which a recipe may not; write them where they are used")
        held = yaml.safe_load(text)
        if reads := RESOLVED.search(text):
            raise UserError(f"{path} holds {reads[0]}…}}, which would read this machine; write the value itself")
        content: Any = OmegaConf.to_container(OmegaConf.create(text)) if isinstance(held, dict) else held
    except RecursionError as error:
        raise UserError(f"{path} is nested too deeply for a recipe") from error
    except (yaml.YAMLError, ValueError, OmegaConfBaseException) as error:
        raise UserError(f"{path} is not valid YAML in UTF-8: {' '.join(str(error).split())[:200]}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not isinstance(content, dict):
        what = "is empty" if content is None else f"holds a {'list' if isinstance(content, list) else 'text'}"
        raise UserError(f"{path} {what}, and a recipe is keys with values; begin it with a line defaults: [quickstart, {SELF}]")
    return as_choices(content) if "kind" in content and "defaults" not in content else content


def as_choices(config: dict[str, Any]) -> dict[str, Any]:
    """A composed config as a recipe: what it names is chosen, and its options are set."""
    schema = kind_of(config).schema()
    defaults: list[Any] = [schema.base]
    settings = {key: value for key, value in config.items() if key not in (*FROZEN, "kind")}
    for group in [group for group in of(schema, single()) if isinstance(settings.get(group), dict)]:
        left_open = next((name for name, node in schema.choices.get(group, {}).items() if node.get("name") == "???"), "???")
        name = settings[group].pop("name", None)
        defaults.append({group: left_open if name == "???" else name})
    for group in [group for group in of(schema, several()) if isinstance(settings.get(group), dict)]:
        nodes = settings[group]
        if all(isinstance(node, dict) and node.get("name") == key for key, node in nodes.items()):  # else the order would be another
            settings[group] = {key: {option: value for option, value in node.items() if option != "name"} for key, node in nodes.items()}
            defaults.append({group: list(nodes)})
    return {"defaults": [*defaults, SELF], **settings}


def dotted(config: Mapping[Any, Any], prefix: str = "") -> list[str]:
    """All keys of nested settings, as ``train.lr.peak``."""
    keys = []
    for key, value in config.items():
        keys += [f"{prefix}{key}", *(dotted(value, f"{prefix}{key}.") if isinstance(value, Mapping) else ())]
    return keys
