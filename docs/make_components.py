"""Writes ``components.md``, the table of components: ``python docs/make_components.py``.

Decisions:
- It shows what ``iwm components --json`` and ``iwm components KIND NAME --json`` tell, and nothing that a release changes by itself.
- Only components of this repository's distributions are in it, whatever else is installed.
"""

import contextlib
import io
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

from iwm_devkit.listing.components import run_components

from iwm_core.cli.listing import Listing

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "components.md"

KINDS = {
    "encoder": ("Encoders", "`encoder=NAME`"),
    "predictor": ("Predictors", "`predictor=NAME`"),
    "target_selector": ("Target selectors", "`targets=NAME`"),
    "action": ("Actions", "`actions=[NAME,…]`, in the order in which they are applied"),
    "data_source": ("Data sources", "`data=NAME`"),
    "evaluator": ("Evaluators", "`evaluators=[NAME,…]`"),
    "search": ("Searches", "`model.plan(source, goal, 'NAME')` in Python: which action leads from one image to another"),
    "task": ("Tasks", "`tasks=[NAME,…]` in `iwm tune`"),
    "protocol": ("Protocols", "`protocol=NAME` in `iwm tune`; each has a recipe `tune/…`"),
    "head": ("Heads", "`heads=[NAME,…]` in `iwm tune`; each task takes the first that fits it"),
}
"""Headings of the kinds, and how a recipe chooses one."""

TOP = """# Components

What the distributions of this repository bring, with every option. `iwm components` lists what is installed on your machine, plugins
of others too, and `iwm components KIND NAME` the options of one. How they are chosen and set: [recipes](recipes.md).

*This page is generated: `python docs/make_components.py`.*
"""


def told(*words: str) -> list[dict[str, str]]:
    """What ``iwm components … --json`` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as text:
        assert run_components([*words], Listing(json=True)) == 0
    return json.loads(text.getvalue())


def distributions() -> set[str]:
    """The names of this repository's distributions."""
    files = [ROOT / "pyproject.toml", ROOT / "recipes/pyproject.toml", *ROOT.glob("plugins/*/pyproject.toml")]
    return {tomllib.loads(file.read_text(encoding="utf-8"))["project"]["name"] for file in files}


def page() -> str:
    """The text of ``components.md``."""
    ours = distributions()
    found = [row for row in told() if row["distribution"] in ours]
    missing = {row["kind"] for row in found} - KINDS.keys()
    assert not missing, f"name the kind {', '.join(missing)} in KINDS of docs/make_components.py"
    return "\n".join([TOP, *(line for kind in KINDS for line in of_kind(kind, [row for row in found if row["kind"] == kind]))])


def of_kind(kind: str, rows: list[dict[str, str]]) -> Iterator[str]:
    """The lines about one kind: a table of its components, then the options of each."""
    title, chosen = KINDS[kind]
    yield from (f"## {title}", "", f"Chosen by {chosen}.", "")
    options = {row["name"]: told(kind, row["name"]) for row in rows}
    linked = {name: f"[`{name}`](#{anchor(kind, name)})" if options[name] else f"`{name}`" for name in options}
    yield from table(("name", "from", "what it is"), [(linked[r["name"]], r["distribution"], prose(r["about"])) for r in rows])
    for name in [name for name in options if options[name]]:
        yield from (f"### {kind.replace('_', ' ').capitalize()} `{name}`", "")
        cells = [(code(o["name"]), code(o["type"]), code(o["default"]), prose(o["range"]), prose(o["doc"])) for o in options[name]]
        yield from table(("option", "type", "default", "values", "what it is"), cells)


def anchor(kind: str, name: str) -> str:
    """What a link to the options of a component leads to: their heading, as Markdown makes anchors of it."""
    return f"{kind.replace('_', '-')}-{name}"


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """The lines of a table, and an empty one."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def code(text: str) -> str:
    """A cell in the letters of code."""
    return "`" + text.replace("|", "\\|") + "`" if text else ""


def prose(text: str) -> str:
    """A cell as text, without the signs that Markdown would take for its own."""
    for sign in "\\|<>*_[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")
