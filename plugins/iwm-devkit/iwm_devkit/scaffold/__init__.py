"""``iwm plugins new``: a package for a component of one's own, complete with its test, that can be installed and used as it is.

Nothing here imports torch; the templates do, which are read and not run (see `iwm_devkit.scaffold.package`).
"""

import ast
import shlex
from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.process.shown import tell
from iwm_devkit.scaffold.installed import giver
from iwm_devkit.scaffold.naming import Names, read_name
from iwm_devkit.scaffold.package import write_package
from iwm_devkit.scaffold.templates import Template, template_names, template_of
from iwm_devkit.verbs import New


def usage() -> str:
    """How the command is written."""
    return f"iwm plugins new NAME --kind {'|'.join(template_names())} [--into FOLDER]"


def run_new(words: list[str], given: New) -> int:
    """``iwm plugins new NAME --kind KIND [--into FOLDER]``: write a package, and tell what to do with it.

    Raises:
        UserError: a name or a kind that cannot be, a folder that is taken or cannot be written.
    """
    if not words:
        raise UserError(f"say what it is called: {usage()}")
    if given.kind is None:
        raise UserError(f"say of which kind it is, with --kind: {', '.join(template_names())}")
    template, names = template_of(given.kind), read_name(words[0])
    if names.cls in used_names(template):
        raise UserError(f"the class of {names.component!r} would be called {names.cls}, which its module has already; choose another name")
    if by := giver(template.kind, template.hook, names.component):
        raise UserError(f"the {template.words} {names.component!r} is installed already, from {by}; choose another name")
    folder = write_package(template, names, given.into)
    tell(f"wrote {folder}: the {template.words} {names.component!r}, as a package that installs and passes its tests")
    tell(next_steps(template, names, folder).rstrip(), keep="\n")
    return 0


def used_names(template: Template) -> set[str]:
    """What is imported by a template, which a class in it must not be called."""
    parts = [part for file in template.folder.glob("*.py") for part in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    return {alias.asname or alias.name for part in parts if isinstance(part, ast.Import | ast.ImportFrom) for alias in part.names} - {
        "Example"
    }


def next_steps(template: Template, names: Names, folder: Path) -> str:
    """What a user does with a new package, line by line."""
    return f"""next:
  cd {shlex.quote(str(folder))}
  pip install -e ".[test]"
  pytest                              # its own tests and the whole check of its kind
  iwm plugins check {names.distribution}
  {template.use.replace("example", names.component)}
then write your own into {names.module}/{names.component}.py
"""
