"""Whether values of other seeds lie inside of the intervals that are on record. Needs no torch."""

from rich.table import Table

from iwm_core.process.display import NamesConsole
from iwm_core.process.shown import three_digits
from iwm_repro.record import Number, Record
from iwm_repro.shown import WIDTH, number_of


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
    console, table = NamesConsole(width=WIDTH, no_color=True), Table(box=None, pad_edge=False)
    for name in ("", "number", "these seeds", "on record", "inside"):
        table.add_column(name, overflow="fold")
    both = pairs(found, record)
    for label, column, number, recorded in both:
        inside = "yes" if is_inside(number, recorded) else "no"
        table.add_row(label, column, three_digits(number.value), number_of(recorded, column), inside)
    console.print(table)
    count = sum(is_inside(number, recorded) for _, _, number, recorded in both)
    told = f"seeds {', '.join(map(str, found.seeds))}: {count} of {len(both)} values lie inside of the intervals on record"
    console.print(f"{told} (seeds {', '.join(map(str, record.seeds))})")
