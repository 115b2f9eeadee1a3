"""Pairs of views of whole images, drawn as training draws them (PAPER §2).

Decisions:
- An observed action cannot be drawn: it is that of the image's own pair, and its target is the pair's second image. Where it rests, as in
  parts of the action that leave it out, both views are of the first image.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from iwm_core.interfaces import ActionParams, Draws, ImageBatch, Views, WorldModel
from iwm_evals.questions.parts import Part, alone, whole


def draw_params(model: WorldModel, batch: ImageBatch, seed: int, version: int, stream: str) -> ActionParams:
    """The parameters number ``version`` of each image of a batch, a pure function of seed, image and ``version``; an observed action's
    are those of the pairs."""
    params = model.actions.sample(Draws(seed, torch.full_like(batch.index, version), batch.index, stream))
    return params if batch.action is None else with_observed(model, params, batch.action)


def make_views(model: WorldModel, batch: ImageBatch, params: ActionParams, part: Part | None = None) -> Views:
    """The views of images, in which a part of the action varies (all of it where None is given) and the rest rests."""
    part = part or whole(model.parts)
    rested = ActionParams(*(alone(part, side, model.actions.identity) for side in params))
    shown = batch.target if bool((part.columns & observed_columns(model)).any()) else None
    return model.views(batch.images, rested, shown)


def draw_views(model: WorldModel, batch: ImageBatch, seed: int, version: int, stream: str) -> Views:
    """The pair number ``version`` of each image of a batch."""
    return make_views(model, batch, draw_params(model, batch, seed, version, stream))


def observed_columns(model: WorldModel) -> Bool[Tensor, "p"]:
    """Which parameters are those of the observed action."""
    return torch.tensor([action.observed for action in model.parts.values() for _ in action.identity], dtype=torch.bool)


def observed_numbers(model: WorldModel) -> Bool[Tensor, "a"]:
    """Which numbers of the encoded action are those of the observed action."""
    return torch.tensor([model.parts[name].observed for name in model.names], dtype=torch.bool)


def with_observed(model: WorldModel, params: ActionParams, action: Float[Tensor, "b a"]) -> ActionParams:
    """Parameters whose observed action is ``action``, which leads to the target."""
    target = params.target.clone()
    target[:, observed_columns(model).to(target.device)] = action
    return ActionParams(params.source, target)


def other_action(model: WorldModel, params: ActionParams, pool: Float[Tensor, "q a"], draws: Draws) -> ActionParams:
    """Parameters whose observed action is another pair's, drawn from those of ``pool`` that differ; as they are where none does."""
    if not pool.numel():
        return params
    pool = pool.to(params.target)
    own = params.target[:, observed_columns(model).to(pool.device)]
    differs = (pool != own[:, None]).any(2)
    chosen = torch.where(differs, draws.stream("other").uniform(len(pool)), -1.0).argmax(1)
    return with_observed(model, params, torch.where(differs.any(1, keepdim=True), pool[chosen], own))
