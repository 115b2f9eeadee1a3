"""The verb ``reproduce``: claims about world models, each with the runs that it needs, what they are compared by, and a verdict."""

from types import ModuleType
from typing import Any

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


@hookimpl(optionalhook=True)
def iwm_report_sections(page: Any) -> None:
    from iwm_repro.reported import add_claims

    add_claims(page)
