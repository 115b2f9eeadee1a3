"""Writes the package of a new plugin from a template.

Decisions:
- A template is a working package by the name of ``example``: one folder here for each kind of component, with the files that all kinds
  share in ``shared/``. So our own linter, formatter and type checker read them, and so can anybody.
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

from packaging.version import Version

from iwm_core import __version__
from iwm_core.interfaces.errors import UserError
from iwm_core.run.files import writing
from iwm_devkit.scaffold.naming import Names

HERE = Path(__file__).parent
USE = {
    "action": 'iwm train recipe=quickstart "actions=[example]"',
    "target_selector": "iwm train recipe=quickstart targets=example",
    "encoder": "iwm train recipe=quickstart encoder=example",
    "predictor": "iwm train recipe=quickstart predictor=example",
    "head": 'iwm tune runs/quickstart recipe=tune/predictor budget=cpu "heads=[example]"',
    "evaluator": 'iwm eval runs/quickstart "evaluators=[example]"',
    "data_source": "iwm train recipe=quickstart data=example",
}
"""The kinds that there is a template of, with a command line that uses its component."""
BUILT_ON = {"predictor": "iwm-vit"}
"""The distribution besides the core whose code a kind's template builds on."""


def write_package(kind: str, names: Names, into: Path) -> Path:
    """Write the package of a plugin with one component into a folder; returns the package's folder.

    Raises:
        UserError: there is such a folder already, or none can be made there.
    """
    target = into / names.distribution
    if os.path.lexists(target):
        raise UserError(f"{target} exists, and nothing is overwritten; choose another name, or another place with --into FOLDER")
    if not into.is_dir():
        raise UserError(f"there is no folder {into}; make it first, or choose another place with --into FOLDER")
    files = package_files(kind, names)
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


def package_files(kind: str, names: Names) -> dict[str, str]:
    """The texts of a package by their paths in it."""
    own, module = HERE / kind, names.module
    code = {
        f"{module}/__init__.py": own / "__init__.py",
        f"{module}/{names.component}.py": own / "example.py",
        f"tests/test_{names.component}.py": own / "test_example.py",
    }
    shared = {"pyproject.toml": HERE / "shared/example.toml", "README.md": HERE / "shared/README.md"}  # a real pyproject.toml is a project
    texts = {path: sort_imports(rename(read(file), kind, names), module) for path, file in code.items()}
    return {"LICENSE": licence()} | {path: rename(for_kind(read(file), kind), kind, names) for path, file in shared.items()} | texts


def rename(text: str, kind: str, names: Names) -> str:
    """A template's text by the plugin's own names."""
    new = {
        f"iwm_devkit.scaffold.{kind}": names.module,
        "iwm-example": names.distribution,
        "iwm_example": names.module,
        "Example": names.cls,
        "example": names.component,
    }
    # All at once: a name may itself have "example" in it.
    return re.sub("|".join(map(re.escape, new)), lambda found: new[found[0]], text)


def for_kind(text: str, kind: str) -> str:
    """A shared file, which is written as for an action, as for another kind, and for this version of iwm."""
    core = '"iwm-core>=0.1,<0.2"'
    for old, new in (
        (core, f'{core}, "{BUILT_ON[kind]}>=0.1,<0.2"' if kind in BUILT_ON else core),
        (USE["action"], USE[kind]),
        ("components action", f"components {kind}"),
        (" action ", f" {kind.replace('_', ' ')} "),
        (">=0.1,<0.2", bounds(__version__)),
    ):
        text = text.replace(old, new)
    return text


def bounds(version: str) -> str:
    """The versions of iwm that a plugin written with this one goes with: before 1.0, interfaces change with the second number."""
    known = Version(version)
    least = f"{known.major}.{known.minor}" if not known.is_prerelease else known.public  # 0.2rc1 lies below 0.2
    return f">={least},<" + (f"{known.major + 1}" if known.major else f"0.{known.minor + 1}")


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
