"""How the documentation is built: ``sphinx-build -W --keep-going -b html docs OUT``.

Decisions:
- Pages are Markdown (myst-parser); the API reference comes from the docstrings (autodoc, napoleon).
- The README and its like lie where people look for them. Their pages here are one line that names the file; `mirrored` puts its text in.
- Links and images are checked by the build: it is run with warnings as errors, by `tests/whole/test_docs.py` too.
"""

import os
import re
from pathlib import Path
from typing import Any

from sphinx.domains.python import PyObject  # pyright: ignore[reportPrivateImportUsage]

DOCS = Path(__file__).parent
ROOT = DOCS.parent

project = "iwm"
author = "The iwm developers"
copyright = "The iwm developers, Apache-2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "iwm"
html_static_path = ["_static"]
html_css_files = ["iwm.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options: dict[str, Any] = {"navigation_with_keys": True}

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

default_role = "py:obj"  # `Draws` in a docstring is a link where the name is documented here, and code where it is not
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 130
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_default_options: dict[str, Any] = {"members": True}
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_ivar = True
toc_object_entries_show_parents = "hide"

MIRROR = re.compile(r"This page is \[[^]]*]\((?P<file>[^)]*)\) of the repository\.\s*")
LINK = re.compile(r"(?P<open>]\()(?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def mirrors() -> dict[Path, Path]:
    """The files outside this folder that pages show, and the page of each."""
    found = {}
    for page in DOCS.rglob("*.md"):
        if match := MIRROR.fullmatch(page.read_text(encoding="utf-8")):
            found[(page.parent / match["file"]).resolve()] = page
    return found


def mirrored(app: Any, docname: str, source: list[str]) -> None:
    """In the place of a page's one line, the text of the file that it names, its links led to pages."""
    page, pages = DOCS / f"{docname}.md", mirrors()
    if page not in pages.values():
        return
    file = next(file for file, shown in pages.items() if shown == page)
    app.env.note_dependency(str(file))

    def led(link: re.Match[str]) -> str:
        target = (file.parent / link["path"]).resolve()
        place = pages.get(target, target)
        return f"{link['open']}{Path(os.path.relpath(place, page.parent)).as_posix()}{link['anchor'] or ''})"

    source[0] = LINK.sub(led, file.read_text(encoding="utf-8"))


def mended(_app: Any, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """What stands close in the code, as reStructuredText wants it: a blank line before a list, and several names before one colon."""
    for place in reversed(range(len(lines))):
        if place and lines[place].startswith("- ") and lines[place - 1].endswith(":"):
            lines.insert(place, "")
        elif names := re.match(r":ivar (\w+(?:, \w+)+):", lines[place]):
            lines[place] = lines[place].replace(names[1], names[1].replace(", ", ","), 1)  # else all but the last are taken for a type


def left_out(_app: Any, _what: str, _name: str, thing: Any, _skip: bool, _options: Any) -> bool | None:
    """The fields of named tuples stand in their signatures."""
    return True if type(thing).__name__ == "_tuplegetter" else None


def setup(app: Any) -> None:
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"  # as the docstrings call them
    app.connect("source-read", mirrored)
    app.connect("autodoc-process-docstring", mended, priority=600)  # after napoleon
    app.connect("autodoc-skip-member", left_out)
