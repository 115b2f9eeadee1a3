"""Corrupted versions of images: what destructive operations, which no target ever carries, make of them.

Decisions:
- An action is destructive if no target of `TARGETS` draws carries it.
- Operations are rare: an image's parameters are those of the first of `TRIES` draws in which its action is told.
- Images that a told operation leaves as they are (nothing bright to solarize) have nothing to undo and are left out.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import Draws, ImageBatch, WorldModel
from iwm_evals.plans.problem import repeated
from iwm_evals.questions.parts import Part, alone, each_action

TARGETS = 256
TRIES = 100  # an operation of probability 0.05 then misses six images in a thousand
STREAM = "undo/draws"


class Corrupted(NamedTuple):
    """Some images of a batch, their places in it, and the actions that lead back to the clean images."""

    place: Int[Tensor, "c"]
    images: Float[Tensor, "c 3 h w"]
    actions: Float[Tensor, "c a"]


def destructive(model: WorldModel, seed: int) -> list[Part]:
    """The actions of the recipe that are on sources alone; an observed one is on neither side of an image that stands by itself."""
    targets = model.actions.sample(repeated(seed, TARGETS, model.device, STREAM)).target
    rests = (targets == model.actions.identity.to(targets)).all(0).cpu()
    made = [part for part in each_action(model.parts) if not model.parts[part.name].observed]
    return [part for part in made if bool(rests[part.columns].all())]


def at_rest(model: WorldModel, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h2 w2"]:
    """Clean images, by the same arithmetic as corrupted ones."""
    return model.actions.apply(images, model.actions.identity.to(model.device).expand(len(images), -1))


def corrupt(model: WorldModel, part: Part, batch: ImageBatch, clean: Float[Tensor, "b 3 h w"], seed: int) -> Corrupted:
    """The images of a batch that a part of the action corrupts, ``clean`` being `at_rest`."""
    rest = model.actions.identity.to(model.device).expand(len(batch.index), -1)
    params, told = rest, torch.zeros(len(rest), dtype=torch.bool, device=model.device)
    for version in range(TRIES):
        drawn = alone(part, model.actions.sample(Draws(seed, version, batch.index, STREAM)).source, model.actions.identity)
        fresh = (model.actions.encode(drawn, rest) != 0).any(1) & ~told
        params, told = torch.where(fresh[:, None], drawn, params), told | fresh
        if told.all():
            break
    images = model.actions.apply(batch.images, params)
    place = (told & (images != clean).flatten(1).any(1)).nonzero()[:, 0]
    return Corrupted(place, images[place], model.actions.encode(params, rest)[place])
