"""The bank of one image: the augmented versions among which a prediction has to find its own (PAPER §6).

Decisions:
- Every candidate is a pure function of (seed, image index, candidate number): the candidate number takes the place of the epoch, so a
  larger bank begins with the elements of a smaller one, and no order of images, batches or devices changes anything.
- The source is the clean image (identity parameters), so only what a target is ever asked to be can be asked here. PAPER §6: destructive
  operations, which no target carries, are not tested by this bank.
- Jitter is not applied to one image in five, which would put the same element into a bank of 256 some fifty times. Elements are told apart
  by their encoded action, which is all that a predictor is told; the first distinct ones of four times as many candidates are kept.
- The bank of a part of the action has the same candidates, with all else in them at the identity.
- An action that takes fewer values than asked for has a smaller bank, and a chance of its own: repeats would tie with the truth, and a
  perfect model of a flip would get 0.127 among 64.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import Draws, Transformation, WorldModel
from iwm_evals.questions.parts import Part, alone, each_action, each_parameter

CANDIDATES = 4  # drawn for each element of the bank


class Bank(NamedTuple):
    """The ``k`` elements of a bank, all told apart by their actions."""

    params: Float[Tensor, "k p"]
    actions: Float[Tensor, "k a"]


def draw_bank(actions: Transformation, part: Part, seed: int, index: int, size: int, device: torch.device) -> Bank:
    """At most ``size`` augmentations of the image number ``index`` by a part of the action, the tensors on ``device``."""
    target = alone(part, draw_targets(actions, seed, index, size, device), actions.identity)
    encoded = actions.encode(actions.identity.to(target).expand_as(target), target)
    kept = first_of_each(encoded)[:size]
    return Bank(target[kept], encoded[kept])


def draw_targets(actions: Transformation, seed: int, index: int, size: int, device: torch.device) -> Float[Tensor, "c p"]:
    """The candidates' target parameters."""
    number = torch.arange(CANDIDATES * size, device=device)
    return actions.sample(Draws(seed, number, torch.full_like(number, index), "mrr/bank")).target


def banked_parts(model: WorldModel, seed: int, size: int) -> list[Part]:
    """The parts that have banks of their own: each action, where several change the target, and each parameter that varies on it.

    An action of which one parameter alone varies has the bank of that parameter, called by its label, and none of its own: it would be the
    same bank.
    """
    drawn = draw_targets(model.actions, seed, 0, size, model.device).cpu()
    varies = (drawn != drawn[0]).any(0)
    moving = [action for action in each_action(model.parts) if bool((action.columns & varies).any())]
    chosen = []
    for action in moving:
        own = [part for part in each_parameter(model.parts) if bool((part.columns & action.columns & varies).any())]
        chosen += [action] if len(moving) > 1 and len(own) > 1 else []
        chosen += own
    return chosen


def first_of_each(rows: Float[Tensor, "c a"]) -> Int[Tensor, "u"]:
    """Where each distinct row appears first, ascending."""
    _, group = torch.unique(rows.cpu(), dim=0, return_inverse=True)
    first = torch.full((int(group.max()) + 1,), len(group)).scatter_reduce(0, group, torch.arange(len(group)), "amin")
    return first.sort().values.to(rows.device)


def looks_of(images: Float[Tensor, "c 3 h w"]) -> Float[Tensor, "c 1"]:
    """A number for each image, the same for the same image alone: a sum of its pixels with random weights."""
    exact = torch.device("cpu") if images.device.type == "mps" else images.device
    pixels = images.flatten(1).to(exact).double()
    weights = Draws(0, 0, torch.zeros(1, dtype=torch.int64), "mrr/looks").uniform(pixels.shape[1]).to(pixels)
    return (pixels * weights).sum(1, keepdim=True)
