"""The switches of verbs (``--name``, ``--name VALUE``, ``--name=VALUE``), read as each verb's dataclass declares them.

Decisions:
- A verb has the switches that it declares: whatever else begins with a dash is refused, with the words to type where they are plain.
- The type of a field says what is typed: ``bool`` has no value, ``list[int]`` is ``3,4,5``, ``tuple[str, ...]`` is given once for each.
"""

import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import check_option
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean

KINDS = {int: "a whole number", float: "a number", str: "a text", Path: "a path"}
"""What a value may be, besides ``bool``."""


class Switch(NamedTuple):
    """A switch: its name and form as typed, its field, the type of a value, and ``list`` or ``tuple`` where it has several."""

    name: str
    form: str
    field: Field[Any]
    kind: type
    many: Any


def switches_of(command: Command) -> dict[str, Switch]:
    """A verb's switches, by their names; none where a plugin's declaration cannot be read, which its verb and its check then say."""
    try:
        return declared_by(command)
    except UserError:
        return {}


def declared_by(command: Command) -> dict[str, Switch]:
    """A verb's switches, by their names; a `UserError` where what declares them is no dataclass, or has a type that is none of a switch."""
    try:
        return {switch.name: switch for switch in read_fields(command.switches)}
    except (TypeError, NameError, AttributeError, StopIteration) as error:
        raise UserError(f"the plugin of iwm {command.name} declares switches that cannot be read ({error}); `iwm plugins check`") from error


def read_fields(declared: Any) -> Iterator[Switch]:
    """The switches that the fields of a dataclass are, where there is one."""
    for field in fields(declared) if declared else ():
        hint: Any = get_type_hints(declared)[field.name]
        kind = next(part for part in get_args(hint) if part is not NoneType) if isinstance(hint, UnionType) else hint
        name, many, told = f"--{field.name.replace('_', '-')}", get_origin(kind), field.metadata
        form = name if kind is bool else f"{name} {told.get('value') or '|'.join(told.get('choices') or ()) or field.default}"
        yield Switch(name, form, field, get_args(kind)[0] if many else kind, many)


def read_switches(command: Command, words: list[str]) -> tuple[list[str], list[Any]]:
    """The words after a verb that are no switches; and its switches, an instance of what declares them, where something does. A `UserError`
    for a switch that the verb does not have, lacks or has twice, for a wrong value, or for more words than it takes."""
    known, left, rest, given = declared_by(command), [*words], list[str](), dict[str, list[str]]()
    while left and not (command.leads and rest):
        name, equals, value = left[0].partition("=")
        if not name.startswith("-"):
            rest.append(left.pop(0))
            continue
        if name not in known:
            raise UserError(strange(command, left))
        word, switch = left.pop(0), known[name]
        if switch.kind is bool and equals:
            raise UserError(f"{name} takes no value, got {word!r}; write {name}")
        if switch.kind is not bool and not equals:
            value = left.pop(0) if left and not left[0].startswith("--") else ""
        if switch.kind is not bool and not value.strip():
            raise UserError(f"{name} needs a value: write {switch.form}")
        if name in given and switch.many is not tuple:
            raise UserError(f"{name} is given twice; give it once")
        given[name] = [*given.get(name, []), value]
    rest += left
    if command.words is not None and len(rest) > command.words:
        below = [name for name in load_plugins().commands if name.startswith(f"{command.name} ")]
        hint = did_you_mean(f"{command.name} {rest[command.words]}", below, "iwm {}")
        raise UserError(f"cannot read {rest[command.words]!r}; {hint}`iwm {command.name} --help` shows how it is used")
    for name in known:
        if name not in given and known[name].field.default is known[name].field.default_factory is MISSING:
            raise UserError(f"say {known[name].form}; `iwm {command.name} --help` shows how it is used")
    values = {known[name].field.name: values_in(known[name], texts) for name, texts in given.items()}
    return rest, [command.switches(**values)] if command.switches else []


def values_in(switch: Switch, texts: list[str]) -> Any:
    """The value of a switch, or its values."""
    found, told = [], switch.field.metadata
    for text in map(str.strip, texts[0].split(",")) if switch.many is list else texts:
        wrong = f"{switch.name} is {KINDS.get(switch.kind)}, got {text[:60]!r}"
        try:
            found.append(Path(text).expanduser() if switch.kind is Path else switch.kind(text))
            wrong = ""
            check_option(switch.name, found[-1], told)
        except (ValueError, RuntimeError) as error:  # of a user who is not there: ~nobody
            hint = did_you_mean(text, told.get("choices") or (), f"{switch.name} {{}}") or f"write {switch.form}"
            raise UserError(f"{wrong or error}; {hint.rstrip()}") from error
    return switch.many(found) if switch.many else switch.kind is bool or found[0]


def strange(command: Command, words: list[str]) -> str:
    """What to say of words of which the first looks like a switch, and is none of the verb's."""
    name, _, value = words[0].partition("=")
    bare, known, said = name.lstrip("-"), [*switches_of(command)], " ".join((*command.forms, *command.more))
    hint = did_you_mean(bare, [one.lstrip("-") for one in (*known, "--help")], "--{}")
    if not hint and "key=value" in said:
        from iwm_core.plugins.advice import advise

        advise("check_words", words)  # loads Hydra
    if not hint and re.search(rf"(?<![\w.]){re.escape(bare)}=", said):
        hint = f"write {bare}={value or [*words[1:], 'VALUE'][0]}; "
    return f"iwm {command.name} has no {name}; {hint}it has {', '.join(known) or 'no switches'}"
