"""What is checked of a verb: its name, its help, its switches, and the function that carries it out."""

import dataclasses
import re
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from iwm_core.cli.switches import KINDS, Switch, declared_by
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.component import check_option
from iwm_devkit.plugin_check.functions import check_arguments

VERB = re.compile(r"[a-z][a-z0-9_-]*( [a-z-][a-z0-9_-]*)?")


def check_command(command: Command) -> str:
    """Check a verb: its name, its help, and that its function is there and takes the words behind it."""
    name = command.name
    assert VERB.fullmatch(name), f"the verb {name!r} must be one or two words of lower-case letters, digits, _ and -"
    assert command.forms, f'the verb {name!r} needs `forms`: {{"{name} RUN": "a few words about it"}}, its lines in `iwm --help`'
    for form, words in command.forms.items():
        assert f"{form} ".startswith(f"{name} "), f"the form {form!r} must begin with the verb, {name!r}"
        assert words.strip(), f"the form {form!r} needs a few words about it, which `iwm --help` shows"
    for line in command.examples:
        assert f"{line} ".startswith(f"iwm {name} "), f"the example {line!r} must be a line to type, which begins with iwm {name}"
    if command.switches is None:
        check_arguments("run", command.run, f"the verb {name!r}", "the list of words behind the verb", 1)
        return command.run
    assert dataclasses.is_dataclass(command.switches), f"the verb {name!r}: its switches, {command.switches!r}, must be a dataclass"
    for field, hint in get_type_hints(command.switches).items():
        check_type(f"the verb {name!r}: its switch --{field.replace('_', '-')}", hint)
    for switch in declared_by(command).values():
        what = f"the verb {name!r}: its switch {switch.name}"
        check_default(what, switch)
        assert switch.field.metadata.get("doc"), f"{what} needs a few words about it: option(…, doc)"
        assert not switch.form.endswith(("None", "()", ">")), f"{what} needs a value to show in help: option(…, value='FILE')"
    words = "the list of words behind the verb, and its switches,"
    check_arguments("run", command.run, f"the verb {name!r}", words, 2)
    return command.run


def check_type(what: str, hint: Any) -> None:
    """Check that a switch's type says how one text is read: it is of one kind, or of several of one, and may be None besides."""
    kind, *others = [part for part in get_args(hint) if part is not NoneType] if isinstance(hint, UnionType) else [hint]
    many, (one, *more) = get_origin(kind), (get_args(kind) or (kind,))
    right = (many, more) in ((None, []), (list, []), (tuple, [...])) and (one in KINDS or (one is bool and not many))
    known = f"bool, {', '.join(known.__name__ for known in KINDS)}, list[…] or tuple[…, ...] of one, or of one of these | None"
    right = right and not others
    assert right, f"{what} is of {hint}; it may be of {known}"


def check_default(what: str, switch: Switch) -> None:
    """Check that a switch's default is what could be typed: of its type, and within its range and choices."""
    if switch.kind is bool:
        off = switch.field.default is False
        assert off, f"{what} is bool, and not False where it is not given: nobody could turn it off; turn its meaning round"
    default = switch.field.default if switch.field.default_factory is dataclasses.MISSING else switch.field.default_factory()
    if default is dataclasses.MISSING or default is None:
        return
    right = isinstance(default, switch.many or ((int, float) if switch.kind is float else switch.kind))
    held = list(default) if switch.many and right else [default]
    right = right and not (switch.many and any(not isinstance(one, switch.kind) for one in held))
    assert right, f"{what} has the default {default!r}, of another type"
    try:
        for one in held:
            check_option("its default", one, switch.field.metadata)
    except ValueError as error:
        raise AssertionError(f"{what}: {error}") from error
