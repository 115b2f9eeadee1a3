"""Pairs of views of whole images, drawn as training draws them (PAPER §2)."""

import torch

from iwm_core.interfaces import ActionParams, Draws, ImageBatch, Views, WorldModel


def draw_params(model: WorldModel, batch: ImageBatch, seed: int, version: int, stream: str) -> ActionParams:
    """The parameters number ``version`` of each image of a batch, a pure function of seed, image and ``version``."""
    return model.actions.sample(Draws(seed, torch.full_like(batch.index, version), batch.index, stream))


def draw_views(model: WorldModel, batch: ImageBatch, seed: int, version: int, stream: str) -> Views:
    """The pair number ``version`` of each image of a batch."""
    return model.views(batch.images, draw_params(model, batch, seed, version, stream))
