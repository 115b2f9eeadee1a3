"""The words of a command line after its verb: the recipe or the run that they name.

They are checked in their order, before any component is loaded, which takes seconds.
"""

import shlex

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.advice import advise
from iwm_core.plugins.kinds import kind_of
from iwm_core.plugins.lineage import dotted
from iwm_core.plugins.sources import fetched, is_address
from iwm_core.recipe.overrides import allowed_to, check_recipe, checkpoint_in, parse_changes
from iwm_core.run.directory import Run, is_run
from iwm_core.run.files import exists


def read_recipe(words: list[str], many: bool = False) -> tuple[str, list[str]]:
    """The recipe's name and the overrides of ``iwm train`` and its like; ``many``: they may ask for a sweep."""
    overrides = [word for word in words if not word.startswith("recipe=")]
    advise("check_words", overrides)
    names = [word.partition("=")[2] for word in words if word.startswith("recipe=")]
    if len(names) != 1 or not names[0]:
        raise UserError("say which recipe, once: recipe=NAME; `iwm recipes` lists all")
    check_recipe(names[0], overrides, many)
    return names[0], overrides


def read_run(words: list[str], verb: str, rest: str = "[key=value …]") -> tuple[str, list[str]]:
    """The run's directory, which is there and can be read, and the words after it."""
    first = fetched(words[0]) if words else ""
    if first and (exists(first) or ("=" not in first and not first.startswith("-"))):
        Run.open(first).config()
        if other := next((word for word in words[1:] if "=" not in word and is_run(word)), None):
            raise UserError(f"iwm {verb} takes one run; iwm report {shlex.quote(first)} {shlex.quote(other)} shows both side by side")
        return first, words[1:]
    later = next((word for word in words if "=" not in word and not word.startswith("-")), None) or first.removeprefix("run=")
    hint = f"; write iwm {verb} {shlex.quote(later)} …" if later and later != first else ""
    raise UserError(f"say which run, before all else: iwm {verb} RUN {rest}{hint}")


def read_changes(words: list[str], verb: str) -> tuple[str, list[str]]:
    """The run's directory and the words after it, overrides of what a verb such as ``iwm resume`` may change of its config."""
    if verb == "resume" and words and is_address(words[0]):
        raise UserError(f"{words[0]} is shared without its optimizer, and cannot go on; train a recipe, or tune it: iwm tune {words[0]} …")
    path, overrides = read_run(words, verb)
    advise("check_words", overrides)
    named, overrides = checkpoint_in(overrides)
    Run.open(path, named)
    if overrides:
        config = Run.open(path).plain_config()
        schema = kind_of(config).schema()
        parsed = parse_changes(overrides, allowed_to(verb, schema), verb, dotted(config))
        advise("check_settings", parsed, schema, str(config.get("recipe", "NAME")))
    return path, words[1:]
