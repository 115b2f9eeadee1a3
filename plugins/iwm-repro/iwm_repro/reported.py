"""What a report says of runs that claims have trained: each claim by its record, and what the page's runs are of it. Needs no torch.

Decisions:
- A run is a claim's by its place, ``runs/repro/SCALE/NAME-sSEED``: its name has a digest of what is run. One that was renamed is a run
  like any other.
- A claim is told whole, whichever of its runs a report is of: a verdict on some rows would be another claim's. The page says which of its
  runs are these, and where one tells another number than the record, which is then older, or of another machine.
- Nothing is ruled on here: that is `iwm reproduce`'s. Without a record, or with a damaged one, the claim is told with its command.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.results import Metric
from iwm_repro.claim import Claim, Measure, Size, Work
from iwm_repro.places import jobs_of, name_of
from iwm_repro.record import Line, Record, file_of, read_if_there
from iwm_repro.registered import all_claims
from iwm_repro.shown import cells, interval_of, lacking, seeds_in_words, verdict_in_words

NAME = re.compile(r"(.+-[0-9a-f]{8})-s(\d+)")
ABOUT = (
    "What these runs were trained for. A claim holds where the whole 95 % interval of each of its rules lies where the rule wants it, does "
    "not hold at this size where the whole interval of one lies outside, and is undecided in between. In square brackets: the paper's."
)
NONE = Metric(float("nan"), float("nan"), float("nan"), 0)


class Part(NamedTuple):
    """A run of the page, as what a claim asks for."""

    run: Any
    work: Work
    seed: int


def add_claims(page: Any) -> None:
    """Add the claims that any of a page's runs were trained for; a damaged record is reported, and the claim told without it."""
    named = [(run, run.path.resolve()) for run in page.runs]
    named = [(run, path.parent.name, found) for run, path in named if (found := NAME.fullmatch(path.name))]
    if not named:
        return
    try:
        claims = [one.claim for one in all_claims().values()]
    except UserError as error:
        named[0][0].problems.append(f"claims are left out of this page: {error}")
        return
    parts: dict[tuple[int, str], list[Part]] = {}
    for run, scale, found in named:
        for place, claim in enumerate(claims):
            works = claim.sizes[scale].works if scale in claim.sizes else []
            work = next((work for work in works if name_of(work) == found[1]), None)
            if work:
                parts.setdefault((place, scale), []).append(Part(run, work, int(found[2])))
    if not parts:
        return
    section = page.section("Claims", "claims")
    section.about(ABOUT)
    for place, scale in sorted(parts):
        add_claim(section, claims[place], scale, parts[place, scale])


def add_claim(section: Any, claim: Claim, scale: str, parts: list[Part]) -> None:
    """Add what is on record of a claim, and what the page's runs are of it."""
    section.heading(f"{claim.name}, --scale {scale}")
    section.text(f"{claim.says[0].upper()}{claim.says[1:]}.")
    size, record = claim.sizes[scale], None
    file = record_file(claim, scale, parts[0].run.path)
    try:
        record = read_if_there(file)
        if record is None:
            section.text(f"It has not been ruled on yet: there is no {file.name}.")
    except UserError as error:
        parts[0].run.problems.append(str(error))
        section.text(f"Its record cannot be read: {error}.")
    if record:
        add_record(section, record)
    asked = len(jobs_of(size, size.seeds, scale))
    own = sum(part.seed in size.seeds for part in parts)
    section.text(
        f"This page has {own} of its {asked} runs:" if own else f"This page has none of its {asked} runs, but others of its models:"
    )
    section.table(
        f"Runs of {claim.name}",
        ["run", "as", "seed", "beside the record" if record else "state"],
        [[part.run.label, role_of(part.work, size), str(part.seed), beside(part, size, record)] for part in parts],
    )
    section.code(f"iwm reproduce {claim.name} --scale {scale}")


def add_record(section: Any, record: Record) -> None:
    """Add the verdict, the table and the rules of a record."""
    told = verdict_in_words(record)
    section.text(f"{told[0].upper()}{told[1:]}{lacking(record)}. Measured on {record.data}; {seeds_in_words(record)}.")
    first = record.columns[0] if record.columns else ""
    numbers = [line.numbers.get(first) for line in record.rows]
    intervals = [Metric(one.value, one.low, one.high, one.images) if one else NONE for one in numbers]
    section.table(record.claim, ["model", *record.columns], [cells(line, record.columns) for line in record.rows], intervals)
    if record.rules:
        rules = [[rule.says, interval_of(rule), rule.verdict] for rule in record.rules]
        section.table(f"Rules of {record.claim}", ["rule", "difference or correlation", "verdict"], rules)


def record_file(claim: Claim, scale: str, run: Path) -> Path:
    """The record of a claim: that beside its runs, where there is one, as where claims are installed packages; else the claim's own."""
    own = file_of(run.resolve().parents[1], claim.name, scale)
    return own if own.exists() else file_of(claim.results, claim.name, scale)


def rows_of(work: Work, size: Size) -> list[tuple[str, str, Measure]]:
    """The numbers of a claim's table that a work tells: row, column, measure."""
    every = [(label, column, measure) for label, row in size.rows.items() for column, measure in row.measures.items()]
    return [place for place in every if place[2].work == work]


def role_of(work: Work, size: Size) -> str:
    """What a work is of a claim: its rows, or what their tunings begin from."""
    labels = dict.fromkeys(label for label, _, _ in rows_of(work, size))
    return ", ".join(labels) if labels else "the world model that is tuned"


def beside(part: Part, size: Size, record: Record | None) -> str:
    """How a run stands to the record: of another seed than its place's, unfinished, not in it, as it says, or with other numbers."""
    run = part.run
    if (seed := run.config.get("train", {}).get("seed", part.seed)) != part.seed:
        return f"it is of seed {seed}, and lies in the place of another"
    if run.step is None or run.steps is None or run.step < run.steps:
        return "not finished"
    if record is None:
        return "trained"
    if part.seed not in record.seeds:
        return "this seed is not in it"
    lines = {line.label: line for line in record.rows}
    both = [
        (column, value, kept)
        for label, column, measure in rows_of(part.work, size)
        if (kept := recorded(lines.get(label), column, part.seed)) is not None and (value := measured(measure, run)) is not None
    ]
    others = [f"{column} {three_digits(value)}, there {three_digits(kept)}" for column, value, kept in both if differ(value, kept)]
    return "; ".join(dict.fromkeys(others)) or ("as it says" if both else "trained")


def recorded(line: Line | None, column: str, seed: int) -> float | None:
    """What a record tells of one seed; None where it tells nothing."""
    number = line.numbers.get(column) if line else None
    return number.values.get(str(seed)) if number else None


def measured(measure: Measure, run: Any) -> float | None:
    """What a run of the page tells; None where it tells nothing, or costs."""
    found = run.measured.get(measure.evaluator)
    metric = found.metrics.get(measure.metric) if found else None
    if metric and measure.control:
        metric = metric.controls.get(measure.control)
    return metric.value if metric else None


def differ(value: float, kept: float) -> bool:
    """Whether two numbers are written differently."""
    return three_digits(value) != three_digits(kept)
