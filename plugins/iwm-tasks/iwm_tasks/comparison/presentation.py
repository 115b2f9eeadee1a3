"""Writes and shows a comparison: JSON for programs, Markdown for a README, a page and a picture for the eye, a table on the terminal."""

import json
from pathlib import Path
from typing import Any

from iwm_core.process.shown import shown, tell
from iwm_core.process.tables import room, tabulated
from iwm_core.run.directory import finite
from iwm_core.run.files import write_atomically
from iwm_tasks.comparison.comparison_page import can_write_page, have_page_written
from iwm_tasks.comparison.records import Comparison, ProtocolResult, headings, held_against, how_far, row_cells, what_is_in_it


def write_comparison(comparison: Comparison, folder: Path) -> list[Path]:
    """Write ``comparison.md`` and ``.json`` into a folder and, where iwm-report is installed, ``.html``, ``.png`` and ``.svg``.

    Returns their paths.

    Raises:
        UserError: they cannot be written.
    """
    markdown, plain = folder / "comparison.md", folder / "comparison.json"
    write_atomically(markdown, as_markdown(comparison))
    write_atomically(plain, json.dumps(finite(as_json(comparison)), indent=1, ensure_ascii=False))
    return [markdown, *(have_page_written(comparison, folder) if can_write_page() else []), plain]


def as_json(comparison: Comparison) -> dict[str, Any]:
    """A comparison as JSON tells it."""
    about = comparison._asdict()
    del about["tables"]
    tables = [{**table._asdict(), "entries": [entry_as_json(entry) for entry in table.entries]} for table in comparison.tables]
    return about | {"tables": tables}


def entry_as_json(entry: ProtocolResult) -> dict[str, Any]:
    """A row as JSON tells it."""
    own = {"protocol": entry.protocol, "metric": entry.metric.written(), "values": entry.values}
    return own | entry.cost._asdict() | {"trained_fraction": entry.cost.trained / entry.cost.parameters}


def as_markdown(comparison: Comparison) -> str:
    """The tables in Markdown, with what must be known to read them."""
    lines = []
    for table in comparison.tables:
        names = headings(table)
        lines += [f"**{table.task}**", ""] if len(comparison.tables) > 1 else []
        lines += [row_of(names), "|" + "|".join(["---", *["--:"] * (len(names) - 1)]) + "|"]
        lines += [row_of([f"`{entry.protocol}`", *row_cells(entry, comparison)[1:]]) for entry in table.entries]
        lines += ["", *held_against(table), what_is_in_it(table), ""]
    lines += [how_far(comparison), ""] if comparison.missing else []
    return shown("\n".join([*lines, f"Made by `{comparison.command}`."]) + "\n", keep="\n")


def row_of(texts: list[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"


def show_tables(comparison: Comparison) -> None:
    """Print the tables."""
    for table in comparison.tables:
        tell(f"{comparison.name}: {table.task}")
        rows = [row_cells(entry, comparison) for entry in table.entries]
        for text in (*tabulated(headings(table), rows, room(), keep=2, numbers=True), *held_against(table), what_is_in_it(table)):
            tell(text)
    if comparison.missing:
        tell(how_far(comparison))
