"""Reads the words of a command line after its verb: the recipe or run that it names, and overrides by Hydra's grammar.

Decisions:
- What needs no component is checked before any is loaded, in the order of the words: components import torch, which takes seconds, and
  most slips are slips of the grammar or of the core's own settings (`iwm_core.recipe.own_settings`).
- A slip whose meaning is plain is answered with the words to type.
"""

import itertools
import math
import re
import shlex
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Sweep, ValueType
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.near import did_you_mean
from iwm_core.interfaces.runs import RunKind, Schema
from iwm_core.recipe.files import find_recipe, find_recipes
from iwm_core.recipe.own_settings import begun_with, check_length, check_settings, instead, keys_of
from iwm_core.recipe.schema import schemas, single

MANY = 10_000
"""Jobs of a sweep."""
ENDLESS = (ValueType.GLOB_CHOICE_SWEEP, ValueType.INTERVAL_SWEEP)
"""Sweeps whose values only an optimiser, or whoever knows the choices, could list."""

ON_RESUME = ("launch", "data")
"""What may change when a run goes on: how it is computed, and where its images lie now."""


def read_recipe(words: list[str], many: bool = False) -> tuple[str, list[str]]:
    """The recipe's name and the overrides of ``iwm train`` and its like.

    Args:
        words: after the verb.
        many: they may ask for a sweep.

    Raises:
        UserError: there is no such recipe, or an override that can be known to be wrong without components.
    """
    overrides = [word for word in words if not word.startswith("recipe=")]
    check_words(overrides)
    names = [word.partition("=")[2] for word in words if word.startswith("recipe=")]
    if len(names) != 1 or not names[0]:
        raise UserError("say which recipe, once: recipe=NAME; `iwm recipes` lists all")
    check_recipe(names[0], overrides, many)
    return names[0], overrides


def check_recipe(name: str, overrides: list[str], many: bool = False) -> list[Override]:
    """Check a recipe's name and overrides as far as can be without components; returns the overrides, parsed.

    Raises:
        UserError: as `read_recipe`.
    """
    path = find_recipe(name).path
    parsed = parse(checkpoint_in(overrides)[1])
    kind = begun_with(path)
    schema = kind.schema() if kind else None
    if not many:
        trained = kind is None or kind.begun_by == RunKind.begun_by
        refuse_sweeps(parsed, f"iwm train -m recipe={name}" if trained else "", schema)
    if schema:
        check_settings(parsed, schema, name)
        check_length(parsed, path)
    return parsed


def allowed_to(verb: str, schema: Schema) -> tuple[str, ...]:
    """The sections and groups of a run's config that a verb may change."""
    return ("evaluators", *ON_RESUME) if verb == "eval" and "evaluators" in schema.groups else ON_RESUME


def parse_changes(overrides: list[str], allowed: Sequence[str], verb: str, known: Sequence[str] = ()) -> list[Override]:
    """Overrides on the config of a run, by Hydra's grammar; ``known`` are its keys.

    Raises:
        UserError: one cannot be parsed, or is of what may not change.
    """
    parsed = parse(overrides)
    for override in parsed:
        if override.key_or_group.split(".")[0] not in allowed:
            near = [key for key in known if key.endswith(f".{override.key_or_group}")]
            meant = near and all(key.split(".")[0] in allowed for key in near)
            hint = f"write {' or '.join(instead(override, key) for key in near)}" if meant else "train another run for that"
            raise UserError(f"iwm {verb} changes only {', '.join(allowed)}, not {override.key_or_group!r}; {hint}")
        if override.is_delete():
            raise UserError(f"iwm {verb} takes plain key=value, got {override.input_line!r}")
    refuse_sweeps(parsed)
    return parsed


def checkpoint_in(words: list[str]) -> tuple[str | None, list[str]]:
    """The checkpoint that a command line names (``checkpoint=step_N``), and the other words.

    Raises:
        UserError: it names several.
    """
    named = [word.partition("=")[2] for word in words if word.startswith("checkpoint=")]
    if len(named) > 1 or "" in named:
        raise UserError("checkpoint= names one checkpoint, once: checkpoint=step_N")
    return named[0] if named else None, [word for word in words if not word.startswith("checkpoint=")]


