"""The hook that iwm-report declares, so that other plugins add sections to its pages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import pluggy

if TYPE_CHECKING:
    from iwm_core.evaluation.reading import RunRecord

hookspec = pluggy.HookspecMarker("iwm")


class Added(NamedTuple):
    """A section: a table with a heading and a sentence on how to read it."""

    title: str
    about: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass
class Page:
    """What a plugin knows of a page, and adds to it.

    Attributes:
        runs: all that is known of each run; a line in one's ``problems`` is told, and shown on the page.
        added: the sections, which stand behind those of the evaluators.
    """

    runs: "list[RunRecord]"
    added: list[Added] = field(default_factory=list)

    def add(self, title: str, about: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a section; the first column names the rows, and all texts are escaped."""
        self.added.append(Added(title, about, tuple(headings), tuple(tuple(row) for row in rows)))


@hookspec
def iwm_report_sections(page: Page) -> None:
    """Called for each report before it is written, to add sections by `Page.add`; what is damaged is told in ``problems``, not raised."""
