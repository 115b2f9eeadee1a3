"""Whether the recipes that a plugin brings compose."""

from typing import Any

import yaml

from iwm_core.interfaces.component import required_options
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import clash_text, load_plugins
from iwm_core.recipe.compose import component_defaults, compose, of_world_model
from iwm_core.recipe.files import files_by_name, find_recipe, recipe_clashes
from iwm_core.recipe.thaw import thaw


def check_recipe(name: str, shared: bool) -> str | None:
    """Check that a recipe composes into typed components, or that a ready-made choice is YAML; and that its name is its own.

    Returns:
        A note where a value is left to the user.

    Raises:
        AssertionError: it does not.
        UserError: it does not compose.
    """
    givers = recipe_clashes().get(name)
    assert not givers, clash_text("ready-made choice" if shared else "recipe", name, givers or [])
    if shared:
        for file in files_by_name()[name]:
            check_yaml(file.path)
        return None
    header = [line for line in find_recipe(name).header if line]
    assert header, "begin it with a comment: its first line is the recipe's description in `iwm recipes`"
    config, notes = compose(name, [])
    if of_world_model(config):
        source = stand_in()
        if source is None:
            return "composes; the rest depends on the world model that it tunes"
        config, notes = compose(name, [], source)
    try:
        thaw(config)
    except UserError as error:
        if "must be given" not in str(error):
            raise
        return str(error)
    return "; ".join(notes)


def check_yaml(path: Any) -> None:
    """Check that a file can be read."""
    try:
        yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AssertionError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from error


def stand_in() -> dict[str, Any] | None:
    """A data source that needs no options, in the place of the world model's."""
    for entry in load_plugins().entries("data_source").values():
        if not required_options(entry.component):
            return component_defaults(entry.component)
    return None
