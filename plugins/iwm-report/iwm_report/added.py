"""What plugins add to pages, or make a whole page of: sections of texts, tables and plots.

Decisions:
- A page is filled by the methods of what a hook is given, with plain values: a plugin imports nothing of this package, and works without.
- All texts are escaped. `Page.markup` alone makes markup, of a sentence with places for values, which are escaped in turn.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from markupsafe import Markup

from iwm_core.interfaces.results import Metric
from iwm_report.score_table import Mark
from iwm_report.thumbnails import Thumbnails

if TYPE_CHECKING:
    from iwm_report.run_record import RunRecord


@dataclass
class Text:
    """A paragraph; ``look`` is ``about`` where it says how to read what follows, ``code`` for what is to be typed."""

    kind: ClassVar = "text"
    text: str
    look: str = ""


@dataclass
class Heading:
    """The title of a part of a section."""

    kind: ClassVar = "heading"
    text: str


@dataclass
class Words:
    """Terms, and what is to be said of each."""

    kind: ClassVar = "words"
    meanings: Mapping[str, str]


@dataclass
class Table:
    """A table whose first column names the rows; ``marks`` draw each row's interval behind its first value, None where it has none."""

    kind: ClassVar = "table"
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    marks: list[Mark | None] | None = None


class Point(NamedTuple):
    """A point of a plot, with its name and interval."""

    name: str
    x: float
    metric: Metric


@dataclass
class Plot:
    """Named points over a logarithmic axis.

    Attributes:
        section: the title of its section, which tells it from others in one picture.
        order: a name's place in it decides its look, which is then the same in all plots.
        ticks: how numbers along x are written.
        told: the plot in words.
        beside: paragraphs that stand beside it.
        drawn: the drawing.
    """

    kind: ClassVar = "plot"
    section: str
    x: str
    y: str
    points: list[Point]
    order: Sequence[str]
    ticks: Callable[[float], str]
    told: str
    beside: Sequence[str]
    drawn: str = ""


@dataclass
class Section:
    """A section with a heading; what is added to it stands in the order in which it comes."""

    title: str
    id: str
    parts: list[Text | Heading | Words | Table | Plot | Thumbnails] = field(default_factory=list)

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self.parts.append(Text(text))

    def about(self, text: str) -> None:
        """Add a paragraph on how to read what follows."""
        self.parts.append(Text(text, "about"))

    def code(self, text: str) -> None:
        """Add what is to be typed."""
        self.parts.append(Text(text, "code"))

    def heading(self, text: str) -> None:
        """Begin a part with a title."""
        self.parts.append(Heading(text))

    def words(self, meanings: Mapping[str, str]) -> None:
        """Add what is to be said of some terms."""
        self.parts.append(Words(meanings))

    def table(
        self, caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]], intervals: Sequence[Metric] | None = None
    ) -> None:
        """Add a table; ``intervals``, one a row, are drawn behind its first value, on one scale."""
        self.parts.append(Table(caption, headings, rows, None if intervals is None else marks_of(intervals)))

    def plot(
        self,
        points: Sequence[tuple[str, float, Metric]],
        x: str,
        y: str,
        told: str,
        order: Sequence[str] = (),
        ticks: Callable[[float], str] = "{:g}".format,
        beside: Sequence[str] = (),
    ) -> None:
        """Add a plot of named points, see `Plot`: name, place along the logarithmic axis, value with its interval."""
        named = [Point(*point) for point in points]
        self.parts.append(Plot(self.title, x, y, named, order or [point.name for point in named], ticks, told, beside))

    def thumbnails(self, *parts: Any) -> None:
        """Add small images in the plane, see `Thumbnails`: places, pictures, names, labels, axes, the plot in words."""
        self.parts.append(Thumbnails(*parts))


@dataclass
class Page:
    """A page of runs, as a plugin sees it that adds sections to it.

    Attributes:
        runs: all that is known of each run; a line in one's ``problems`` is shown on the page and on the terminal.
        sections: what is added; it stands behind the sections of the evaluators.
    """

    runs: "list[RunRecord]"
    sections: list[Section] = field(default_factory=list)

    def section(self, title: str, id: str = "") -> Section:
        """Begin a section; ``id``: of lower-case letters, for links to it."""
        self.sections.append(Section(title, id or f"a{len(self.sections) + 1}"))
        return self.sections[-1]

    def add(self, title: str, about: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add a section with a sentence on how to read its table."""
        section = self.section(title)
        section.about(about)
        section.table(title, headings, rows)

    @staticmethod
    def markup(sentence: str, *values: str) -> Markup:
        """A sentence with a value in each of its places ``{}``: what stands in backticks is code, between ``*`` a variable."""
        made = re.sub(r"\*([^*]+)\*", r"<i>\1</i>", re.sub("`([^`]+)`", r"<code>\1</code>", escape(sentence, quote=False)))
        return Markup(made).format(*values)


@dataclass
class OwnPage(Page):
    """A page that is a plugin's own: it has sections alone.

    Attributes:
        title: of the window.
        kicker, heading, state: what kind of page it is, what it is about, and a sentence on that.
        notes: what is to be known first, a line each.
    """

    runs: "list[RunRecord]" = field(default_factory=list)
    title: str = ""
    kicker: str = ""
    heading: str = ""
    state: str = ""
    notes: list[str] = field(default_factory=list)


@runtime_checkable
class Wanted(Protocol):
    """A page that a plugin wants to be written.

    Attributes:
        path: of the HTML file; its plots are drawn beside it as one picture, ``.svg`` and ``.png``.
        fill: puts into the page what is to be shown.
    """

    path: Path
    fill: Callable[[OwnPage], None]


def marks_of(metrics: Sequence[Metric]) -> list[Mark | None]:
    """Where intervals lie between the lowest and the highest end of all, in per cent."""
    ends = [end for one in metrics for end in (one.low, one.value, one.high) if math.isfinite(end)]
    low = min(ends, default=0.0)
    width = max(ends, default=0.0) - low or 1.0

    def mark(one: Metric) -> Mark | None:
        places = [100 * (end - low) / width for end in (one.value, one.low, one.high)]
        return Mark(*places, controls={}) if all(map(math.isfinite, places)) else None

    return [mark(one) for one in metrics]
