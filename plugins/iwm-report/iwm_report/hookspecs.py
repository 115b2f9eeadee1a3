"""The hooks that iwm-report declares, so that other plugins add sections to its pages, and have pages of their own."""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from iwm_report.added import Page, Wanted

hookspec = pluggy.HookspecMarker("iwm")


@hookspec
def iwm_report_sections(page: "Page") -> None:
    """Called for each report before it is written, to add sections by `Page.add` or `Page.section`.

    Damage is reported in ``problems``, not raised. Marked ``@hookimpl(optionalhook=True)``, a plugin works without iwm-report, too.
    """


@hookspec
def iwm_report_page(wanted: "Wanted") -> None:
    """Called by a plugin that wants a page of its own, by ``load_plugins().tell("iwm_report_page", wanted)``: iwm-report writes it."""
