"""The verb ``reproduce``: claims about world models, each with the runs that it needs, what they are compared by, and a verdict."""

from types import ModuleType

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command


@hookimpl
def iwm_hookspecs() -> list[ModuleType]:
    from iwm_repro import hookspecs

    return [hookspecs]


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_repro.verbs import VERBS

    return VERBS
