"""What an evaluator finds: numbers, curves, and rows of images, as plain records that the core writes, draws and compares.

Decisions:
- An evaluator draws nothing. It gives its curves as `Chart` and its images as `Gallery`; files, pictures and reports are made of them in
  one place, so that every evaluator's look alike, and those of several runs can be drawn into one.
- A metric is called ``measure[.part]``: ``mrr``, ``mrr.jitter.hue``. A control of it is called by its name and one of `CONTROLS`:
  ``mrr_chance``, ``mrr.jitter.hue_chance``, and stands beside what it is compared with wherever numbers are kept and shown. A metric of
  such a name that controls nothing is a metric: one whose first part is no metric, or that the evaluator leaves out of its ``controls``.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # reports read what was found without torch
    from jaxtyping import Float
    from torch import Tensor

    Image = Float[Tensor, "3 _h _w"]

CONTROLS = {
    "chance": "an answer that knows nothing",
    "shuffled": "asked with the action of another image or version",
    "null": "asked with the null action",
    "identity": "the source itself as the prediction",
    "random": "a predictor of the same shape with random weights",
    "raw": "the same from pixels",
    "colour": "the same from colours alone",
}
"""What a control may be, and what it says."""


def measure_and_part(name: str) -> tuple[str, str]:
    """What a metric that is no control measures, and of which part; the part may be empty."""
    measure, _, part = name.partition(".")
    return measure, part


def beside(names: Iterable[str], said: Iterable[str] | None = None) -> dict[str, dict[str, str]]:
    """The metrics that are no controls, in order, each with the names of its controls by what they say.

    Args:
        names: of all metrics.
        said: those that the evaluator calls controls; None: all that are called as controls of another.
    """
    every = list(names)
    known, called = set(every), every if said is None else set(said)
    lines: dict[str, dict[str, str]] = {}
    for name in every:
        base, _, control = name.rpartition("_")
        if control in CONTROLS and base in known and name in called:
            lines.setdefault(base, {})[control] = name
        else:
            lines.setdefault(name, {})
    return lines


class NotApplicable(Exception):
    """There is nothing to measure for this evaluator in this recipe, such as factors where data knows none; its text says what lacks."""


class Metric(NamedTuple):
    """A measured value with the bounds of its 95 % confidence interval over ``n`` images."""

    value: float
    low: float
    high: float
    n: int

    @staticmethod
    def constant(value: float, n: int) -> "Constant":
        """What is no estimate."""
        return Constant(value, value, value, n)

    @property
    def exact(self) -> bool:
        """Whether it is a constant; equal bounds alone do not say so, since images may agree by chance."""
        return isinstance(self, Constant)

    def written(self) -> dict[str, Any]:
        """As files hold it."""
        return self._asdict() | ({"exact": True} if self.exact else {})


class Constant(Metric):
    """What no other images would change, such as a chance in closed form."""


class Series(NamedTuple):
    """One curve, or one set of bars or points. ``low`` and ``high`` are 95 % bounds; ``x`` are texts for bars."""

    label: str
    x: list[Any]
    y: list[float]
    low: list[float] | None = None
    high: list[float] | None = None


class Chart(NamedTuple):
    """A chart.

    Attributes:
        name: of lower-case letters, digits and ``_``, unique in its evaluator: charts of one name are drawn together for several runs.
        title, x, y: texts above and along the axes, with units.
        kind: ``lines``, ``bars`` or ``points``.
        series: what is drawn.
        about: one or two sentences: what it shows, and what good and bad look like.
        levels: horizontal lines to compare with, by name, such as ``{"chance": 0.074}``.
        diagonal: what the line on which y is x means, such as ``truth``; empty: it is not drawn.
        longest: bars are drawn to here at most, and numbered as they are; None: as long as they are.
    """

    name: str
    title: str
    x: str
    y: str
    kind: str
    series: tuple[Series, ...]
    about: str
    levels: dict[str, float] = {}  # noqa: RUF012  # never changed
    diagonal: str = ""
    longest: float | None = None


class Row(NamedTuple):
    """A row of a gallery.

    Attributes:
        images: in [0, 1], one under each heading.
        numbers: drawn with bars on a scale of -1 to 1, such as an action's by ``name.label``.
        verdict: a few words on how it went.
        right: whether it went well, shown as a tick or a cross; None where that is no question.
    """

    images: "tuple[Image, ...]"
    numbers: dict[str, float] = {}  # noqa: RUF012  # never changed
    verdict: str = ""
    right: bool | None = None


class Gallery(NamedTuple):
    """Rows of images, with words and numbers.

    Attributes:
        name: of lower-case letters, digits and ``_``, unique among all evaluators' galleries: the picture is ``eval/<name>.png``.
        title, subtitle: what it shows, and the numbers that belong to it.
        headings: of the columns of images.
        rows: at most a dozen.
        about: one or two sentences: how to read it.
    """

    name: str
    title: str
    subtitle: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    about: str


class Evaluation(NamedTuple):
    """What an evaluator found.

    Attributes:
        metrics: by name (see above), in the order to be shown.
        settings: what they were measured with.
        about: for each measure (the name without part and control) one line: what it is, what good and bad are.
        summary: one sentence in words for a reader who looks at nothing else.
        charts, galleries: what is drawn.
        pictures: files that the evaluator wrote itself, with their alternative text.
        controls: the names of those metrics that are controls of others, where not all are that are called so (``()``: none is).
    """

    metrics: dict[str, Metric]
    settings: dict[str, Any]
    about: dict[str, str] = {}  # noqa: RUF012  # never changed
    summary: str = ""
    charts: tuple[Chart, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    pictures: tuple[tuple[Path, str], ...] = ()
    controls: tuple[str, ...] | None = None
