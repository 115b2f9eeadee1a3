"""Writes the tables of ``reproduction.md`` and its plots from the records of claims: ``python docs/make_reproduction.py``.

Decisions:
- Figures come from records alone; what is not on record is called not run. A test makes the page again and compares.
- Plots are written as SVG by hand: the same records give the same bytes on every machine.
"""

import math
from html import escape
from pathlib import Path

from iwm_recipes.claims import CLAIMS
from iwm_repro.claim import SCALES, Claim, Correlation
from iwm_repro.record import HOLDS, MISSING, OPEN, Line, Record, file_of, read_if_there
from iwm_repro.shown import as_markdown

PAGE = Path(__file__).resolve().parent / "reproduction.md"
PLOT = "reproduction-{}-{}.svg"
BEGIN, END = "<!-- claims: made by python docs/make_reproduction.py -->", "<!-- end of claims -->"
WIDTH, HEIGHT, TOP, EDGE, GAP = 760, 330, 34, 46, 60
LOOKS = ("#2a78d6", "#1baf7a")


def page(text: str) -> str:
    """The page with its claims made anew."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{claims()}\n{END}{rest.split(END)[1]}"


def claims() -> str:
    """A table of verdicts, then a section for each claim."""
    lines = ["| claim | " + " | ".join(f"`--scale {scale}`" for scale in SCALES) + " |", "|---" * (1 + len(SCALES)) + "|"]
    for claim in CLAIMS:
        verdicts = [in_brief(record) if (record := recorded(claim, scale)) else MISSING for scale in SCALES]
        lines.append(f"| [{claim.name}](#{claim.name}): {claim.says} | " + " | ".join(verdicts) + " |")
    for claim in CLAIMS:
        lines += ["", f"### {claim.name}", "", f"{claim.says[0].upper()}{claim.says[1:]}."]
        for scale in SCALES:
            if record := recorded(claim, scale):
                lines += ["", as_markdown(record)]
                if plot := picture(claim, record):
                    lines += ["", f"![{plot[0]}]({PLOT.format(claim.name, scale)})"]
            else:
                lines += ["", f"Scale {scale}: not run. Command: `iwm reproduce {claim.name} --scale {scale}`."]
    return "\n".join(lines)


def in_brief(record: Record) -> str:
    """The verdict; where it is open, how many rules hold."""
    held = sum(rule.verdict == HOLDS for rule in record.rules)
    return f"{record.verdict}: {held} of {len(record.rules)} rules hold" if record.verdict == OPEN else record.verdict


def recorded(claim: Claim, scale: str) -> Record | None:
    """What is on record of a claim."""
    return read_if_there(file_of(claim.results, claim.name, scale))


def plots(claim: Claim, scale: str) -> list[tuple[str, str]]:
    """The pairs of columns of a claim whose correlation it is about."""
    return [(rule.x, rule.y) for rule in claim.sizes[scale].rules if isinstance(rule, Correlation)]


def picture(claim: Claim, record: Record) -> tuple[str, str] | None:
    """The plot of a claim about correlations, or of one without rules, in words and as SVG; None of any other."""
    if pairs := plots(claim, record.scale):
        told = f"{'; '.join(f'{y} against {x}' for x, y in pairs)}, a point a model, with 95 % intervals; measured on {record.data}"
        return told, scattered(record, pairs, told)
    if not claim.sizes[record.scale].rules:
        told = f"{' and '.join(record.columns)} of each model, with 95 % intervals; measured on {record.data}"
        return told, listed(record, told)
    return None


def scattered(record: Record, pairs: list[tuple[str, str]], told: str) -> str:
    """A chart for each pair, side by side, with a numbered point for each model; names below each other at the right."""
    chart = (WIDTH - 220 - 2 * EDGE - GAP) / 2
    parts = list[str]()
    for place, (x, y) in enumerate(pairs):
        parts += chart_of(record, x, y, EDGE + place * (chart + GAP), chart, LOOKS[place % len(LOOKS)])
    for number, line in enumerate(record.rows, 1):
        parts.append(f'<text x="{WIDTH - 205}" y="{TOP + 18 * number}" fill="#333333">{number} {escape(line.label)}</text>')
    return drawn(record, parts, told, EDGE, HEIGHT)


def listed(record: Record, told: str) -> str:
    """A line for each model, and a chart for each column beside: its point and interval, and a line at the first model's."""
    height, left = 20 * len(record.rows), 270
    chart = (WIDTH - left - EDGE / 2) / len(record.columns) - 20
    parts = [
        f'<text x="{left - 14}" y="{TOP + 20 * place + 14}" fill="#333333" text-anchor="end">{escape(line.label)}</text>'
        for place, line in enumerate(record.rows)
    ]
    for place, column in enumerate(record.columns):
        parts += column_of(record.rows, column, left + place * (chart + 20), chart, height, LOOKS[place % len(LOOKS)])
    return drawn(record, parts, told, EDGE, TOP + height + 46)


