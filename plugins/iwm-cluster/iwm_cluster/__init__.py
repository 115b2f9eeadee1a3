"""The verb ``submit``: any other verb as a job of a scheduler, on one node or several, which goes on when its time is over."""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_cluster.verbs import VERBS

    return VERBS
