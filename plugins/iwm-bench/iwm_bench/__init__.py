"""The verb ``bench``: what a training step costs on this device, and where its time goes; and in which precision it is faster."""

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_bench.verbs import VERBS

    return VERBS


@hookimpl
def iwm_precisions() -> list[str]:
    return ["iwm_bench.precision"]
