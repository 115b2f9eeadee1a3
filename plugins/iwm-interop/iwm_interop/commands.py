"""What carries out the verbs: words are checked as far as can be before torch is imported, which takes seconds."""

from pkgutil import resolve_name
from typing import Any

from iwm_core.cli.listing import tell_problems
from iwm_interop.verbs import Export, Features, Push


def run_import(words: list[str]) -> int:
    return carried_out("importing", "import_run:import_weights", words)


def run_export(words: list[str], given: Export) -> int:
    return carried_out("exporting", "export:export", words, given)


def run_features(words: list[str], given: Features) -> int:
    return carried_out("features", "extract:write_features", words, given)


def run_push(words: list[str], given: Push) -> int:
    return carried_out("sharing", "push:push", words, given)


def carried_out(folder: str, function: str, *given: Any) -> int:
    """Read what is typed by a folder's ``command_line``, then have its ``module:function`` do it."""
    asked = resolve_name(f"iwm_interop.{folder}.command_line:read_arguments")(*given)
    work = resolve_name(f"iwm_interop.{folder}.{function}")
    tell_problems()
    return work(asked)