def drawn(record: Record, parts: list[str], told: str, left: float, height: float) -> str:
    """A plot of these parts, with what it was measured on below. Its ground is white in any page, so that it is legible on a dark one."""
    caption = f"{record.data}; {'one training each' if len(record.seeds) == 1 else f'{len(record.seeds)} seeds'}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11" role="img">',
        f"<title>{escape(told)}</title>",
        f'<rect width="{WIDTH}" height="{height}" rx="6" fill="#ffffff"/>',
        *parts,
        f'<text x="{left}" y="{height - 8}" fill="#666666" font-size="10">{escape(caption)}</text>',
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def column_of(lines: list[Line], column: str, left: float, width: float, height: float, look: str) -> list[str]:
    """A column's chart: its frame, its ends as numbers, a point with its interval on each line."""
    parts = framed(column, left, width, height)
    there = [(TOP + 20 * place + 10, line.numbers[column]) for place, line in enumerate(lines) if column in line.numbers]
    if not there:
        return parts
    ends = span([end for _, one in there for end in (one.low, one.high)])

    def at(value: float) -> float:
        return left + width * (value - ends[0]) / (ends[1] - ends[0])

    anchors = zip(ends, ("start", "end"), strict=True)
    below = f'y="{TOP + height + 16}" fill="#666666"'
    parts += [f'<text x="{at(value):.1f}" {below} text-anchor="{anchor}">{end_of(value)}</text>' for value, anchor in anchors]
    if column in lines[0].numbers:
        usual = at(lines[0].numbers[column].value)
        parts.append(f'<path d="M{usual:.1f} {TOP}v{height}" stroke="#999999" stroke-dasharray="3 3"/>')
    for y, one in there:
        parts += [
            f'<path d="M{at(one.low):.1f} {y}H{at(one.high):.1f}" stroke="{look}" stroke-opacity="0.5" stroke-width="2"/>',
            f'<circle cx="{at(one.value):.1f}" cy="{y}" r="3.5" fill="{look}"/>',
        ]
    return parts


def framed(title: str, left: float, width: float, height: float) -> list[str]:
    """A chart's title and frame."""
    return [
        f'<rect x="{left:.1f}" y="{TOP}" width="{width:.1f}" height="{height}" fill="none" stroke="#cccccc"/>',
        f'<text x="{left:.1f}" y="22" fill="#333333" font-weight="bold">{escape(title)}</text>',
    ]


def chart_of(record: Record, x: str, y: str, left: float, width: float, look: str) -> list[str]:
    """One chart: its frame, its ends as numbers, its points."""
    both = [(number, line.numbers[x], line.numbers[y]) for number, line in enumerate(record.rows, 1) if {x, y} <= {*line.numbers}]
    height = HEIGHT - TOP - 62
    label = f'<text x="{left + width / 2:.1f}" y="{TOP + height + 32}" fill="#333333" text-anchor="middle">{escape(x)}</text>'
    parts = [*framed(y, left, width, height), label]
    if not both:
        return parts
    across = span([end for _, one, _ in both for end in (one.low, one.high)])
    upwards = span([end for _, _, one in both for end in (one.low, one.high)])

    def at(value: float) -> float:
        return left + width * (value - across[0]) / (across[1] - across[0])

    def up(value: float) -> float:
        return TOP + height * (1 - (value - upwards[0]) / (upwards[1] - upwards[0]))

    below = f'y="{TOP + height + 16}" fill="#666666" text-anchor="middle"'
    parts += [f'<text x="{at(value):.1f}" {below}>{end_of(value)}</text>' for value in across]
    beside = f'x="{left - 5:.1f}" fill="#666666" text-anchor="end"'
    parts += [f'<text {beside} y="{up(value) + 4:.1f}">{end_of(value)}</text>' for value in upwards]
    points = [(number, at(one.value), up(other.value)) for number, one, other in both]
    for (_, one, other), (_, cx, cy) in zip(both, points, strict=True):
        parts += [
            f'<path d="M{at(one.low):.1f} {cy:.1f}H{at(one.high):.1f}M{cx:.1f} {up(other.low):.1f}V{up(other.high):.1f}" stroke="{look}" '
            'stroke-opacity="0.5"/>',
            f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3.5" fill="{look}"/>',
        ]
    return parts + numbers_beside(points)


def numbers_beside(points: list[tuple[int, float, float]]) -> list[str]:
    """Each point's number, at that of its four corners where other points and numbers are farthest."""
    parts, taken = list[str](), [(x, y) for _, x, y in points]
    for number, x, y in points:
        others = [one for one in taken if one != (x, y)]
        corners = [(side * (5 + 3 * len(str(number))), rise) for rise in (-9, 9) for side in (1, -1)]
        across, rise = max(corners, key=lambda c: min([16.0, *(math.dist((x + c[0], y + c[1]), other) for other in others)]))
        taken.append((x + across, y + rise))
        halo = 'stroke="#ffffff" stroke-width="2.5" paint-order="stroke"'
        parts.append(f'<text x="{x + across:.1f}" y="{y + rise + 4:.1f}" fill="#333333" text-anchor="middle" {halo}>{number}</text>')
    return parts


def end_of(value: float) -> str:
    """A number at the end of an axis."""
    return f"{value:.2f}".replace("-", "−")


def span(values: list[float]) -> tuple[float, float]:
    """The ends of an axis."""
    margin = 0.06 * (max(values) - min(values) or 1)
    return min(values) - margin, max(values) + margin


def main() -> None:
    """Write the page, and the plots."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    for name, text in pictures().items():
        (PAGE.parent / name).write_text(text, encoding="utf-8")


def pictures() -> dict[str, str]:
    """The plots by their files' names."""
    every = [(claim, record) for claim in CLAIMS for scale in SCALES if (record := recorded(claim, scale))]
    return {PLOT.format(claim.name, record.scale): plot[1] for claim, record in every if (plot := picture(claim, record))}


if __name__ == "__main__":
    main()
