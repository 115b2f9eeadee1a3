"""Writes the package of a new plugin from a template.

Decisions:
- A template is a working package by the name of ``example`` (`iwm_devkit.scaffold.templates`); the files
  that all share are in ``shared/``. So our own linter, formatter and type checker read them, and so can anybody.
- A package is made beside its place under another name and then moved there: there is all of it or nothing.
- The licence is the one that is installed with iwm-core, not a copy of it.
"""

import ast
import importlib.metadata
import os
import re
import sys
import tempfile
from pathlib import Path

from iwm_core import __version__
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.distributions import CORE
from iwm_core.plugins.loader import load_plugins
from iwm_core.run.files import writing
from iwm_devkit.scaffold.naming import Names
from iwm_devkit.scaffold.templates import Template, template_of
from iwm_devkit.versions import bounds

HERE = Path(__file__).parent
FILES = "__init__.py", "example.py", "test_example.py"
"""What a template is made of."""
OPTIONS = "its options, with their defaults and ranges"


def write_package(template: Template, names: Names, into: Path) -> Path:
    """Write the package of a plugin with one component into a folder; returns the package's folder.

    Raises:
        UserError: there is such a folder already, or none can be made there.
    """
    target = into / names.distribution
    if os.path.lexists(target):
        raise UserError(f"{target} exists, and nothing is overwritten; choose another name, or another place with --into FOLDER")
    if not into.is_dir():
        raise UserError(f"there is no folder {into}; make it first, or choose another place with --into FOLDER")
    files = package_files(template, names)
    with (
        writing(target, instead="choose another place with --into FOLDER"),
        tempfile.TemporaryDirectory(prefix=f".{names.distribution}-", dir=into) as beside,
    ):
        made = Path(beside, names.distribution)  # inside, because a temporary folder is closed to others, and this one is not
        for path, text in files.items():
            (made / path).parent.mkdir(parents=True, exist_ok=True)
            (made / path).write_text(text, encoding="utf-8")
        made.rename(target)
    return target


def package_files(template: Template, names: Names) -> dict[str, str]:
    """The texts of a package by their paths in it."""
    module = names.module
    places = f"{module}/__init__.py", f"{module}/{names.component}.py", f"tests/test_{names.component}.py"
    code = {path: read(template.folder / file) for path, file in zip(places, FILES, strict=True)}
    shared = {"pyproject.toml": HERE / "shared/example.toml", "README.md": HERE / "shared/README.md"}  # a real pyproject.toml is a project
    texts = {path: sort_imports(rename(text, template, names), module) for path, text in code.items()}
    return (
        {"LICENSE": licence()}
        | {path: rename(for_template(read(file), template), template, names) for path, file in shared.items()}
        | texts
    )


def rename(text: str, template: Template, names: Names) -> str:
    """A template's text by the plugin's own names."""
    new = {
        template.module: names.module,
        "iwm-example": names.distribution,
        "iwm_example": names.module,
        "Example": names.cls,
        "example": names.component,
    }
    # All at once: a name may itself have "example" in it.
    return re.sub(f"(?:{'|'.join(map(re.escape, new))})(?!s=)", lambda found: new[found[0]], text)  # examples= is a field of verbs


def for_template(text: str, template: Template) -> str:
    """A shared file, which is written as for an action, as for another template, and for the versions that are installed."""
    action = template_of("action")
    for old, new in (
        ('"iwm-core>=0.1,<0.2"', ", ".join(f'"{name}{bounds(version)}"' for name, version in needs(template).items())),
        (">=0.1,<0.2", bounds(__version__)),  # of the kit, which goes with the core
        (action.use, template.use),
        (action.listing, template.listing),
        (OPTIONS, OPTIONS if template.kind != "command" else "how it is used"),
        (" action ", f" {template.words} "),
    ):
        text = text.replace(old, new)
    return text


def needs(template: Template) -> dict[str, str]:
    """The distributions that a template's package needs, with their versions: the core, and whose code or hook it builds on.

    Raises:
        UserError: one is not installed.
    """
    known = {"iwm_core": (CORE, __version__)}
    known |= {p.module.__name__.partition(".")[0]: (p.distribution, p.version) for p in load_plugins().plugins if p.module}
    wanted = ["iwm_core", template.module.partition(".")[0], *imported(template)]
    tops = [top for top in dict.fromkeys(wanted) if top != "iwm_devkit"]
    if missing := [top for top in tops if top not in known]:
        raise UserError(f"the template of the kind {template.kind!r} builds on {missing[0]}: pip install {missing[0].replace('_', '-')}")
    return dict(known[top] for top in tops)


def imported(template: Template) -> list[str]:
    """The packages of iwm's that a template's code imports, besides its own; not those that its tests alone do."""
    parts = [part for file in FILES[:2] for part in ast.walk(ast.parse(read(template.folder / file)))]
    modules = [part.module for part in parts if isinstance(part, ast.ImportFrom) and part.module]
    return sorted(name.partition(".")[0] for name in modules if name.startswith("iwm_") and not name.startswith(template.module))


def sort_imports(text: str, own: str) -> str:
    """A module with its imports in their usual order, which depends on the package's name: standard library, others, own."""
    imports = []
    for part in ast.parse(text).body[1:]:  # behind the docstring
        if not isinstance(part, ast.Import | ast.ImportFrom):
            break
        imports.append(part)
    places: dict[int, list[tuple[bool, str, str]]] = {}
    for part in imports:
        name = part.names[0].name if isinstance(part, ast.Import) else str(part.module)
        top = name.split(".")[0]
        place = 0 if top in sys.stdlib_module_names else 2 if top == own else 1
        places.setdefault(place, []).append((isinstance(part, ast.ImportFrom), name, ast.unparse(part)))
    lines = text.splitlines()
    blocks = ["\n".join(line for *_, line in sorted(places[place])) for place in sorted(places)]
    head, tail = lines[: imports[0].lineno - 1], lines[imports[-1].end_lineno :]
    return "\n".join([*head, "\n\n".join(blocks), *tail]) + "\n"


def licence() -> str:
    """The text of the Apache License 2.0."""
    text = importlib.metadata.distribution("iwm-core").read_text("licenses/LICENSE")
    if not text:
        raise UserError("the installation of iwm-core lacks its LICENSE, which a new package gets, too; install it again with pip")
    return text


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
