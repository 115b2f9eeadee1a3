"""Reads the files that recipes are made of: YAML that is data alone, or one line that names the file, and the line in it.

Decisions:
- A recipe may be a stranger's: it reads nothing of the machine where it is composed, and is small.
- A value means here what it means on the command line: ``010``, which YAML 1.1 reads as 8 and Hydra as 10, is refused, as are ``1:30``,
  ``0x10`` and ``yes``.
- What ``iwm show`` prints, and a run's config.yaml, are recipes: the components' names in them are choices.
- A ready-made choice, such as ``data/cifar10.yaml``, stands for a component with some of its options.
"""

import re
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import kind_of, of, several, single
from iwm_core.plugins.recipe_files import ready_made

SELF, LARGEST, DEEPEST = "_self_", 1_000_000, 100  # bytes of a file, levels of mappings and lists, and of files that name files
RESOLVED = re.compile(r"\$\{[\w.]+:[^}\s]{0,40}")  # an interpolation that asks a resolver, such as ${oc.env:HOME}
PACKAGE = re.compile(r"^#\s*@package\s+(\S+)", re.MULTILINE)
SAME = re.compile(r"[-+]?(0|[1-9](_?[0-9])*)|true|false", re.IGNORECASE)  # whole numbers and truth values of Hydra's grammar as well
FROZEN = ("checksum", "format", "recipe", "run")  # what a run's config tells of that run


class Strict(yaml.SafeLoader):
    """As OmegaConf reads, ``1e-3`` is a number and a date a text; what no recipe needs, or a command line reads otherwise, is refused."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {  # pyright: ignore[reportIncompatibleVariableOverride]
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(text)
        self.path, self.depth = path, 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """A value, refused before what is in it is looked at."""
        event = self.peek_event()
        where = f"{self.path}, line {event.start_mark.line + 1}:"
        if isinstance(event, yaml.AliasEvent):  # a few can stand for billions of values
            raise UserError(f"{self.path} repeats values by aliases (*name), which a recipe may not; write them where they are used")
        if isinstance(event, yaml.ScalarEvent) and event.tag is None and event.implicit[0]:
            kind = yaml.resolver.Resolver().resolve(yaml.ScalarNode, event.value, (True, False)).rpartition(":")[2]
            if (kind in ("int", "bool") and not SAME.fullmatch(event.value)) or (kind == "float" and ":" in event.value):
                read = str(yaml.safe_load(event.value)).lower()
                raise UserError(
                    f"{where} YAML reads {event.value[:60]} as {read[:60]}; write {read[:60]}, or quote it: '{event.value[:60]}'"
                )
        self.depth += isinstance(event, yaml.CollectionStartEvent)
        if self.depth > DEEPEST:
            raise UserError(f"{where} it is nested too deeply for a recipe, over {DEEPEST} levels; write it flatter")
        node = super().compose_node(parent, index)
        self.depth -= isinstance(event, yaml.CollectionStartEvent)
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        """A mapping, each of whose keys stands once."""
        for place, (key, _) in enumerate(node.value):
            if any(other.value == key.value and other.tag == key.tag for other, _ in node.value[:place]):
                raise yaml.constructor.ConstructorError(None, None, f"found duplicate key {key.value}", key.start_mark)
        return super().construct_mapping(node, deep)


Strict.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))\Z"
        r"|\.(?:[0-9][0-9_]*(?:[eE][-+][0-9]+)?|nan|NaN|NAN)\Z"
    ),
    list("-+0123456789."),
)


def recipe_in(path: Path) -> dict[str, Any]:
    """The content of a recipe's file; a `UserError` where it is not YAML, or no recipe."""
    try:
        if path.stat().st_size > LARGEST:
            raise UserError(f"{path} has more than {LARGEST / 1e6:g} MB, which no recipe has; name a recipe's file")
        content = deepcopy(values_of(path, path.read_text(encoding="utf-8-sig")))
    except (yaml.YAMLError, ValueError, OmegaConfBaseException) as error:
        hint = "; quote it: '???'" if "found '?'" in str(error) else ""
        why = " ".join(str(error).replace('in "<unicode string>", ', "at ").split())
        raise UserError(f"{path} is not valid YAML in UTF-8: {why[:200]}{hint}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if not isinstance(content, dict):
        what = "is empty" if content is None else f"holds a {'list' if isinstance(content, list) else 'single value'}"
        raise UserError(f"{path} {what}, and a recipe is keys with values; begin it with a line defaults: [quickstart, {SELF}]")
    return as_choices(content) if "kind" in content and "defaults" not in content else content


@lru_cache(maxsize=200)  # composing asks several times for each file
def values_of(path: Path, text: str) -> Any:
    """What a recipe's text says; an error where it is not YAML, or reads otherwise than it looks."""
    content = Strict(path, text).get_single_data()
    check_keys(path, content)
    if reads := RESOLVED.search(text):
        raise UserError(f"{path} holds {reads[0]}…}}, which would read this machine; write the value itself")
    return OmegaConf.to_container(OmegaConf.create(content)) if isinstance(content, dict) else content


def check_keys(path: Path, held: Any) -> None:
    """Check that all keys are texts, as OmegaConf's paths are; a `UserError` where not."""
    if isinstance(held, dict) and (odd := [key for key in held if not isinstance(key, str)]):
        key = "null" if odd[0] is None else str(odd[0]).lower()[:60]
        raise UserError(f"{path} has the key {key}, and a recipe's keys are names; name it, or quote it: '{key}'")
    for one in held.values() if isinstance(held, dict) else held if isinstance(held, list) else ():
        check_keys(path, one)


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


def stands_for(group: str, name: str, left: int = DEEPEST) -> str:
    """The component that a choice of a group stands for; one that includes itself is told where it is composed."""
    content = recipe_in(file) if (file := ready_made(group).get(name)) else {}
    below = [entry for entry in content.get("defaults") or [] if isinstance(entry, str) and entry not in (name, SELF)]
    return stands_for(group, below[0], left - 1) if below and left else str(content.get("name", name))


def settings_of(group: str, name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a ready-made choice sets besides its component, as a recipe would; nothing where it is none. ``above``: who includes it.

    Nor where it sets what is not of its group (``# @package _global_``), as ``size`` does: recipes are made upon that.

    Raises:
        UserError: its file is not YAML, its defaults are no list, or it includes itself.
    """
    file = ready_made(group).get(name)
    if file is None:
        return {}
    if name in above or len(above) == DEEPEST:
        raise UserError(f"{file} includes itself, or over {DEEPEST} files, by its defaults: {' → '.join((*above, name)[:9])}")
    content = recipe_in(file)
    package = PACKAGE.search(file.read_text(encoding="utf-8-sig"))
    if package and package[1] == "_global_":
        return {}
    if not isinstance(defaults := content.pop("defaults", None) or [], list):
        raise UserError(f"{file}: its defaults must be a list, such as [{SELF}]")
    below = [str(entry) for entry in defaults if entry not in (name, SELF)]
    content.pop("name", None)
    for key in reversed((package[1] if package else group).split(".")):
        content = {key: content} if content else {}
    merged = OmegaConf.merge(*(settings_of(group, one, (*above, name)) for one in below), content)
    return OmegaConf.to_container(merged)  # pyright: ignore[reportReturnType]
