"""Whether the recipes that a plugin brings compose."""

from typing import Any

import yaml

from iwm_core.interfaces.component import required_options
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.faults import clash_text
from iwm_core.plugins.kinds import groups, schemas
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.recipe_files import files_by_name, find_recipe, recipe_clashes
from iwm_core.recipe.compose import compose, left_open
from iwm_core.recipe.shelf import component_defaults
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
    if group := left_open(config):
        given = stand_in(group)
        if given is None:
            return f"composes; the rest depends on the {group} that a run begins with"
        config, notes = compose(name, [], {group: dict.fromkeys(names_left_open(group), given)})
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
        raise AssertionError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error


def names_left_open(group: str) -> list[str]:
    """The choices of a group, besides components, that stand for nothing before a run begins."""
    choices = [(name, node) for schema in schemas() for name, node in schema.choices.get(group, {}).items()]
    return [name for name, node in choices if node.get("name") == "???"]


def stand_in(group: str) -> dict[str, Any] | None:
    """A component that needs no options, in the place of one that only the beginning of a run can choose."""
    for entry in load_plugins().entries(groups()[group]).values():
        if not required_options(entry.component):
            return component_defaults(entry.component)
    return None
