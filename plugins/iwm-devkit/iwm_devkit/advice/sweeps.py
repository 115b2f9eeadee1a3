"""Several values where one is taken: a list was meant, or a sweep."""

import shlex
from typing import Any

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import Schema
from iwm_core.plugins.kinds import single
from iwm_core.recipe.overrides import ENDLESS, parse
from iwm_devkit.advice.own_settings import check_settings


def refuse_sweeps(overrides: list[Any], many: str = "", schema: Schema | None = None) -> None:
    """Refuse several values where one is taken: a list was meant, or a sweep, which the words ``many`` begin.

    ``schema`` tells which keys take a list; where there is none, that is left open.
    """
    for override in overrides:
        if override.is_sweep_override():
            line = str(override.input_line)
            key, _, value = line.partition("=")
            sweep = f"; a sweep over the values is {many} {shlex.quote(line)} …" if many and override.value_type not in ENDLESS else ""
            listed = f', or, where it takes a list, "{key}=[{value}]"' if key not in single() and takes(f"{key}=[{value}]", schema) else ""
            one = "VALUE" if "(" in value else value.partition(",")[0]
            raise UserError(f"{line!r} gives several values; write one of them, {key}={one}{listed}{sweep}")


def takes(text: str, schema: Schema | None) -> bool:
    """Whether an override may be right, as far as is known without components."""
    try:
        check_settings(parse([text]), schema) if schema else None
    except UserError:
        return False
    return True
