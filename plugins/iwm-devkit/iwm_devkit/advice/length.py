"""The length of a run as the command line changes it: in one unit, and, where little is left of it, measured in little time.

Decisions:
- A run that the command line shortens to 100 steps or fewer is a trial. It is measured by those of its recipe's evaluators that are in the
  ready-made set ``quick``, and those that the command line names: a look at the first steps should not take ten times as long as these.
- This is decided when a recipe is composed, from its words alone: `iwm show` shows it, a note tells it, and the frozen config keeps it.
"""

from typing import Any

from omegaconf import DictConfig

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import groups
from iwm_core.plugins.lineage import Choice, Lineage, Settings
from iwm_core.plugins.recipe_files import ready_made
from iwm_core.plugins.recipe_text import recipe_in
from iwm_core.recipe.typed import as_typed

TRIAL = 100  # steps of the longest run that is taken for a trial


def train_of(lineage: Lineage, overrides: list[Any]) -> dict[str, Any]:
    """The section ``train`` as a recipe has it, with the ready-made choices, such as ``size=gpu``, of the command line."""
    given = plainly(overrides)
    train: dict[str, Any] = {}
    for part in lineage.parts:
        if isinstance(part, Settings):
            train |= train_in(part.content)
        elif part.group not in groups():
            file = ready_made(part.group).get(str(given.get(part.group, part.value)))
            train |= train_in(recipe_in(file)) if file else {}
    return train


def plainly(overrides: list[Any]) -> dict[str, Any]:
    """The values that overrides set, by their keys."""
    return {o.key_or_group: o.value() for o in overrides if not (o.is_delete() or o.is_sweep_override())}


def train_in(content: dict[str, Any]) -> dict[str, Any]:
    """The section ``train`` of a recipe's settings; what else stands there is found when they are composed."""
    train = content.get("train")
    return train if isinstance(train, dict) else {}


def check_length(overrides: list[Any], lineage: Lineage) -> None:
    """Check that an override of the length (``train.steps``, ``train.epochs``) replaces the recipe's, which may be in the other unit."""
    given, train = plainly(overrides), train_of(lineage, overrides)
    for unit, other in (("epochs", "steps"), ("steps", "epochs")):
        new, old = given.get(f"train.{unit}"), train.get(other)
        if new is not None and old is not None and f"train.{other}" not in {o.key_or_group for o in overrides}:
            words = f"train.{unit}={as_typed(new)} train.{other}=null"
            raise UserError(f"the recipe has train.{other}={as_typed(old)}, and a run has one length; write {words}")


def measured_quickly(config: DictConfig, overrides: list[Any], lineage: Lineage) -> list[str]:
    """Leave to a trial its quick evaluators, and those that the command line names; returns a note where others were left out."""
    given, quick = plainly(overrides), ready_made("evaluators").get("quick")
    steps, usual = given.get("train.steps"), train_of(lineage, overrides).get("steps")
    if quick is None or "evaluators" in given or not isinstance(steps, int) or steps > TRIAL or (isinstance(usual, int) and usual <= steps):
        return []
    kept = {*recipe_in(quick)["defaults"], *(key.split(".")[1] for key in given if key.startswith("evaluators."))}
    left = [name for name in config.get("evaluators") or {} if name not in kept]
    if not left or len(left) == len(config.evaluators):
        return []
    config.evaluators = {name: node for name, node in config.evaluators.items() if name not in left}
    chosen = next((part.value for part in lineage.parts if isinstance(part, Choice) and part.group == "evaluators"), left)
    alone, all_of = ", ".join(config.evaluators), f'"evaluators={as_typed(chosen)}"'
    return [f"a run of {TRIAL} steps or fewer is a trial, measured by {alone} alone; to measure all that the recipe does, add {all_of}"]
