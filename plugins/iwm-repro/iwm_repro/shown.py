"""What is shown of a record: its table and rules, on a terminal or in a pipe, and as Markdown. Needs no torch."""

from iwm_evals.measuring.tables import three_digits

from iwm_core.process.shown import tell
from iwm_core.process.tables import room, tabulated
from iwm_repro.record import Line, Number, Record, Ruled

COUNTS = ("parameters",)
"""Columns of large whole numbers, by how their names end."""


def tell_record(record: Record) -> None:
    """Print a record."""
    tell(f"{record.claim} ({record.scale}): {record.says}")
    tell(f"on {record.data}; {seeds_in_words(record)}")
    for line in tabulated(["model", *record.columns], [cells(line, record.columns) for line in record.rows], room(), keep=1):
        tell(line)
    for rule in record.rules:
        tell(f"{rule.verdict}: {rule.says}: {interval_of(rule)}")
    tell(f"{verdict_in_words(record)}{lacking(record)}")


def cells(line: Line, columns: list[str]) -> list[str]:
    """A row as texts: each number with its interval, and the paper's figure in square brackets."""
    texts = [line.label]
    for column in columns:
        found = line.numbers.get(column)
        paper = f" [{line.paper[column]:g}]" if column in line.paper else ""
        texts.append(f"{number_of(found, column) if found else 'not run'}{paper}")
    return texts


def number_of(found: Number, column: str) -> str:
    """A number with its interval, if it has one: ``0.651 (0.585–0.707)``."""
    if column.endswith(COUNTS):
        return f"{found.value / 1000:,.0f} k" if found.value >= 1000 else f"{found.value:,.0f}"
    value = three_digits(found.value)
    return value if found.low == found.high else f"{value} ({three_digits(found.low)}–{three_digits(found.high)})"


def interval_of(rule: Ruled) -> str:
    """What a rule is about, with its interval, and where it wants it."""
    if rule.value is None or rule.low is None or rule.high is None:
        return "not run"
    ends = (f"above {rule.least:g}" if rule.least is not None else "", f"below {rule.most:g}" if rule.most is not None else "")
    wanted = " and ".join(end for end in ends if end and end not in ("above -1", "below 1")) or "anywhere"
    paper = f", the paper's {rule.paper:+.2f}" if rule.paper is not None else ""
    value, low, high = (three_digits(one, span=1) for one in (rule.value, rule.low, rule.high))  # rounding is no difference
    return f"{value} ({low} to {high}), asked: {wanted}{paper}"


def seeds_in_words(record: Record) -> str:
    """Which seeds are in the numbers, and so what the intervals cover."""
    if not record.seeds:
        return "nothing has been run"
    if len(record.seeds) == 1:
        return f"one training each (seed {record.seeds[0]}): intervals are over images alone"
    return f"means over the seeds {', '.join(map(str, record.seeds))}; 95 % intervals over seeds and images"


def verdict_in_words(record: Record) -> str:
    """The verdict; of a record without rules, that there is none."""
    return f"verdict: {record.verdict}" if record.rules else "no rule, and so no verdict"


def lacking(record: Record) -> str:
    """What has not been run, in brackets; nothing where all has."""
    count = "1 run has" if record.missing == 1 else f"{record.missing} runs have"
    return f" ({count} not finished)" if record.missing else ""


def as_markdown(record: Record) -> str:
    """The table and the rules of a record, as documents have them; the paper's figures in square brackets."""
    lines = ["| | " + " | ".join(record.columns) + " |", "|---" + "|--:" * len(record.columns) + "|"]
    lines += ["| " + " | ".join(cells(line, record.columns)) + " |" for line in record.rows]
    if record.rules:
        lines += ["", "| rule | difference or correlation | verdict |", "|---|---|---|"]
        lines += [f"| {rule.says} | {interval_of(rule)} | {rule.verdict} |" for rule in record.rules]
    told = verdict_in_words(record).replace("verdict:", "verdict at this size:")
    took = f"{record.cost.runs} runs, {record.cost.minutes:.0f} minutes of training on {record.cost.on}" if record.cost.runs else "none yet"
    lines += [
        "",
        f"**{told[0].upper()}{told[1:]}**{lacking(record)}. Measured on {record.data}; {seeds_in_words(record)}. "
        f"Command: `{record.command}`. Runs: {took}.",
    ]
    return "\n".join(lines)
