"""From the finished runs of a claim to its record: numbers over seeds, rules, the verdict."""

import math
from importlib.metadata import version
from pathlib import Path
from typing import Any

from iwm_evals.measuring.scorecard import read_result
from iwm_tasks.tuning.cost import read_cost

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.results import Metric
from iwm_core.recipe.shapes import fitting
from iwm_core.run.stored import Damaged
from iwm_repro.claim import Claim, Correlation, Measure, Place, Rule, Size
from iwm_repro.places import job_of, jobs_of, seconds_of
from iwm_repro.record import HOLDS, KIND, MEASURED, MISSING, NOT, OPEN, Cost, Line, Number, Record, Ruled
from iwm_repro.spread import Found, Interval, Measured, correlation, difference, over_seeds

Table = dict[Place, Found]
"""The numbers that there are, by row and column."""


def rule_on(claim: Claim, scale: str, seeds: tuple[int, ...], command: str, there: set[Path]) -> Record:
    """What is found of a claim by the runs that are ``there``.

    Raises:
        UserError: a file of a run is damaged, or lacks a number that the claim asks for.
    """
    size = claim.sizes[scale]
    jobs = jobs_of(size, seeds, scale)
    done = [job for job in jobs if job.path in there]
    table = table_of(size, scale, seeds, {job.path for job in done})
    rules = [ruled(rule, table, size) for rule in size.rules]
    taken = [seconds_of(job.path) for job in done]
    return Record(
        kind=KIND,
        claim=claim.name,
        says=claim.says,
        scale=scale,
        data=size.data,
        command=command,
        seeds=[seed for seed in seeds if any(job.seed == seed for job in done)],
        columns=size.columns,
        rows=[
            Line(label, {column: number(table[label, column]) for column in row.measures if (label, column) in table}, dict(row.paper))
            for label, row in size.rows.items()
        ],
        rules=rules,
        verdict=verdict_of([rule.verdict for rule in rules], missing=len(jobs) > len(done)),
        missing=len(jobs) - len(done),
        cost=Cost(len(done), sum(seconds for seconds, _ in taken) / 60, ", ".join(dict.fromkeys(on for _, on in taken if on))),
        versions={name: version(name) for name in ("iwm-core", "iwm-repro", "torch")},
    )


def table_of(size: Size, scale: str, seeds: tuple[int, ...], done: set[Path]) -> Table:
    """The numbers of a claim that at least one finished run tells."""
    table: Table = {}
    for label, row in size.rows.items():
        for column, measure in row.measures.items():
            places = {seed: job_of(measure.work, seed, scale).path for seed in seeds}
            runs = {seed: measured(measure, path) for seed, path in places.items() if path in done}
            if runs:
                table[label, column] = over_seeds(runs, measure.least, measure.most)
    return table


def measured(measure: Measure, run: Path) -> Measured:
    """A number of a finished run.

    Raises:
        UserError: the run does not tell it.
    """
    if measure.evaluator == "cost":
        cost = read_cost(run)
        if cost is None:
            raise UserError(f"{run} has no cost.json; remove the run, then ask again")
        value = float(getattr(cost, measure.metric))
        return Measured(value, value, value, 1)
    file = run / "eval" / f"{measure.evaluator}.json"
    lacking = f"{file} tells no {measure.metric} {measure.control}".rstrip()
    try:
        metrics: dict[str, Any] = read_result(file)["metrics"]
        told = metrics[measure.metric]["controls"][measure.control] if measure.control else metrics[measure.metric]
        value, low, high, images, *_ = fitting(told, Metric)
    except Damaged:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{lacking}; the claim asks for a number that the run's recipe does not measure") from error
    if math.isnan(value + low + high):
        raise UserError(f"{lacking} that is a number: it could not be computed there")
    if not measure.least <= value <= measure.most:
        raise UserError(f"{file} tells {measure.metric} {value:g}; the claim says that it lies from {measure.least:g} to {measure.most:g}")
    return Measured(value, low, high, images)


def number(found: Found) -> Number:
    """A number as a record holds it."""
    return Number(found.value, found.low, found.high, found.images, found.values)


def ruled(rule: Rule | Correlation, table: Table, size: Size) -> Ruled:
    """A rule, and what came of it."""
    least, most = (end if math.isfinite(end) else None for end in (rule.low, rule.high))
    interval = between(rule, table) if isinstance(rule, Rule) else correlated(rule, table, size)
    paper = rule.paper if isinstance(rule, Correlation) else None
    if interval is None:
        return Ruled(rule.says, None, None, None, least, most, MISSING, paper)
    return Ruled(rule.says, *interval, least, most, lies(interval, rule.low, rule.high), paper)


def between(rule: Rule, table: Table) -> Interval | None:
    """The difference that a rule is about; None where a number of it was not run."""
    if any(place not in table for place in rule.places):
        return None
    return difference(table[rule.left], table[rule.right] if isinstance(rule.right, tuple) else rule.right)


def correlated(rule: Correlation, table: Table, size: Size) -> Interval | None:
    """The correlation of two columns, over the rows that have both."""
    having = [label for label in size.rows if {(label, rule.x), (label, rule.y)} <= {*table}]
    pairs = [(table[label, rule.x].value, table[label, rule.y].value) for label in having]
    return correlation([x for x, _ in pairs], [y for _, y in pairs])


def lies(interval: Interval, low: float, high: float) -> str:
    """Whether an interval lies between two ends: all of it, none of it, or some."""
    if low <= interval.low and interval.high <= high:
        return HOLDS
    return NOT if interval.high < low or high < interval.low else OPEN


def verdict_of(verdicts: list[str], missing: bool = False) -> str:
    """A claim's verdict: one rule that does not hold is enough, whatever run is ``missing``; where there is no rule, all must be run."""
    if not verdicts:
        return MISSING if missing else MEASURED
    return next((one for one in (NOT, MISSING, OPEN) if one in verdicts), HOLDS)
