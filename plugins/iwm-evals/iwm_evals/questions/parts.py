"""Parts of a recipe's action: some of its parameters vary, all others rest at the identity.

Decisions:
- A part is an action of the recipe (``jitter``) or one of its parameters (``jitter.hue``). A parameter is called by its label where the
  action has as many labels as parameters, else by its place.
- All parts see the same draws as the whole action, with the rest of them put out: leaving a part out changes no other.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from iwm_core.interfaces import Action


class Part(NamedTuple):
    """Which parameters of an action vary, and what that is called; the empty name is the whole action."""

    name: str
    columns: Bool[Tensor, "p"]


def whole(parts: dict[str, Action]) -> Part:
    """Everything varies."""
    return Part("", torch.ones(sum(len(action.identity) for action in parts.values()), dtype=torch.bool))


def each_action(parts: dict[str, Action]) -> list[Part]:
    """One action varies."""
    owner = torch.tensor([place for place, action in enumerate(parts.values()) for _ in action.identity])
    return [Part(name, owner == place) for place, name in enumerate(parts)]


def each_parameter(parts: dict[str, Action]) -> list[Part]:
    """One parameter of an action varies."""
    names = []
    for name, action in parts.items():
        size = len(action.identity)
        names += [f"{name}.{label}" for label in (action.labels if len(action.labels) == size else range(size))]
    return [Part(name, torch.arange(len(names)) == place) for place, name in enumerate(names)]


def alone(part: Part, params: Float[Tensor, "b p"], identity: Float[Tensor, "p"]) -> Float[Tensor, "b p"]:
    """The parameters with everything but this part at the identity."""
    return torch.where(part.columns.to(params.device), params, identity.to(params))
