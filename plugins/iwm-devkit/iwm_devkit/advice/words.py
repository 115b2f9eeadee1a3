"""The words of a command line that can be no override, and what each was meant to be: a slip whose meaning is plain is answered with
the words to type."""

import shlex

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import schemas
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import find_recipes, is_file
from iwm_devkit.advice.own_settings import keys_of


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
