"""The page of a comparison of protocols: in the look of the reports, and as they are, one file that needs nothing else."""

from pathlib import Path
from typing import NamedTuple

from iwm_report.environment import make_environment
from iwm_report.page import breakable
from markupsafe import Markup

from iwm_core.process.shown import shown
from iwm_tasks.comparison.records import Comparison, Entry, Table, cells, headings, held_against, how_far, what_is_in_it
from iwm_tasks.comparison.tradeoff import draw_tradeoff, told


class Mark(NamedTuple):
    """Where an interval lies between the lowest and the highest end of its table, in per cent."""

    low: float
    value: float
    high: float


def render(comparison: Comparison) -> str:
    """The page, as text."""
    environment = make_environment(Path(__file__).parent / "templates")
    environment.filters |= {"breakable": breakable}
    order = list(comparison.protocols)
    tables = [
        {
            "table": table,
            "headings": headings(table),
            "rows": [(entry, cells(entry, comparison), mark(entry, table)) for entry in table.entries],
            "words": [*held_against(table), what_is_in_it(table)],
            "plot": Markup(draw_tradeoff(table, order, number)),
            "told": told(table),
        }
        for number, table in enumerate(comparison.tables, 1)
    ]
    devices = list(dict.fromkeys(entry.cost.device for table in comparison.tables for entry in table.entries))
    page = environment.get_template("comparison.html").render(
        comparison=comparison, shown=tables, how_far=how_far(comparison), devices=devices, several=len(tables) > 1
    )
    return shown(page, keep="\n")


def mark(entry: Entry, table: Table) -> Mark:
    """An entry's interval on the scale of its table."""
    low = min(one.metric.low for one in table.entries)
    width = max(one.metric.high for one in table.entries) - low or 1.0
    return Mark(*(100 * (value - low) / width for value in (entry.metric.low, entry.metric.value, entry.metric.high)))
