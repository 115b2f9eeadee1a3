"""What recipes of each kind are made of: component groups, sections and plain keys, by name."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from iwm_tasks.tuning.recipe import Augment, Tune, TuneRecipe

from iwm_core.recipe.config import Launch, Recipe, Section, Train, View


@dataclass(frozen=True)
class Schema:
    """A kind of recipe.

    Attributes:
        base: what the defaults of such a recipe begin with.
        recipe: the typed recipe.
        sections: plain settings, by name.
        single: groups that hold one component, and its kind.
        several: groups that hold named components in the recipe's order, and their kind.
    """

    base: str
    recipe: Any
    sections: dict[str, Any]
    single: dict[str, str]
    several: dict[str, str]

    @property
    def parts(self) -> dict[str, Any]:
        """Sections and groups, by name."""
        return self.sections | self.single | self.several

    def plain_keys(self) -> Any:
        """The keys that are neither a section nor a group, as a dataclass."""
        plain = [(f.name, f.type, f) for f in dataclasses.fields(self.recipe) if f.name not in self.parts]
        return dataclasses.make_dataclass("Keys", plain, bases=(Section,), kw_only=True)

    def empty(self) -> dict[str, Any]:
        """A config with every section's defaults and nothing chosen."""
        plain = {f.name: f.default for f in dataclasses.fields(self.recipe) if f.name not in self.parts}
        return {name: {} if value is dataclasses.MISSING else value for name, value in plain.items()} | {
            group: {} for group in self.several
        }


TRAINING = Schema(
    base="base",
    recipe=Recipe,
    sections={"view": View, "train": Train, "launch": Launch},
    single={"encoder": "encoder", "predictor": "predictor", "targets": "target_selector", "data": "data_source"},
    several={"actions": "action", "evaluators": "evaluator"},
)
TUNING = Schema(
    base="tuning",
    recipe=TuneRecipe,
    sections={"view": View, "augment": Augment, "train": Tune, "launch": Launch},
    single={"protocol": "protocol", "data": "data_source"},
    several={"tasks": "task", "heads": "head"},
)
SCHEMAS = (TRAINING, TUNING)

SINGLE = TRAINING.single | TUNING.single
SEVERAL = TRAINING.several | TUNING.several
GROUPS = SINGLE | SEVERAL
"""Groups of all kinds of recipes: one name means one kind of component everywhere."""


def schema_of(config: Any) -> Schema:
    """The kind of a composed or frozen config."""
    return TUNING if "world_model" in config else TRAINING
