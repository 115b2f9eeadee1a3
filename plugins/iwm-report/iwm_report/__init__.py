"""What is known of runs: as a page (`iwm_report.report`), in pictures (`iwm_report.gallery`), while they train (`iwm_report.displays`)."""

from types import ModuleType
from typing import Any

from iwm_core import hookimpl
from iwm_core.interfaces.commands import Command
from iwm_core.interfaces.events import Evaluated, RunMeasured, SweepEnd


@hookimpl
def iwm_hookspecs() -> list[ModuleType]:
    from iwm_report import hookspecs

    return [hookspecs]


@hookimpl
def iwm_commands() -> list[Command]:
    from iwm_report.verbs import VERBS

    return VERBS


@hookimpl
def iwm_displays() -> list[str]:
    return ["iwm_report.displays"]


@hookimpl
def iwm_evaluated(event: Evaluated) -> None:
    from iwm_report.gallery import draw_galleries
    from iwm_report.trackers import track

    draw_galleries(event)
    track(event)


@hookimpl
def iwm_run_measured(event: RunMeasured) -> None:
    from iwm_report.closing import sum_up

    sum_up(event)


@hookimpl
def iwm_sweep_end(event: SweepEnd) -> None:
    from iwm_report.report import report_sweep

    report_sweep(event)


@hookimpl
def iwm_report_page(wanted: Any) -> None:
    from iwm_report.plugin_page import write_page

    write_page(wanted)
