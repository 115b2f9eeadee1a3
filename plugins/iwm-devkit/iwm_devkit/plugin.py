"""The kit as a plugin: verbs for authors of plugins."""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_devkit.verbs import VERBS

    return VERBS
