"""What ``iwm --help`` and ``iwm VERB --help`` print: of each verb its forms, its switches, what else one should know, and lines to try."""

import re
from collections.abc import Iterable

from iwm_core.cli.switches import switches_of
from iwm_core.interfaces.commands import Command
from iwm_core.process.tables import FIXED, folded, width

COLUMN, WIDE = 41, 100
"""Where the words about a form begin, in lines of so many signs."""
ON = " \\"
"""What tells a shell that a line goes on."""


def overview(commands: Iterable[Command]) -> str:
    """What ``iwm --help`` prints."""
    forms = "\n".join(line for command in commands for line in lines_of(command.forms, "iwm "))
    return (
        f"iwm: image world models\n\n{forms}\n\n"
        "start with:  iwm train recipe=quickstart\nmore about a verb, with examples:  iwm VERB --help"
    )


def about(commands: Iterable[Command]) -> str:
    """What ``iwm VERB --help`` prints: of the verb, and of those that begin with its words."""
    listed = list(commands)
    forms = [line for command in listed for line in lines_of(command.forms, "iwm ")]
    switches = lines_of({one.form: one.field.metadata.get("doc", "") for command in listed for one in switches_of(command).values()})
    more = [line for command in listed for text in command.more for line in folded(text, width(), 2)]
    examples = [line for command in listed for text in command.examples for line in typed(text)]
    parts = (forms, switches, more, ["examples:", *examples] if examples else [])
    return "\n\n".join("\n".join(part) for part in parts if part)


def lines_of(forms: dict[str, str], begin: str = "") -> list[str]:
    """What can be typed, the words about it in a column where there is room, else below."""
    lines, place = [], COLUMN + 2 if width() >= WIDE else 6
    for form, words in forms.items():
        form, said = folded(f"  {begin}{form}", width(), 6), [f"{'':{place}}{line}" for line in folded(words, width() - place) or [""]]
        beside = len(form) == 1 and len(form[0]) <= place - 2
        lines += [f"{form[0]:{place}}{said[0].lstrip()}", *said[1:]] if beside else [*form, *said]
    return lines


def typed(line: str) -> list[str]:
    """A command line, over several lines as a shell takes it where it is too long for one."""
    whole = re.sub(r"""(["'])(.*?)\1""", lambda quoted: quoted[0].replace(" ", FIXED), line)
    parts = folded(whole, width() - 2 * len(ON), 2)
    return [f"  {part}{ON if number < len(parts) else ''}" for number, part in enumerate(parts, 1)]
