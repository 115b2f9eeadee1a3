"""Reads the command line of ``iwm compare``."""

from pathlib import Path

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.advice import advise
from iwm_core.plugins.near import did_you_mean
from iwm_core.plugins.recipe_files import find_recipes
from iwm_core.recipe.overrides import check_recipe
from iwm_core.run.stored import read_seal
from iwm_tasks.comparison.anchored import anchor_words
from iwm_tasks.comparison.setup import DEFAULT, Setup, in_order
from iwm_tasks.tuning.begun_from import source_of

RECIPES = "tune/"
OWN = ("recipe", "run", "train.seed", "world_model", "protocols", "seeds")
"""Keys that the comparison sets itself for every tuning."""


def read_setup(path: str, words: list[str]) -> tuple[Setup, str | None]:
    """What a command line asks for, and the folder that it names.

    Raises:
        UserError: there is no such world model, protocol or number of seeds, or a word that means nothing here.
    """
    protocols, seeds, shared, own, folder, checkpoint = read_words(words)
    source = source_of(path, checkpoint)[0]
    shared, own = anchor_words(shared), {name: anchor_words(words) for name, words in own.items()}
    told = read_seal(Path(path) / "config.yaml") or "", source.get("weights", "")
    return Setup(source["run"], source["checkpoint"], protocols, seeds, shared, own, *told), folder


def read_words(words: list[str]) -> tuple[list[str], int, list[str], dict[str, list[str]], str | None, str | None]:
    """The protocols, the number of seeds, the overrides for all and for each protocol, the folder and the checkpoint that are asked for.

    Raises:
        UserError: there is no such protocol or number of seeds, or a word that means nothing here.
    """
    single: dict[str, str] = {}
    overrides = []
    for word in words:
        key, _, value = word.partition("=")
        if key in ("protocols", "seeds", "run", "checkpoint"):
            if key in single:
                raise UserError(f"{key}= is given twice; give it once")
            single[key] = value
        else:
            overrides.append(word)
    if single.get("run") == "":
        raise UserError("run= names no folder; write run=FOLDER, or leave it out")
    protocols = in_order(read_protocols(single["protocols"]) if "protocols" in single else [*DEFAULT])
    known = known_protocols()
    for name in protocols:
        if name not in known:
            hint = did_you_mean(name, known)
            raise UserError(f"there is no protocol {name!r}; {hint}there are {', '.join(known) or 'none: install some'}")
    shared = [word for word in overrides if not prefix_of(word)]
    own: dict[str, list[str]] = {}
    for word in overrides:
        name = prefix_of(word)
        if name and name not in protocols:
            hint = did_you_mean(name, protocols)
            raise UserError(f"{word!r} is for {name!r}, which is not compared; {hint}compared are {', '.join(protocols)}")
        if name:
            own.setdefault(name, []).append(word.removeprefix(f"{name}:"))
    for word in [*shared, *(word for words in own.values() for word in words)]:
        key = word.partition("=")[0].lstrip("+~")
        if key in OWN:
            raise UserError(
                f"iwm compare sets {key} of each tuning itself; leave {word!r} out (seeds=N trains with the seeds 0 to N-1, "
                "run=FOLDER names the folder of all)"
            )
    advise("check_words", [*shared, *(word for words in own.values() for word in words)])
    for name in protocols:
        check_recipe(f"{RECIPES}{name}", [*shared, *own.get(name, [])])
    return protocols, read_seeds(single.get("seeds", "3")), shared, own, single.get("run"), single.get("checkpoint")


def read_protocols(text: str) -> list[str]:
    """The names in ``[a,b]``."""
    names = [name.strip() for name in text.strip().removeprefix("[").removesuffix("]").split(",") if name.strip()]
    if not names:
        raise UserError(f"protocols= names none; write protocols=[NAME,…] with some of {', '.join(known_protocols())}")
    return names


def read_seeds(text: str) -> int:
    """A number of seeds."""
    if not text.isdecimal() or int(text) < 1:
        raise UserError(f"seeds= is the number of trainings of each protocol, at least 1, got {text!r}; write seeds=3")
    return int(text)


def prefix_of(word: str) -> str:
    """The protocol that an override is for, ``NAME:key=value``; nothing where it is for all."""
    head, colon, _ = word.partition(":")
    return head if colon and "=" not in head else ""


def known_protocols() -> list[str]:
    """The names of the recipes of tunings."""
    return [name.removeprefix(RECIPES) for name in find_recipes() if name.startswith(RECIPES)]


def about(protocol: str) -> str:
    """The first line of a protocol's recipe; nothing where the recipe is not installed any more."""
    recipe = find_recipes().get(f"{RECIPES}{protocol}")
    return recipe.header[0] if recipe and recipe.header else ""
