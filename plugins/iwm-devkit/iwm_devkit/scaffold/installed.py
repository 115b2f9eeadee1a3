"""Whether a component is installed, read from the sources of plugins: to ask the plugins themselves would be to import torch.

A component that its source does not show in so many words is not found; `iwm plugins check` finds such a clash of names later.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from iwm_core.plugins.loader import load_plugins


def giver(kind: str, hook: str, name: str) -> str | None:
    """The distribution whose plugin gives a component or a verb; None where none is seen to."""
    if kind == "command":
        run = next((command.run for verb, command in load_plugins().commands.items() if verb.partition(" ")[0] == name), None)
        tops = {plugin.module.__name__.partition(".")[0]: plugin.distribution for plugin in load_plugins().plugins if plugin.module}
        return tops.get(run.partition(".")[0], run) if run else None
    for plugin in load_plugins().plugins:
        file = getattr(plugin.module, "__file__", None)
        if file and name in map(name_of, classes(Path(file), hook)):
            return plugin.distribution
    return None


def classes(file: Path, hook: str) -> Iterator[ast.ClassDef]:
    """The classes that a hook names, where they are written."""
    body = parse(file)
    named = {part.id for top in body if isinstance(top, ast.FunctionDef) and top.name == hook for part in walk_names(top)}
    yield from (top for top in body if isinstance(top, ast.ClassDef) and top.name in named)
    for part in ast.walk(ast.Module(body, [])):
        if isinstance(part, ast.ImportFrom) and part.module and not part.level:
            wanted = {alias.name for alias in part.names if (alias.asname or alias.name) in named}
            yield from (top for top in parse(source(part.module)) if isinstance(top, ast.ClassDef) and top.name in wanted)


def walk_names(tree: ast.AST) -> list[ast.Name]:
    """All names used in a tree."""
    return [part for part in ast.walk(tree) if isinstance(part, ast.Name)]


def name_of(cls: ast.ClassDef) -> Any:
    """The value of ``name = …`` in a class."""
    for part in cls.body:
        match part:
            case ast.Assign(targets=[ast.Name(id="name")], value=ast.Constant(value=name)):
                return name
            case ast.AnnAssign(target=ast.Name(id="name"), value=ast.Constant(value=name)):
                return name
    return None


def parse(file: Path | None) -> list[ast.stmt]:
    """The statements of a file; none where there is no file, or none of Python's, which `iwm plugins` tells."""
    try:
        return ast.parse(file.read_bytes()).body if file else []
    except SyntaxError:
        return []


def source(module: str) -> Path | None:
    """The file of a module in a package that is imported, without importing the module."""
    top, *inner = module.split(".")
    for folder in getattr(sys.modules.get(top), "__path__", []):
        for file in (Path(folder, *inner).with_suffix(".py"), Path(folder, *inner, "__init__.py")):
            if file.is_file():
                return file
    return None
