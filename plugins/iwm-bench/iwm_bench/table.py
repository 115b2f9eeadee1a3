"""A record as a table, and two records side by side."""

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from iwm_bench.record import Arm, Record, Spread
from iwm_core.process.shown import shown


def table(record: Record) -> Group:
    """A line for each arm, as wide as a terminal of 80 columns, between what was measured and what the figures stand for."""
    tokens, compiled = record.tokens, ", compiled" if record.compiled else ""
    parts = f"{tokens.all} + {tokens.context} + {tokens.groups}×{tokens.each}"
    made = arms("images/s", "tokens/s", "ms", "MFU", "data", "GB", "ops", "waits")
    for name, arm in record.arms.items():
        made.add_row(name, *line(arm))
    return Group(
        text(f"{record.recipe} on {where(record)}: {record.precision}{compiled}, {record.images} images a step", "bold"),
        made,
        text(
            f"tokens an image: {parts} = {tokens.total} (teacher, context, predicted)\n"
            f"{record.gflop:.3g} GFLOP an image; products of {record.product_side}³ reach {rate(record.product_tflops.median)} here\n"
            "medians (smallest–largest); ms, ops, waits: of a step, as dispatched, uncompiled"
        ),
    )


def line(arm: Arm) -> list[str]:
    """An arm's figures in words."""
    pace = arm.images_per_s
    return [
        f"{short(pace.median)} ({short(pace.min)}–{short(pace.max)})",
        short(arm.tokens_per_s.median) if arm.tokens_per_s else "",
        short(arm.seconds.median * 1e3),
        f"{arm.mfu.median:.0%}" if arm.mfu else "",
        f"{arm.data_wait.median:.0%}",
        f"{arm.peak_memory / 1e9:.3g}",
        str(arm.operations),
        str(arm.waits),
    ]


def compared(record: Record, earlier: Record, path: Path) -> Group:
    """Ratios of a record to an earlier one of the same recipe, for the arms that both have; what differs between them is named."""
    made = arms("images/s", "of any two blocks", "ops", "memory")
    for name, arm in record.arms.items():
        if before := earlier.arms.get(name):
            ratio = over(arm.images_per_s, before.images_per_s)
            counts = arm.operations / before.operations, arm.peak_memory / before.peak_memory
            made.add_row(name, f"{ratio.median:.2f}", f"{ratio.min:.2f}–{ratio.max:.2f}", *(f"{count:.2f}" for count in counts))
    return Group(text(f"as a multiple of {path}", "bold"), made, text("\n".join(differences(record, earlier))))


def differences(record: Record, earlier: Record) -> list[str]:
    """What differs between two records besides their figures, a line each: device, settings, versions."""
    devices = {"another device": (where(earlier), where(record))} if where(record) != where(earlier) else {}
    before, now = flat(earlier.config), flat(record.config)
    settings = {key: (before.get(key), now.get(key)) for key in sorted(before.keys() | now.keys())}
    versions = {name: (earlier.versions.get(name), version) for name, version in record.versions.items()}
    return [f"{what}: {old} → {new}" for what, (old, new) in (devices | settings | versions).items() if old != new]


def over(now: Spread, before: Spread) -> Spread:
    """The ratio of two medians, and the least and the most of any two blocks."""
    return Spread(now.median / before.median, now.min / before.max, now.max / before.min)


def arms(*columns: str) -> Table:
    """An empty table whose first column names arms."""
    made = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    made.add_column("arm", no_wrap=True)
    for column in columns:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def text(lines: str, style: str = "") -> Text:
    """Lines above or below a table; what is in them can say nothing but itself."""
    return Text(shown(lines, keep="\n"), style)


def rate(tflops: float) -> str:
    """Operations a second in words."""
    return f"{tflops:.3g} TFLOP/s" if tflops >= 1 else f"{tflops * 1e3:.3g} GFLOP/s"


def where(record: Record) -> str:
    """What a record was measured on."""
    return f"{record.device_name}, {record.threads} {'thread' if record.threads == 1 else 'threads'}"


def short(number: float) -> str:
    """A number in three digits or so."""
    for scale, sign in ((1e6, "M"), (1e3, "k")):
        if number >= 10 * scale:
            return f"{number / scale:.3g}{sign}"
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def flat(config: Any, place: str = "") -> dict[str, Any]:
    """A config's values by their dotted keys."""
    if not isinstance(config, dict):
        return {place: config}
    return {key: value for name, part in config.items() for key, value in flat(part, f"{place}.{name}" if place else str(name)).items()}
