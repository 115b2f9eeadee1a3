"""The words after a verb that name a run, and change what it is made of."""

import shlex

from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.compose import dotted
from iwm_core.recipe.overrides import allowed_to, check_words, checkpoint_in, parse_changes
from iwm_core.recipe.own_settings import check_settings
from iwm_core.recipe.schema import kind_of
from iwm_core.run.directory import Run, is_run
from iwm_core.run.files import exists


def read_run(words: list[str], verb: str, rest: str = "[key=value …]") -> tuple[str, list[str]]:
    """The run's directory, which is there and can be read, and the words after it.

    Raises:
        UserError: it is not, or no run is named.
    """
    first = words[0] if words else ""
    if first and (exists(first) or ("=" not in first and not first.startswith("-"))):
        Run.open(first).config()
        if other := next((word for word in words[1:] if "=" not in word and is_run(word)), None):
            raise UserError(f"iwm {verb} takes one run; iwm report {shlex.quote(first)} {shlex.quote(other)} shows both side by side")
        return first, words[1:]
    later = next((word for word in words if "=" not in word and not word.startswith("-")), None) or first.removeprefix("run=")
    hint = f"; write iwm {verb} {shlex.quote(later)} …" if later and later != first else ""
    raise UserError(f"say which run, before all else: iwm {verb} RUN {rest}{hint}")


def read_changes(words: list[str], verb: str) -> tuple[str, list[str]]:
    """The run's directory and the overrides of ``iwm resume`` and ``iwm eval``.

    Raises:
        UserError: as `read_run`, or an override of what may not change, or one that is wrong.
    """
    path, overrides = read_run(words, verb)
    check_words(overrides)
    named, overrides = checkpoint_in(overrides)
    Run.open(path, named)
    if overrides:
        config = Run.open(path).config()
        schema = kind_of(config).schema()
        check_settings(parse_changes(overrides, allowed_to(verb, schema), verb, dotted(config)), schema, str(config.get("recipe", "NAME")))
    return path, words[1:]
