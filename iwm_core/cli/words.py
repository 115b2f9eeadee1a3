"""The words of a command line after its verb: the recipe or the run that they name, and what a slip among them was meant to be.

Decisions:
- Words are checked in their order, before any component is loaded, which takes seconds.
- A slip whose meaning is plain is answered with the words to type.
"""

import shlex

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import kind_of, schemas
from iwm_core.plugins.lineage import dotted
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import find_recipes, is_file
from iwm_core.plugins.sources import fetched, is_address
from iwm_core.recipe.overrides import allowed_to, check_recipe, checkpoint_in, parse_changes
from iwm_core.recipe.own_settings import check_settings, keys_of
from iwm_core.run.directory import Run, is_run
from iwm_core.run.files import exists


def read_recipe(words: list[str], many: bool = False) -> tuple[str, list[str]]:
    """The recipe's name and the overrides of ``iwm train`` and its like; ``many``: they may ask for a sweep."""
    overrides = [word for word in words if not word.startswith("recipe=")]
    check_words(overrides)
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
    check_words(overrides)
    named, overrides = checkpoint_in(overrides)
    Run.open(path, named)
    if overrides:
        config = Run.open(path).plain_config()
        schema = kind_of(config).schema()
        check_settings(parse_changes(overrides, allowed_to(verb, schema), verb, dotted(config)), schema, str(config.get("recipe", "NAME")))
    return path, words[1:]


def check_words(words: list[str]) -> None:
    """Check that each word can be an override: ``key=value``, or Hydra's ``+key=value`` and ``~key``."""
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
    """What a word that is not an override was meant to be, as far as that is plain."""
    bare = word.lstrip("-")
    if before.endswith("=") and bare:  # train.steps= 3
        return shlex.quote(f"{before}{bare}")
    if word.startswith("=") or after.startswith("="):  # train.steps = 3
        return "key=value without spaces around the sign"
    if "=" in bare and not bare.startswith("="):  # --train.steps=3
        return f"{shlex.quote(bare)}, without dashes"
    if word in ("-m", "--multirun"):
        return "iwm train -m …: only training has sweeps, by what `pip install iwm` brings"
    key, colon, value = bare.partition(":")
    if colon and value and "." in key:  # train.steps:3
        return shlex.quote(f"{key}={value}")
    keys = [typed if "." in key else key for own in map(keys_of, schemas()) for key, typed in own.items() if f".{key}".endswith(f".{bare}")]
    bare = keys[0] if bare and keys else bare
    if is_file(bare):  # mine.yaml
        return shlex.quote(f"recipe={bare}")
    if keys or "." in bare[1:-1] or bare in ("recipe", "checkpoint"):  # recipe quickstart, train.steps 3, --steps 3
        return shlex.quote(f"{bare}={'VALUE' if '=' in after or not after else after}")
    recipes = find_recipes()
    name = bare if bare in recipes else did_you_mean(bare, recipes).removeprefix("did you mean ").rstrip("? ")
    return f"recipe={name}" if name else ""
