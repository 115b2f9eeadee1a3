"""Tables and curves as files to take along: CSV for spreadsheets, JSON for programs, as addresses inside the page."""

import csv
import io
import json
import math
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

from iwm_core.interfaces.results import Metric
from iwm_report.joined_charts import Panel
from iwm_report.score_table import ScoreTable


class Download(NamedTuple):
    """A file inside the page: its name, and its content as an address."""

    name: str
    address: str

    @property
    def kind(self) -> str:
        """What the link says."""
        return self.name.rpartition(".")[2].upper()


def downloads(name: str, rows: Sequence[dict[str, Any]]) -> list[Download]:
    """Rows of the same columns as a CSV and a JSON file."""
    if not rows:
        return []
    table = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(table, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows({key: "" if value is None else guarded(value) for key, value in row.items()} for row in rows)
    content = json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False)
    return [Download(f"{name}.csv", address("text/csv", table.getvalue())), Download(f"{name}.json", address("application/json", content))]


def guarded(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def address(kind: str, text: str) -> str:
    """A text as a data address."""
    return f"data:{kind};base64,{b64encode(text.encode()).decode()}"


def rows_of_table(card: ScoreTable, labels: Sequence[str]) -> list[dict[str, Any]]:
    """An evaluator's metrics and controls, a row for each of every run."""
    rows = []
    for group in [*card.groups, *card.details]:
        for line in group.lines:
            name = group.name_of(line)
            for control, values in {"": line.values, **line.controls}.items():
                rows += [
                    {"run": label, "metric": name, "control": control, **numbers(metric)}
                    for label, metric in zip(labels, values, strict=True)
                    if metric
                ]
    return rows


def numbers(metric: Metric) -> dict[str, float | int | None]:
    """A metric's numbers; those that are not finite are left out."""
    return {"value": finite(metric.value), "low": finite(metric.low), "high": finite(metric.high), "n": metric.n}


def rows_of_chart(panels: Sequence[Panel]) -> list[dict[str, Any]]:
    """The points of a chart's series, of all its panels."""
    rows = []
    for panel in panels:
        for one in panel.chart.series:
            for place, (x, y) in enumerate(zip(one.x, one.y, strict=True)):
                ends = {"low": finite(one.low[place]), "high": finite(one.high[place])} if one.low and one.high else {}
                rows.append({**({"run": panel.label} if panel.label else {}), "series": one.label, "x": x, "y": finite(y), **ends})
    return rows


def finite(number: Any) -> Any:
    """A number, or None where it is not finite."""
    return number if not isinstance(number, float) or math.isfinite(number) else None
