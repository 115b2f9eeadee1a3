"""Whether values of other seeds lie inside of the intervals that are on record. Needs no torch.

An interval of 95 % is about the mean over all seeds. A mean over as many others has a spread of its own: of three seeds each, it lies
inside in 91 of 100 cases by seeds alone (Student's t of two degrees of freedom is below 4.303 / √2 in size), and more often the more images
add to the interval. One of a single seed is over images alone, and says nothing of other seeds. So where values lie is told, and changes
no exit status.
"""

from iwm_evals.measuring.tables import three_digits

from iwm_core.process.shown import tell
from iwm_core.process.tables import room, tabulated
from iwm_repro.record import Number, Record
from iwm_repro.shown import number_of


def pairs(found: Record, record: Record) -> list[tuple[str, str, Number, Number]]:
    """Each number that both have: its row, its column, what is found and what is on record."""
    recorded = {line.label: line.numbers for line in record.rows}
    return [
        (line.label, column, number, recorded[line.label][column])
        for line in found.rows
        for column, number in line.numbers.items()
        if column in recorded.get(line.label, {})
    ]


def is_inside(number: Number, recorded: Number) -> bool:
    """Whether a mean lies in the interval on record; a number without an interval must be the same to four digits."""
    slack = 5e-5 * abs(recorded.value)
    return recorded.low - slack <= number.value <= recorded.high + slack


def tell_inside(found: Record, record: Record) -> None:
    """Print each number beside the interval on record, and how many lie inside."""
    both = pairs(found, record)
    rows = [
        [label, column, three_digits(number.value), number_of(recorded, column), "yes" if is_inside(number, recorded) else "no"]
        for label, column, number, recorded in both
    ]
    for line in tabulated(["model", "number", "these seeds", "on record", "inside"], rows, room(), keep=1):
        tell(line)
    count = sum(is_inside(number, recorded) for _, _, number, recorded in both)
    told = f"seeds {', '.join(map(str, found.seeds))}: {count} of {len(both)} values lie inside of the intervals on record"
    lacking = sum(len(line.numbers) for line in record.rows) - len(both)
    more = f"; {lacking} more are on record, and have not been run with these seeds" if lacking else ""
    alone = "; with one training each on record, intervals are over images alone, and say nothing of other seeds"
    tell(f"{told} (seeds {', '.join(map(str, record.seeds))}){more}{alone if len(record.seeds) == 1 else ''}")
