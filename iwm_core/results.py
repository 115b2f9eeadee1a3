"""What an evaluator finds: numbers, curves, and rows of images, as plain records that the core writes, draws and compares.

Decisions:
- An evaluator draws nothing. It gives its curves as `Chart` and its images as `Gallery`; files, pictures and reports are made of them in
  one place, so that every evaluator's look alike, and those of several runs can be drawn into one.
- A metric is called ``measure[.part][_control]``: ``mrr``, ``mrr_chance``, ``mrr.jitter.hue``, ``mrr.jitter.hue_chance``. A control
  stands beside what it is compared with wherever numbers are shown.
"""

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
"""What the last part of a metric's name may be, and what it says."""


def split_name(name: str) -> tuple[str, str, str]:
    """The measure, part and control of a metric; the last two may be empty."""
    base, _, control = name.rpartition("_")
    if not base or control not in CONTROLS:
        base, control = name, ""
    measure, _, part = base.partition(".")
    return measure, part, control


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
    """

    metrics: dict[str, Metric]
    settings: dict[str, Any]
    about: dict[str, str] = {}  # noqa: RUF012  # never changed
    summary: str = ""
    charts: tuple[Chart, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    pictures: tuple[tuple[Path, str], ...] = ()
