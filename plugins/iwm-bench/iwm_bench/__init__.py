"""The verb ``bench``: what a training step costs on this device, and where its time goes."""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_bench.verbs import VERBS

    return VERBS
