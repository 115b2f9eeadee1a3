"""Many processes: of one run, started here or by a launcher; of a sweep (``iwm train -m``); jobs of a scheduler (``iwm submit``)."""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_cluster.verbs import VERBS

    return VERBS


@hookimpl
def iwm_launchers() -> list[str]:
    return ["iwm_cluster.launching"]
