"""What is shown of a record: its table and rules, for a terminal of 80 columns and as Markdown. Needs no torch."""

from rich.table import Table

from iwm_core.process.display import NamesConsole
from iwm_core.process.shown import three_digits
from iwm_repro.record import Line, Number, Record, Ruled

WIDTH = 80
COUNTS = ("parameters",)
"""Columns of large whole numbers, by how their names end."""


def tell_record(record: Record) -> None:
    """Print a record."""
    console = NamesConsole(width=WIDTH, no_color=True)
    console.print(f"{record.claim} ({record.scale}): {record.says}")
    console.print(f"on {record.data}; {seeds_in_words(record)}")
    console.print(as_table(record))
    for rule in record.rules:
        console.print(f"  {rule.verdict}: {rule.says}: {interval_of(rule)}")
    console.print(f"verdict: {record.verdict}{lacking(record)}")


def as_table(record: Record) -> Table:
    """The table of a record for a terminal."""
    made = Table(box=None, pad_edge=False)
    for place, name in enumerate(["", *record.columns]):
        made.add_column(name, justify="right" if place else "left", overflow="fold")
    for line in record.rows:
        made.add_row(*cells(line, record.columns, narrow=True))
    return made


def cells(line: Line, columns: list[str], narrow: bool = False) -> list[str]:
    """A row as texts: each number with its interval, in a line below where it must be ``narrow``, and the paper's figure."""
    texts = [line.label]
    for column in columns:
        found = line.numbers.get(column)
        text = number_of(found, column, "\n" if narrow else " ") if found else "not run"
        texts.append(f"{text}{f' [{line.paper[column]:g}]' if column in line.paper and not narrow else ''}")
    return texts


def number_of(found: Number, column: str, between: str = " ") -> str:
    """A number with its interval, if it has one: ``0.651 (0.585–0.707)``."""
    if column.endswith(COUNTS):
        return f"{found.value / 1000:,.0f} k" if found.value >= 1000 else f"{found.value:,.0f}"
    value = three_digits(found.value)
    return value if found.low == found.high else f"{value}{between}({three_digits(found.low)}–{three_digits(found.high)})"


def interval_of(rule: Ruled) -> str:
    """What a rule is about, with its interval, and where it wants it."""
    if rule.value is None or rule.low is None or rule.high is None:
        return "not run"
    ends = (f"above {rule.least:g}" if rule.least is not None else "", f"below {rule.most:g}" if rule.most is not None else "")
    wanted = " and ".join(end for end in ends if end and end not in ("above -1", "below 1")) or "anywhere"
    paper = f", the paper's {rule.paper:+.2f}" if rule.paper is not None else ""
    return f"{three_digits(rule.value)} ({three_digits(rule.low)} to {three_digits(rule.high)}), asked: {wanted}{paper}"


def seeds_in_words(record: Record) -> str:
    """Which seeds are in the numbers, and so what the intervals cover."""
    if not record.seeds:
        return "nothing has been run"
    if len(record.seeds) == 1:
        return f"one training each (seed {record.seeds[0]}): intervals are over images alone"
    return f"means over the seeds {', '.join(map(str, record.seeds))}; 95 % intervals over seeds and images"


def lacking(record: Record) -> str:
    """What has not been run, in brackets; nothing where all has."""
    return f" ({record.missing} runs have not finished)" if record.missing else ""


def as_markdown(record: Record) -> str:
    """The table and the rules of a record, as documents have them; the paper's figures in square brackets."""
    lines = ["| | " + " | ".join(record.columns) + " |", "|---" + "|--:" * len(record.columns) + "|"]
    lines += ["| " + " | ".join(cells(line, record.columns)) + " |" for line in record.rows]
    lines += ["", "| rule | difference or correlation | verdict |", "|---|---|---|"]
    lines += [f"| {rule.says} | {interval_of(rule)} | {rule.verdict} |" for rule in record.rules]
    took = f"{record.cost.runs} runs, {record.cost.minutes:.0f} minutes of training on {record.cost.on}" if record.cost.runs else "none yet"
    lines += [
        "",
        f"**Verdict at this size: {record.verdict}**{lacking(record)}. Measured on {record.data}; {seeds_in_words(record)}. "
        f"Command: `{record.command}`. Runs: {took}.",
    ]
    return "\n".join(lines)
