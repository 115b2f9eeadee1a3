"""What ``iwm --help`` and ``iwm VERB --help`` print: of each verb its forms, what else one should know, and lines to try."""

from collections.abc import Iterable

from iwm_core.interfaces.commands import Command

COLUMN = 41
"""Where the words about a form begin."""


def overview(commands: Iterable[Command]) -> str:
    """What ``iwm --help`` prints."""
    forms = "\n".join(line for command in commands for line in lines_of(command))
    return (
        f"iwm: image world models\n\n{forms}\n\n"
        "start with:  iwm train recipe=quickstart\nmore about a verb, with examples:  iwm VERB --help"
    )


def about(commands: Iterable[Command]) -> str:
    """What ``iwm VERB --help`` prints: of the verb, and of those that begin with its words."""
    shown = list(commands)
    forms = [line for command in shown for line in lines_of(command)]
    examples = [f"  {line}" for command in shown for line in command.examples]
    parts = (forms, [line for command in shown for line in command.more], ["examples:", *examples] if examples else [])
    return "\n\n".join("\n".join(part) for part in parts if part)


def lines_of(command: Command) -> list[str]:
    """A verb's forms, the words about them in a column."""
    lines = []
    for form, words in command.forms.items():
        form = f"  iwm {form}"
        lines += [f"{form:{COLUMN}}  {words}"] if len(form) <= COLUMN else [form, f"{'':{COLUMN}}  {words}"]
    return lines
