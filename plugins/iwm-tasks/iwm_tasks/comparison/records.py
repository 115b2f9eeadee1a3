"""What a comparison of protocols found, as plain records, and how its numbers are written. Needs no torch."""

import math
from typing import NamedTuple

from iwm_evals.measuring.tables import three_digits

from iwm_core.interfaces.results import Metric
from iwm_core.process.display import clock
from iwm_tasks.tuning.cost import Cost

MEAN = "mean of the tasks"
COSTS = ("trained parameters", "trained share", "GFLOPs/image training", "GFLOPs/image inference", "wall time", "peak memory")
"""What is shown of a cost."""
CONTROL_PROTOCOLS = {"predictor": "predictor_random"}
"""Protocols, and what each is to be held against."""


class ProtocolResult(NamedTuple):
    """A protocol, over the trainings that have finished.

    Attributes:
        metric: the mean over the seeds, with its interval over trainings and images.
        values: by seed.
        cost: of one training: the mean of the seconds and the most memory over the seeds, and all of their devices.
    """

    protocol: str
    metric: Metric
    values: dict[int, float]
    cost: Cost


class TaskTable(NamedTuple):
    """The protocols for one task, by its main metric.

    Attributes:
        apart: why they cannot be ranked, where their settings or data differ.
        chance: what an answer that knows nothing would get, where that is known.
    """

    task: str
    metric: str
    entries: list[ProtocolResult]
    apart: str = ""
    chance: float | None = None


class Comparison(NamedTuple):
    """All that is shown of a comparison.

    Attributes:
        name: of the world model.
        protocols: in the order to be shown, with a line on each, which may be empty.
        seeds: trainings wanted of each protocol.
        tables: one a task, and one for their mean where there are several with the same main metric.
        missing: seeds that have not finished, by protocol.
        command: that makes it, or goes on with it.
    """

    name: str
    world_model: str
    checkpoint: str
    protocols: dict[str, str]
    seeds: int
    overrides: list[str]
    own: dict[str, list[str]]
    tables: list[TaskTable]
    missing: dict[str, list[int]]
    command: str


def headings(table: TaskTable) -> list[str]:
    """The columns of a comparison."""
    return ["protocol", f"{table.metric} (95 %)", *COSTS, "seeds"]


def row_cells(entry: ProtocolResult, comparison: Comparison) -> list[str]:
    """An entry's row, as texts."""
    done = len(entry.values)
    return [
        entry.protocol,
        with_ends(entry.metric),
        *cost_cells(entry.cost),
        str(done) if done == comparison.seeds else f"{done} of {comparison.seeds}",
    ]


def cost_cells(cost: Cost) -> list[str]:
    """A cost, as texts, in the order of `COSTS`."""
    return [
        count(cost.trained),
        percentage(cost.trained / cost.parameters),
        three_digits(cost.gflops_train),
        three_digits(cost.gflops_inference),
        clock(cost.seconds),
        memory(cost.peak_memory),
    ]


def with_ends(metric: Metric) -> str:
    """A number with both ends of its interval, which need not lie as far apart: ``0.211 (0.000–0.613)``."""
    known = math.isfinite(metric.low + metric.high)
    return f"{three_digits(metric.value)} ({three_digits(metric.low)}–{three_digits(metric.high)})" if known else three_digits(metric.value)


def count(number: float) -> str:
    """A number of parameters: ``640``, ``12.8 k``, ``1.23 M``."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def percentage(part: float) -> str:
    """A percentage of the whole: ``100 %``, ``12.3 %``, ``0.04 %``."""
    return f"{100 * part:.3g} %" if part >= 0.001 else f"{100 * part:.1g} %"


def memory(size: float) -> str:
    """Bytes as MiB or GiB."""
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"


def how_far(comparison: Comparison) -> str:
    """What has not finished, in a sentence; nothing where all has."""
    if not comparison.missing:
        return ""
    all_jobs = len(comparison.protocols) * comparison.seeds
    lacking = sum(len(seeds) for seeds in comparison.missing.values())
    told = "; ".join(f"{name}, seed {', '.join(map(str, seeds))}" for name, seeds in comparison.missing.items())
    return f"{all_jobs - lacking} of {all_jobs} trainings have finished. Not yet: {told}."


def what_is_in_it(table: TaskTable) -> str:
    """What the intervals of a table cover, in a sentence."""
    images = max(entry.metric.n for entry in table.entries)
    seeds = sorted({len(entry.values) for entry in table.entries})
    if seeds == [1]:
        return (
            f"In brackets a 95 % interval over {images:,} validation images. "
            "There is one training of each protocol: the spread over trainings is not in it."
        )
    told = f"In brackets a 95 % interval over {' or '.join(map(str, seeds))} trainings and {images:,} validation images."
    return told + (" Where there is one training, the spread over trainings is not in it." if 1 in seeds else "")


def held_against(table: TaskTable) -> list[str]:
    """Chance, and of each protocol with a control whether their intervals overlap; or why none is held against another."""
    if table.apart:
        return [f"Not comparable: {table.apart}."]
    entries = {entry.protocol: entry for entry in table.entries}
    told = [] if table.chance is None else [f"Chance is {three_digits(table.chance)}."]
    for name, control in CONTROL_PROTOCOLS.items():
        if name in entries and control in entries:
            own, other = entries[name].metric, entries[control].metric
            apart = own.low > other.high or own.high < other.low
            where = "above" if own.value > other.value else "below"
            verdict = (
                f"lies {where} {control}, and their intervals do not overlap" if apart else f"and {control} have overlapping intervals"
            )
            told.append(f"{name} {verdict}: {three_digits(own.value)} against {three_digits(other.value)}.")
    return told
