"""What is wrong with a recipe, or with what a command line says, told with its place and the words to type.

Each function is one that the core asks for (`iwm_advisers`), most of them before components are loaded, which takes seconds.
"""

import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import RunKind
from iwm_core.plugins.lineage import Lineage
from iwm_core.plugins.loader import load_plugins
from iwm_devkit.advice.changes import explain_change
from iwm_devkit.advice.choices import bad_override, check_choices, refuse_hiding
from iwm_devkit.advice.files import check_parts, check_resolved
from iwm_devkit.advice.length import check_length, measured_quickly
from iwm_devkit.advice.names import explain_file, explain_name
from iwm_devkit.advice.own_settings import check_settings
from iwm_devkit.advice.runs import explain_run
from iwm_devkit.advice.sweeps import refuse_sweeps
from iwm_devkit.advice.types import explain_key, explain_section, explain_type
from iwm_devkit.advice.words import check_words

__all__ = [
    "check_choices",
    "check_composed",
    "check_files",
    "check_recipe",
    "check_settings",
    "check_words",
    "explain",
    "explain_change",
    "explain_file",
    "explain_key",
    "explain_name",
    "explain_run",
    "explain_section",
    "explain_type",
    "refuse_sweeps",
]


def check_recipe(name: str, lineage: Lineage, parsed: list[Any], many: bool) -> None:
    """Check overrides on a recipe; ``many``: they may ask for a sweep."""
    schema = lineage.kind.schema()
    if not many:
        trained = lineage.kind.begun_by == RunKind.begun_by
        refuse_sweeps(parsed, f"iwm train -m recipe={shlex.quote(name)}" if trained else "", schema)
    check_settings(parsed, schema, name)
    check_length(parsed, lineage)


def check_files(path: Path, lineage: Lineage, anew: Collection[str]) -> None:
    """Check what the files of a recipe, which lies at ``path``, set; the components of the groups ``anew`` others have chosen."""
    check_parts(lineage, anew)
    refuse_hiding([path.parent, *(folder for folder, _ in load_plugins().recipe_dirs())])


def check_composed(config: Any, parsed: list[Any], lineage: Lineage, anew: Collection[str]) -> list[str]:
    """Check the values that a composed recipe refers to, once a trial is left its quick evaluators; returns a note of that."""
    notes = measured_quickly(config, parsed, lineage)
    check_resolved(lineage, anew, config)
    return notes


def explain(error: Any, name: str, path: Path, parsed: list[Any]) -> None:
    """Say in one line what Hydra could not apply."""
    raise UserError(bad_override(error, name, path, parsed)) from error
