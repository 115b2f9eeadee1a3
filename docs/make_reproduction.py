"""Writes the tables of ``reproduction.md`` and its plot from the records of claims: ``python docs/make_reproduction.py``.

Decisions:
- Figures come from records alone; what is not on record is called not run. A test makes the page again and compares.
- The plot is written as SVG by hand: the same records give the same bytes on every machine.
"""

from html import escape
from pathlib import Path

from iwm_recipes.claims import CLAIMS
from iwm_repro.claim import SCALES, Claim
from iwm_repro.record import MISSING, Line, Record, file_of, read_if_there
from iwm_repro.shown import as_markdown

PAGE = Path(__file__).resolve().parent / "reproduction.md"
PLOT = "reproduction-equivariance-{}.svg"
BEGIN, END = "<!-- claims: made by python docs/make_reproduction.py -->", "<!-- end of claims -->"
WIDTH, HEIGHT, EDGE, GAP = 760, 330, 46, 60
LOOKS = ("#2a78d6", "#1baf7a")


def page(text: str) -> str:
    """The page with its claims made anew."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{claims()}\n{END}{rest.split(END)[1]}"


def claims() -> str:
    """A table of verdicts, then a section for each claim."""
    lines = ["| claim | " + " | ".join(f"`--scale {scale}`" for scale in SCALES) + " |", "|---" * (1 + len(SCALES)) + "|"]
    for claim in CLAIMS:
        verdicts = [record.verdict if (record := recorded(claim, scale)) else MISSING for scale in SCALES]
        lines.append(f"| [{claim.name}](#{claim.name}): {claim.says} | " + " | ".join(verdicts) + " |")
    for claim in CLAIMS:
        lines += ["", f"### {claim.name}", "", f"{claim.says[0].upper()}{claim.says[1:]}."]
        for scale in SCALES:
            if record := recorded(claim, scale):
                lines += ["", as_markdown(record)]
                if plots(record):
                    lines += ["", f"![{told(record)}]({PLOT.format(scale)})"]
            else:
                lines += ["", f"Scale {scale}: not run. Command: `iwm reproduce {claim.name} --scale {scale}`."]
    return "\n".join(lines)


def recorded(claim: Claim, scale: str) -> Record | None:
    """What is on record of a claim."""
    return read_if_there(file_of(claim.results, claim.name, scale))


def plots(record: Record) -> list[tuple[str, str]]:
    """The pairs of columns of a record that are drawn."""
    return [(record.columns[0], column) for column in record.columns[1:]] if record.claim == "equivariance" else []


def told(record: Record) -> str:
    """The plot in words."""
    pairs = "; ".join(f"{y} against {x}" for x, y in plots(record))
    return f"{pairs}, a point a model, with 95 % intervals; measured on {record.data}"


def drawn(record: Record) -> str:
    """The plot: two charts side by side, a numbered point for each model, with its intervals; names below each other at the right."""
    chart = (WIDTH - 220 - 2 * EDGE - GAP) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" role="img">',
        f"<title>{escape(told(record))}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for place, (x, y) in enumerate(plots(record)):
        parts += chart_of(record.rows, x, y, EDGE + place * (chart + GAP), chart, LOOKS[place % len(LOOKS)])
    for number, line in enumerate(record.rows, 1):
        parts.append(f'<text x="{WIDTH - 205}" y="{34 + 18 * number}" fill="#333333">{number} {escape(line.label)}</text>')
    caption = f"{record.data}; {'one training each' if len(record.seeds) == 1 else f'{len(record.seeds)} seeds'}"
    parts += [f'<text x="{EDGE}" y="{HEIGHT - 6}" fill="#666666" font-size="10">{escape(caption)}</text>', "</svg>"]
    return "\n".join(parts) + "\n"


def chart_of(lines: list[Line], x: str, y: str, left: float, width: float, look: str) -> list[str]:
    """One chart: its frame, its ends as numbers, its points."""
    both = [(number, line.numbers[x], line.numbers[y]) for number, line in enumerate(lines, 1) if {x, y} <= {*line.numbers}]
    top, height = 34, HEIGHT - 34 - 62
    parts = [
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height}" fill="none" stroke="#cccccc"/>',
        f'<text x="{left:.1f}" y="22" fill="#333333" font-weight="bold">{escape(y)}</text>',
        f'<text x="{left + width / 2:.1f}" y="{top + height + 32}" fill="#333333" text-anchor="middle">{escape(x)}</text>',
    ]
    if not both:
        return parts
    across = span([end for _, one, _ in both for end in (one.low, one.high)])
    upwards = span([end for _, _, one in both for end in (one.low, one.high)])

    def at(value: float) -> float:
        return left + width * (value - across[0]) / (across[1] - across[0])

    def up(value: float) -> float:
        return top + height * (1 - (value - upwards[0]) / (upwards[1] - upwards[0]))

    below = f'y="{top + height + 16}" fill="#666666" text-anchor="middle"'
    parts += [f'<text x="{at(value):.1f}" {below}>{value:.2f}</text>' for value in across]
    beside = f'x="{left - 5:.1f}" fill="#666666" text-anchor="end"'
    parts += [f'<text {beside} y="{up(value) + 4:.1f}">{value:.2f}</text>' for value in upwards]
    for number, one, other in both:
        cx, cy = at(one.value), up(other.value)
        parts += [
            f'<path d="M{at(one.low):.1f} {cy:.1f}H{at(one.high):.1f}M{cx:.1f} {up(other.low):.1f}V{up(other.high):.1f}" stroke="{look}" '
            'stroke-opacity="0.35"/>',
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3.5" fill="{look}"/>',
            f'<text x="{cx + 5:.1f}" y="{cy - 5:.1f}" fill="#333333">{number}</text>',
        ]
    return parts


def span(values: list[float]) -> tuple[float, float]:
    """The ends of an axis."""
    margin = 0.06 * (max(values) - min(values) or 1)
    return min(values) - margin, max(values) + margin


def main() -> None:
    """Write the page, and a plot for each record that has one."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    for name, text in pictures().items():
        (PAGE.parent / name).write_text(text, encoding="utf-8")


def pictures() -> dict[str, str]:
    """The plots by their files' names."""
    every = [(scale, record) for claim in CLAIMS for scale in SCALES if (record := recorded(claim, scale))]
    return {PLOT.format(scale): drawn(record) for scale, record in every if plots(record)}


if __name__ == "__main__":
    main()
