"""What can be asked of a world model, as controls of a page: one for each parameter of each action that the recipe has.

Decisions:
- No action is known by name. A parameter's range is what `sample` draws of it, as evaluators have it (`dose`); its label, and how a value
  is written, are the action's own (`labels`, `units`). So a third party's action has its controls without saying more.
- A parameter that targets carry is put on the target, from a source at rest. One that sources alone carry is put on the source, for the
  model to undo. An observed action is told as numbers, since nobody can apply it.
- Of two values, one of them at rest, a parameter is a checkbox; of a few values, a choice of these; else a slider. One that never varies
  is left out.
- Ends of ranges are those of a few thousand draws, rounded to the slider's step.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from iwm_evals.plans import drawn_candidates, repeated
from iwm_evals.words.asked import owner_of, title_of, true_minus
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import ActionParams, Draws, WorldModel

DRAWN = 4096
FEW = 8  # values that are chosen from, rather than slid over
STEPS = 50  # of a slider, at least

TARGET, SOURCE, OBSERVED = "target", "source", "observed"


class Control(NamedTuple):
    """One parameter of an action.

    Attributes:
        column: its place among the parameters of all actions.
        action: the name of its action in the recipe.
        label: what it is called.
        unit: how a value is written, such as ``×{:.2f}``; empty: as a number.
        side: `TARGET`, `SOURCE` (the model is asked to undo it) or `OBSERVED`.
        rest: the value that changes nothing.
        low, high, step: of a slider.
        values: the few values that it takes, ascending; empty where it takes many.
    """

    column: int
    action: str
    label: str
    unit: str
    side: str
    rest: float
    low: float
    high: float
    step: float
    values: tuple[float, ...] = ()

    @property
    def is_switch(self) -> bool:
        return len(self.values) == 2 and self.rest in self.values

    @property
    def on(self) -> float:
        """Of a switch, the value that is not at rest."""
        return next(value for value in self.values if value != self.rest)

    def words(self, value: float) -> str:
        """A value as its action writes it."""
        return true_minus(self.unit.format(value) if self.unit else f"{value:g}")


def controls_of(model: WorldModel, seed: int) -> list[Control]:
    """The controls of a model's actions, in the recipe's order."""
    targets = drawn_candidates(model.actions, seed, model.device).cpu()
    sources = model.actions.sample(repeated(seed, DRAWN, model.device, "explore/range")).source.cpu()
    found = []
    for column, rest in enumerate(model.actions.identity.tolist()):
        name, place = owner_of(model, column)
        part = model.parts[name]
        carried = bool((targets[:, column] != rest).any())
        side = OBSERVED if part.observed else TARGET if carried else SOURCE
        drawn = (targets if carried else sources)[:, column]
        alone = side == SOURCE and len(part.identity) == 1
        units = part.units if len(part.units) == len(part.identity) else ()
        label = name if alone else title_of(model, column)
        found.append(made(column, name, label, units[place] if units else "", side, rest, drawn))
    return [control for control in found if control is not None]


def made(column: int, action: str, label: str, unit: str, side: str, rest: float, drawn: Float[Tensor, "k"]) -> Control | None:
    """A control of what was drawn of a parameter; None where it never leaves its rest."""
    values = sorted({rest, *drawn.unique().tolist()})
    low, high = values[0], values[-1]
    if low == high:
        return None
    step = 10.0 ** math.floor(math.log10((high - low) / STEPS))
    low, high = (round(end / step) * step for end in (low, high))
    digits = max(0, -math.floor(math.log10(step)))
    ends = round(low, digits), round(high, digits), round(step, digits)
    return Control(column, action, label, unit, side, rest, *ends, tuple(values) if len(values) <= FEW else ())


def sides(model: WorldModel, controls: Sequence[Control], values: Sequence[float]) -> ActionParams:
    """The parameters of source and target, one row, that the controls' values ask for. A value within half a step of rest is at rest.

    Raises:
        ValueError: a value that is none of the control's.
    """
    source = model.actions.identity.to(model.device)[None].clone()
    target = source.clone()
    for control, value in zip(controls, values, strict=True):
        reach = control.step / 2
        if not control.low - reach <= value <= control.high + reach:
            raise ValueError(f"{control.label} goes from {control.low:g} to {control.high:g}, got {value:g}")
        if abs(value - control.rest) > (0 if control.values else reach):
            (source if control.side == SOURCE else target)[0, control.column] = value
    return ActionParams(source, target)


def drawn_values(model: WorldModel, controls: Sequence[Control], number: int) -> list[float]:
    """The controls' values of a draw as training makes it."""
    params = model.actions.sample(Draws(0, number, torch.zeros(1, dtype=torch.int64, device=model.device), "explore/draw"))
    sampled = {SOURCE: params.source[0].tolist(), TARGET: params.target[0].tolist(), OBSERVED: params.target[0].tolist()}
    found = []
    for control in controls:
        value = sampled[control.side][control.column]
        found.append(value if control.values else min(max(value, control.low), control.high))
    return found
