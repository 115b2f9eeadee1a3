"""Figures as SVG that stands inside the page.

Decisions:
- Colours are written as values that occur nowhere else and then replaced by the page's CSS variables: one drawing is right in light, in
  dark and in print. Text stays text, in the page's font.
- The same figure gives the same bytes: no date, a fixed salt for matplotlib's ids, the user's own matplotlib settings left aside.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, PALE, RULE, PAPER = "#010203", "#010204", "#010205", "#010206"
COLOURS = [f"#0102{16 + i:02x}" for i in range(7)]
VARIABLES = {INK: "--ink", PALE: "--pale", RULE: "--rule", PAPER: "--paper"} | {c: f"--series-{i + 1}" for i, c in enumerate(COLOURS)}
SERIES = "series-"
"""What the class of a series' drawing begins with, before its number: the page's script shows and hides it."""
SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "iwm",
    "text.parse_math": False,
    "font.size": 10.0,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True,
    "xtick.color": PALE,
    "ytick.color": PALE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.7,
    "figure.constrained_layout.use": True,
}

IN_TAGS = (
    (r"font: (?:\w+ )*?([\d.]+)px [^;\"]*", r"font-size: \1px"),
    (r"font-family: [^;\"]*; ", ""),
    (r' transform="rotate\(-0 [^"]*"', ""),
    (r"(\d\.\d\d)\d+", r"\1"),
    (r"\s*\n\s*", " "),
    ("|".join(VARIABLES), lambda found: f"var({VARIABLES[found[0]]})"),
)
"""What makes tags shorter, and font and colours the page's."""


@contextmanager
def own_settings() -> Iterator[None]:
    """Matplotlib's defaults with `SETTINGS`, whatever the user has set; the page's font has the letters that matplotlib's lacks."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        warnings.simplefilter("ignore", RuntimeWarning)  # of NumPy, about a loss of 1e308 that runs over in a chart's coordinates
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # for which its numbers are too long
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def inline(figure: Figure, prefix: str) -> str:
    """A figure as an element of an HTML page: colours by CSS variable, sizes by the page, ids of its own, nothing that is not seen."""
    file = io.StringIO()
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    FigureCanvasSVG(figure).print_svg(file, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    # The style would hold for the whole page, whose own says the same.
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<style.*?</style>", "", text[text.index("<svg") :], flags=re.DOTALL)
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))

    def shorten(tag: re.Match[str]) -> str:
        text = tag[0]
        if text.startswith("<svg"):
            text = re.sub(r' (xmlns(:\w+)?|version|width|height)="[^"]*"', "", text).replace("<svg", '<svg aria-hidden="true"')
        text = re.sub(rf' id="({SERIES}\d+)"', r' class="\1"', text)
        text = re.sub(r' id="([^"]+)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", text)
        text = re.sub(r'(?:xlink:)?(url\(|href=")#', rf"\1#{prefix}-", text)
        for pattern, short in IN_TAGS:
            text = re.sub(pattern, short, text)
        return text

    text = re.sub(r">\s+<", "><", re.sub("<[^>]+>", shorten, text))
    return re.sub(r"<defs>\s*</defs>|<g/>", "", text).strip()
