"""Overrides by Hydra's grammar, on a recipe or on the config of a run: what may be set.

What needs no component is checked before any is loaded: components import torch, which takes seconds, and most slips are slips of the
grammar or of the core's own settings.
"""

import re
from collections.abc import Iterable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Sweep, ValueType
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.runs import Schema
from iwm_core.plugins.advice import advise
from iwm_core.plugins.lineage import Lineage, lineage_of
from iwm_core.plugins.recipe_files import RecipeFile, find_recipe
from iwm_core.recipe.shapes import NAME

ENDLESS = (ValueType.GLOB_CHOICE_SWEEP, ValueType.INTERVAL_SWEEP)
"""Sweeps whose values only an optimiser, or whoever knows the choices, could list."""

ON_RESUME = ("launch", "data")
"""What may change when a run goes on: how it is computed, and where its images lie now."""


def check_recipe(name: str, overrides: list[str], many: bool = False) -> tuple[RecipeFile, Lineage, list[Override]]:
    """Check a recipe's name and overrides as far as can be without components; returns its file, its lineage and the overrides, parsed. A
    `UserError` where there is no such recipe, or an override that can be known to be wrong without components."""
    file = find_recipe(name)
    if file.plugin is None and not NAME.fullmatch(file.name):
        rule = "letters, digits, _, - and ., at most 100, not beginning with - or ."
        raise UserError(f"runs take the name of their recipe, and {file.name[:60]!r} is not a name; call the file by {rule}")
    lineage = lineage_of(file)
    parsed = parse(checkpoint_in(overrides)[1])
    advise("check_recipe", name, lineage, parsed, many)
    return file, lineage, parsed


def allowed_to(verb: str, schema: Schema) -> tuple[str, ...]:
    """The sections and groups of a run's config that a verb may change."""
    return ("evaluators", *ON_RESUME) if verb == "eval" and "evaluators" in schema.groups else ON_RESUME


def parse_changes(overrides: list[str], allowed: Sequence[str], verb: str, known: Iterable[str] = ()) -> list[Override]:
    """Overrides on the config of a run, by Hydra's grammar; ``known`` are its keys. A `UserError` where one cannot be parsed, or is of what
    may not change."""
    parsed = parse(overrides)
    for override in parsed:
        if (section := override.key_or_group.split(".")[0]) not in allowed:
            advise("explain_change", override, allowed, verb, known)
            raise UserError(f"iwm {verb} changes only {', '.join(allowed)}, not {section!r}")
        if override.is_delete():
            raise UserError(f"iwm {verb} takes plain key=value, got {override.input_line!r}")
    advise("refuse_sweeps", parsed)
    if sweep := next((override for override in parsed if override.is_sweep_override()), None):
        raise UserError(f"iwm {verb} takes one value a key, got {sweep.input_line!r}")
    return parsed


def checkpoint_in(words: list[str]) -> tuple[str | None, list[str]]:
    """The checkpoint that a command line names (``checkpoint=step_N``), and the other words; a `UserError` where it names several."""
    named = [word.partition("=")[2] for word in words if word.startswith("checkpoint=")]
    if len(named) > 1 or "" in named:
        raise UserError("checkpoint= names one checkpoint, once: checkpoint=step_N")
    return named[0] if named else None, [word for word in words if not word.startswith("checkpoint=")]


def parse(overrides: list[str]) -> list[Override]:
    """Overrides by Hydra's grammar, or a `UserError` about the one that cannot be read."""
    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        try:
            override = parser.parse_override(text)
            plain = override.is_sweep_override() or is_plain(override.value())
        except (HydraException, OmegaConfBaseException, ValueError, TypeError, RecursionError) as error:
            raise UserError(
                f"cannot read {text!r}: write key=value, lists as key=[a,b], and quote a value with special signs: key='\"…\"'"
            ) from error
        if override.package is not None:
            raise UserError(f"cannot read {text!r}: write key=value, without @")
        if not plain:
            raise UserError(f"cannot read {text!r}: a list or a mapping holds values that are written out")
        parsed.append(override)
    return parsed


def is_plain(value: object) -> bool:
    """Whether a value holds no part of a sweep, such as ``range(3)``."""
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return not isinstance(value, (Sweep, Glob)) and all(is_plain(part) for part in parts)


def quoted(text: str) -> str:
    """A text as an override's value, whatever signs are in it: in Hydra's grammar, backslashes count only before a quote."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + (f"\\{found[2]}" if found[2] else ""), text) + "'"