def check_words(words: list[str]) -> None:
    """Check that each word can be an override: ``key=value``, or Hydra's ``+key=value`` and ``~key``.

    Raises:
        UserError: one cannot; where it is plain what was meant, with the words to type.
    """
    for place, (before, word, after) in enumerate(zip(["", *words], words, [*words[1:], ""], strict=False)):
        if whole := rejoined(words[place:]):
            raise UserError(f"the shell has split {word!r} from what follows at a space: write {shlex.quote(whole)}")
        if word.startswith(("-", "=")) or ("=" not in word and not word.startswith("~")):
            meant = meaning(word, before, after)
            hint = f"write {meant}" if meant else "overrides are key=value, such as train.seed=1"
            raise UserError(f"cannot read {word!r}: {hint}")


def rejoined(words: list[str]) -> str:
    """A list, or a mapping, that is split into several words, as one; nothing where the first word is whole, or no end is found."""
    for end in range(1, len(words) + 1):
        whole = "".join(words[:end])
        if all(whole.count(left) <= whole.count(right) for left, right in ("[]", "{}")):
            return whole if end > 1 else ""
    return ""


def meaning(word: str, before: str, after: str) -> str:
    """What a word that is no override was meant to be, as far as that is plain."""
    bare = word.lstrip("-")
    if before.endswith("=") and bare:  # train.steps= 3
        return shlex.quote(f"{before}{bare}")
    if word.startswith("=") or after.startswith("="):  # train.steps = 3
        return "key=value without spaces around the sign"
    if "=" in bare and not bare.startswith("="):  # --train.steps=3
        return f"{shlex.quote(bare)}, without dashes"
    if word in ("-m", "--multirun"):
        return "iwm train -m …: only training has sweeps"
    key, colon, value = bare.partition(":")
    if colon and value and "." in key:  # train.steps:3
        return shlex.quote(f"{key}={value}")
    keys = [typed if "." in key else key for own in map(keys_of, schemas()) for key, typed in own.items() if f".{key}".endswith(f".{bare}")]
    bare = keys[0] if bare and keys else bare
    dotted = "." in bare[1:-1] and not bare.endswith((".yaml", ".yml"))
    if keys or dotted or bare in ("recipe", "checkpoint"):  # recipe quickstart, train.steps 3, --steps 3
        return shlex.quote(f"{bare}={'VALUE' if '=' in after or not after else after}")
    if word.startswith("--") and did_you_mean(word, ["--help"]):
        return "--help"
    recipes = find_recipes()
    name = bare if bare in recipes else did_you_mean(bare, recipes).removeprefix("did you mean ").rstrip("? ")
    return f"recipe={name}" if name else ""


def parse(overrides: list[str]) -> list[Override]:
    """Overrides by Hydra's grammar.

    Raises:
        UserError: one cannot be parsed.
    """
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


def expand(overrides: list[str]) -> list[list[str]]:
    """The overrides of each job of a sweep: one for each combination of ``key=a,b`` values.

    Raises:
        UserError: an override cannot be parsed, or its values are not written out.
    """
    choices = []
    for override in parse(overrides):
        if override.value_type in ENDLESS:
            raise UserError(f"cannot sweep {override.input_line!r}: write the values out, key=a,b")
        if override.is_sweep_override():
            values = itertools.islice(override.sweep_string_iterator(), MANY + 1)
            choices.append([f"{override.get_key_element()}={value}" for value in values])
        else:
            choices.append([override.input_line])
    if math.prod(map(len, choices)) > MANY:
        raise UserError(f"that sweep has over {MANY:,} jobs; write fewer values")
    return [list(job) for job in itertools.product(*choices)]


def refuse_sweeps(overrides: list[Override], many: str = "", schema: Schema | None = None) -> None:
    """Refuse several values where one is taken: a list was meant, or a sweep, which the words ``many`` begin.

    ``schema`` tells which keys take a list; where there is none, that is left open.

    Raises:
        UserError: there are.
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
