"""A page to play with: a world model's actions as sliders, and what it imagines beside what is real."""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_explore.verbs import VERBS

    return VERBS
