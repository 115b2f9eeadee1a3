"""What a claim is, as plain records: the runs that it needs, the numbers that it compares, and the rule of its verdict. Needs no torch.

Decisions:
- A run is what its recipe and overrides say, not the claim that asks for it: claims that say the same share it.
- A rule is about a difference of two numbers and where it must lie: above another is (0, ∞), at least as good (−margin, ∞), as good as
  another (−margin, margin). It holds where the whole interval of the difference lies there, does not where the whole interval lies
  outside, and is undecided in between. A claim holds where all of its rules hold, and does not where one does not.
- A claim without rules asks what is so, and claims nothing: its numbers are told once they are all there, and nothing is ruled on.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Work:
    """A training, or a tuning of what another work has trained; once for each seed.

    Attributes:
        recipe, overrides: as of `iwm train` or, with ``of``, of `iwm tune`; neither ``run`` nor ``train.seed`` is among them.
        of: the world model that is tuned.
        minutes: that one seed takes at this scale, what is measured included.
    """

    recipe: str
    overrides: tuple[str, ...] = ()
    of: "Work | None" = None
    minutes: float


@dataclass(frozen=True)
class Measure:
    """A number of a run.

    Attributes:
        work: whose.
        evaluator: or the task of a tuning; ``cost`` is what a tuning costs (`iwm_tasks.tuning.cost.Cost`).
        metric: by its name in ``eval/<evaluator>.json``.
        control: of it, in place of its value: ``chance``, ``shuffled``.
        least, most: the ends of what it can be, which its intervals keep to: 0 and 1 of an accuracy or a rank, 0 and none of an error.
    """

    work: Work
    evaluator: str
    metric: str
    control: str = ""
    least: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model of a claim's table.

    Attributes:
        measures: by column.
        paper: the paper's figure, by column, where it has one.
    """

    measures: dict[str, Measure]
    paper: dict[str, float] = field(default_factory=dict)


Place = tuple[str, str]
"""A row and a column."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """That a number less another lies between two ends.

    Attributes:
        says: in words.
        left: the number.
        right: the other, or a constant.
    """

    says: str
    left: Place
    right: Place | float = 0.0
    low: float = 0.0
    high: float = math.inf

    @property
    def places(self) -> tuple[Place, ...]:
        """The numbers that it needs."""
        return (self.left, self.right) if isinstance(self.right, tuple) else (self.left,)


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """That Pearson's correlation of two columns, over all rows, lies between two ends.

    Attributes:
        says: in words.
        x, y: columns.
        paper: the paper's figure.
    """

    says: str
    x: str
    y: str
    low: float = -1.0
    high: float = 1.0
    paper: float | None = None


@dataclass(frozen=True, kw_only=True)
class Size:
    """A claim at a scale.

    Attributes:
        data: the images that it is measured on, their size and encoding, in words.
        rows: by label, in the order of the table.
        rules: all of which must hold; none where numbers alone are asked for.
        seeds: that it is ruled on by.

    Raises:
        ValueError: a rule is about a number that is not in the table.
    """

    data: str
    rows: dict[str, Row]
    rules: tuple[Rule | Correlation, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)

    def __post_init__(self) -> None:
        for rule in self.rules:
            if isinstance(rule, Correlation):
                lacking = [column for column in (rule.x, rule.y) if column not in self.columns]
            else:
                known = {(label, column) for label, row in self.rows.items() for column in row.measures}
                lacking = [", ".join(place) for place in rule.places if place not in known]
            if lacking:
                raise ValueError(f"the rule {rule.says!r} is about {lacking[0]}, which the table does not have")

    @property
    def columns(self) -> list[str]:
        """In the order of the table."""
        return list(dict.fromkeys(column for row in self.rows.values() for column in row.measures))

    @property
    def works(self) -> list[Work]:
        """All works, each once: what is tuned before its tunings, and what rules need first, so that a verdict comes early."""
        needed = [place for rule in self.rules if isinstance(rule, Rule) for place in rule.places]
        places = [*needed, *((label, column) for label, row in self.rows.items() for column in row.measures)]
        asked = [self.rows[label].measures[column].work for label, column in places]
        return list(dict.fromkeys([*(work.of or work for work in asked), *(work for work in asked if work.of)]))


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim.

    Attributes:
        name: on the command line.
        says: it, in a sentence.
        sizes: by scale, in `SCALES`.
        results: the folder of its records, ``<name>-<scale>.json``.
        note: what must be known to read its table.
    """

    name: str
    says: str
    sizes: dict[str, Size]
    results: Path
    note: str = ""


SCALES = {"cpu": "two CPU cores", "gpu": "one modern GPU"}
"""Scales, and the machine that each is made for."""
