"""What an evaluator finds: numbers, curves, and rows of images, as plain records that are written, drawn and compared.

Decisions:
- An evaluator draws nothing. It gives its curves as `Chart` and its images as `Gallery`; files, pictures and reports are made of them in
  one place, so that every evaluator's look alike, and those of several runs can be drawn into one.
- A metric is called ``measure[.part]``: ``mrr``, ``mrr.jitter.hue``; a measure's name holds no dot. Its controls are in it, and no name
  says that a metric is one: ``gap_random`` is a metric like any other.
- A gallery that is read back is the same record, with files in the place of tensors.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # reports read what was found without torch
    from jaxtyping import Float
    from torch import Tensor

    Image = Float[Tensor, "3 _h _w"] | Path
else:
    Image = Path  # as files tell it

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

QUESTIONS = {"alive": "Is the encoder alive?", "world_model": "Is the predictor a world model?", "features": "What does the encoder keep?"}
"""What a reader wants to know of a model, in that order."""


class NotApplicable(Exception):
    """There is nothing to measure for this evaluator in this recipe, such as factors where data knows none; its text says what."""


class Metric(NamedTuple):
    """A measured value with the bounds of its 95 % confidence interval over ``n`` images.

    Attributes:
        exact: no other images would change it, such as a chance in closed form; equal bounds do not say so, as images may agree.
        controls: what it is to be held against, by what that says: one of `CONTROLS`.
    """

    value: float
    low: float
    high: float
    n: int
    exact: bool = False
    controls: "dict[str, Metric]" = {}  # noqa: RUF012  # never changed

    @staticmethod
    def constant(value: float, n: int) -> "Metric":
        """What is not an estimate."""
        return Metric(value, value, value, n, exact=True)

    def against(self, **controls: "Metric") -> "Metric":
        """The same, held against further controls: ``mrr.against(chance=Metric.constant(0.25, 64), shuffled=…)``."""
        for name in controls.keys() - CONTROLS.keys():
            raise ValueError(f"there is no control {name!r}; there are {', '.join(CONTROLS)}")
        return self._replace(controls={**self.controls, **controls})

    def written(self) -> dict[str, Any]:
        """As files hold it, without its controls."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n} | ({"exact": True} if self.exact else {})


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
        images: in [0, 1], one under each heading; of a result that is read back, their files.
        numbers: drawn with bars on a scale of -1 to 1, such as an action's by ``name.label``.
        verdict: a few words on how it went.
        right: whether it went well, shown as a tick or a cross; None where that is not asked.
        title, captions: what the row shows, in lines beside its images; a few words below each image.
    """

    images: "tuple[Image, ...]"
    numbers: dict[str, float] = {}  # noqa: RUF012  # never changed
    verdict: str = ""
    right: bool | None = None
    title: str = ""
    captions: tuple[str, ...] = ()


class Gallery(NamedTuple):
    """Rows of images, with words and numbers.

    Attributes:
        name: of lower-case letters, digits and ``_``, unique among all evaluators' galleries: the picture is ``eval/<name>.png``.
        title, subtitle: what it shows, and the numbers that belong to it.
        headings: of the columns of images.
        rows: at most a dozen.
        about: one or two sentences: how to read it.
        leads: whether it is among the first that a reader of a report should see.
    """

    name: str
    title: str
    subtitle: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    about: str
    leads: bool = False


class Answer(NamedTuple):
    """What an evaluator says to one of `QUESTIONS`: yes, no, or None where its intervals leave it open; and its evidence, a sentence."""

    question: str
    yes: bool | None
    evidence: str


class Evaluation(NamedTuple):
    """What an evaluator found.

    Attributes:
        metrics: by name (see above), in the order to be shown, each with its controls.
        settings: what they were measured with.
        about: for each measure (the name without its part) one line: what it is, what good and bad are.
        summary: one sentence in words for a reader who looks at nothing else.
        charts, galleries, pictures: what is drawn; pictures are files that the evaluator wrote itself, with their alternative text.
        answer, better: to a reader's question; which way measures are better, ``higher`` or ``lower``, where that can be said.
    """

    metrics: dict[str, Metric]
    settings: dict[str, Any]
    about: dict[str, str] = {}  # noqa: RUF012  # never changed
    summary: str = ""
    charts: tuple[Chart, ...] = ()
    galleries: tuple[Gallery, ...] = ()
    pictures: tuple[tuple[Path, str], ...] = ()
    answer: Answer | None = None
    better: dict[str, str] = {}  # noqa: RUF012  # never changed
