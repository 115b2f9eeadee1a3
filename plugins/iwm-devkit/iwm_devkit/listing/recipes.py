"""``iwm recipes`` and ``iwm show``: which recipes there are, and one of them composed and checked."""

import sys

from iwm_core.cli.listing import Listing, row, show_rows, warn
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import find_recipe, find_recipes, recipe_problems
from iwm_core.process.shown import tell


def run_recipes(_: list[str], given: Listing) -> int:
    rows = [row("recipe", r.name, r.plugin, about=(r.header or [""])[0]) for r in find_recipes().values() if r.plugin]
    show_rows(rows, given.json, ("name", "distribution", "about"))
    warn([*load_plugins().problems, *recipe_problems()])
    return 0


def run_show(words: list[str]) -> int:
    from omegaconf import OmegaConf

    from iwm_core.cli.words import read_recipe
    from iwm_core.recipe.compose import compose, left_open
    from iwm_core.recipe.thaw import thaw

    name, overrides = read_recipe(words)
    config, notes = compose(name, overrides)
    from iwm_core.training.starting import check_anywhere

    if not left_open(config):
        check_anywhere(thaw(config))
    for line in find_recipe(name).header:
        tell(f"# {line}".rstrip())
    tell(OmegaConf.to_yaml(config, resolve=True).rstrip("\n"), keep="\n")
    for note in notes:
        tell(f"iwm: note: {note}", sys.stderr)
    return 0
