"""What can be typed after ``iwm``, as lines of a list's name, a bar and a word: a list is that of a verb, or of what stands before a word.

``@NAME`` in place of a word is all words of another list. ``@files`` is where files may stand, ``@verbs`` where another verb follows,
``@value`` where nobody knows the words, such as a number.
"""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from iwm_core.cli.switches import switches_of
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.runs import Schema
from iwm_core.plugins.kinds import groups, kinds, several
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import find_recipes, ready_made, shared_folders

START = "iwm"
SAFE = re.compile(r"[\w./:=\[\]@+-]+")
"""What needs no quotes in any shell's script."""
FILES = re.compile(r"\b(RUN|FILE|FOLDER|IMAGE)")


def table() -> list[str]:
    """The lines, each once."""
    commands = load_plugins().commands
    lines = [(START, name.split()[0]) for name in commands] + [(START, "--help"), (START, "--version")]
    for command in commands.values():
        lines += of_verb(command, commands)
    for kind in kinds():
        lines += [(f"set:{kind.name}", word) for word in settings(kind.schema())]
    lines += [("kinds", kind) for kind in load_plugins().kinds]
    lines += [(f"components {kind}", name) for kind in load_plugins().kinds for name in load_plugins().entries(kind)]
    return [f"{name}|{word}" for name, word in dict.fromkeys(lines) if SAFE.fullmatch(word)]


def of_verb(command: Command, commands: dict[str, Command]) -> Iterator[tuple[str, str]]:
    """The words of a verb, as its help tells them."""
    name, forms = command.name, [form.removeprefix(command.name).strip() for form in command.forms]
    said = " ".join([*forms, *command.more])
    if " " in name:
        yield name.split()[0], name.split()[1]
    yield name, "--help"
    for switch in switches_of(command).values():
        yield name, switch.name
        known = "@files" if switch.kind is Path else "@kinds" if switch.form.endswith(" KIND") else "@value"
        if switch.kind is not bool:
            yield from ((f"{name} {switch.name}", word) for word in switch.field.metadata.get("choices") or (known,))
    for form in forms:
        first = form.split(" ")[0]
        if re.fullmatch(r"[a-z]+(\|[a-z]+)*", first):
            yield from ((name, word) for word in first.split("|"))
        for section in re.findall(r"\b([a-z]+\.)key=", form):
            yield from ((name, word) for kind in kinds() for word in settings(kind.schema()) if word.startswith(section))
    yield from ((name, f"{key}=") for key in re.findall(r"(?<![\w.])([a-z_]+)=", said) if key not in ("key", "recipe"))
    if "recipe=" in said:
        yield from ((name, f"recipe={recipe}") for recipe in recipes_of(name, said, commands))
    if re.search(r"(?<!\.)key=", said):
        own = [kind.name for kind in kinds() if kind.begun_by.split()[1] == name]
        yield from ((name, f"@set:{kind}") for kind in own or [kind.name for kind in kinds()])
    for mark, sign in ((FILES, "@files"), (re.compile(r"(?<!--kind )\bKIND"), "@kinds"), (re.compile(r"\bVERB"), "@verbs")):
        if any(mark.search(form) for form in forms):
            yield name, sign


def recipes_of(verb: str, said: str, commands: dict[str, Command]) -> list[str]:
    """The recipes that a verb takes: those of a folder that its form names (``tune/NAME``), else those that no other verb's does."""
    pattern = re.compile(r"recipe=([\w/]*)NAME")
    folders = {folder for folder in pattern.findall(said) if folder}
    others = {folder for command in commands.values() for form in command.forms for folder in pattern.findall(form) if folder}
    names = [name for name in find_recipes() if name.startswith(tuple(folders or [""]))]
    return names if folders or verb == "show" else [name for name in names if not name.startswith(tuple(others))]


def settings(schema: Schema) -> Iterator[str]:
    """What can be set of a kind of recipe, each as ``key=``, or ``key=value`` where the values are known."""
    for field in schema.plain_fields():
        yield from values(field.name, field)
    for name, section in schema.sections.items():
        yield from below(name, section)
        yield from (f"{name}={choice}" for choice in ready_made(name))
    for group in schema.groups:
        yield from in_group(group, schema.choices.get(group, {}))
    for folder in sorted(shared_folders() - {*schema.sections} - {*groups()}):
        yield from (f"{folder}={choice}" for choice in ready_made(folder))


def in_group(group: str, choices: dict[str, Any]) -> Iterator[str]:
    """The components of a group, and the options of each."""
    found = load_plugins().entries(groups()[group])
    for name in (*found, *ready_made(group), *choices):
        yield f"{group}=[{name}" if group in several() else f"{group}={name}"
    for name, entry in found.items():
        yield from below(f"{group}.{name}" if group in several() else group, entry.component)


def below(prefix: str, section: Any) -> Iterator[str]:
    """The keys of a dataclass, and of those inside of it."""
    kinds_of = get_type_hints(section)
    for field in dataclasses.fields(section):
        key, inner = f"{prefix}.{field.name}", (kinds_of[field.name], *get_args(kinds_of[field.name]))
        nested = [one for one in inner if dataclasses.is_dataclass(one)]
        yield from (word for one in nested for word in below(key, one)) if nested else values(key, field)


def values(key: str, field: dataclasses.Field[Any]) -> Iterator[str]:
    """An option, with its values where they are known."""
    yield f"{key}="
    if field.type in (bool, "bool"):
        yield from (f"{key}=true", f"{key}=false")
    of_many = str(field.type).startswith("list")
    yield from (f"{key}={'[' * of_many}{choice}" for choice in (field.metadata or {}).get("choices") or ())
