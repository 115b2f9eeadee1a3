"""What was asked of a model, in words: ``brightness ×1.30``, ``hue +0.10 turns``, ``undo blur``.

Decisions:
- From an image at rest, a parameter is what was asked. It is written as its action says (`Action.units`); of an action that does not say,
  the encoded numbers are written, which every action has labels for.
- A label that several actions have is told with its action's name.
- What a source alone can carry is undone: the label of its flag says no more.
"""

import re

from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import WorldModel

LEAST = 0.005  # of an encoded number: smaller ones are written 0.00
NOTHING = "no change"


def asked(model: WorldModel, params: Float[Tensor, "p"]) -> list[str]:
    """What leads from an image at rest to these parameters of a target, a text for each number that changes."""
    rest = model.actions.identity.to(params)
    return told(model, model.actions.encode(rest[None], params[None])[0], params)


def told(model: WorldModel, action: Float[Tensor, "a"], params: Float[Tensor, "p"] | None = None) -> list[str]:
    """An encoded action, a text for each number that is not zero; ``params``: of the target, where the source is at rest."""
    texts, place, numbers = [], 0, iter(action.tolist())
    for name, part in model.parts.items():
        own = None if params is None else params[place : place + len(part.identity)].tolist()
        place += len(part.identity)
        values = [(label, next(numbers)) for label in part.labels]
        changed = [(number, label, value) for number, (label, value) in enumerate(values) if abs(value) >= LEAST]
        if not part.changes_target and not part.observed:
            texts += [f"undo {name}"] if changed else []
            continue
        for number, label, value in changed:
            words = part.units[number].format(own[number]) if part.units and own is not None else f"{value:+.2f}"
            texts.append(f"{called(model, name, label)} {true_minus(words)}".rstrip())
    return texts or [NOTHING]


def dose(model: WorldModel, column: int, params: Float[Tensor, "p"]) -> str:
    """The value of one parameter, the others at rest, without its label where its action says how it is written."""
    name, number = owner_of(model, column)
    part, words = model.parts[name], asked(model, params)
    if words == [NOTHING]:
        return "as it is"
    if part.units and part.units[number]:
        return true_minus(part.units[number].format(float(params[column])))
    return ", ".join(words)


def title_of(model: WorldModel, column: int) -> str:
    """What a parameter is called: by its label, where its action has one for each parameter."""
    name, number = owner_of(model, column)
    part = model.parts[name]
    return called(model, name, part.labels[number]) if len(part.labels) == len(part.identity) else f"{name} {number}"


def owner_of(model: WorldModel, column: int) -> tuple[str, int]:
    """The action that a parameter belongs to, and its number there."""
    for name, part in model.parts.items():
        if column < len(part.identity):
            return name, column
        column -= len(part.identity)
    raise AssertionError("there is no such parameter")


def called(model: WorldModel, name: str, label: str) -> str:
    """A label; where several actions have it, after its action's name."""
    return label if list(model.actions.labels).count(label) == 1 else f"{name} {label}"


def true_minus(text: str) -> str:
    """A minus before a number as typesetters write it."""
    return re.sub(r"-(?=[\d.])", "−", text)
