"""Batches of training views from images that are decoded once: crops are made on the device, of a whole batch at once.

What a crop is drawn and weighed with are a hundred operations, however few images: so it is done for several small batches together.
"""

from collections.abc import Iterator

import torch
from iwm_crop.resample import box_weights, flip, resample
from jaxtyping import UInt8
from torch import Tensor

from iwm_core.data.loader import OF_THE_HOST, Batch, sent
from iwm_core.data.order import Slice
from iwm_core.data.view import mirror_actions, random_boxes
from iwm_core.interfaces import Draws
from iwm_core.recipe.config import View
from iwm_data.cache import Cache

TOGETHER = 128
"""Images whose crops are drawn at once."""


class CachedViews:
    """`iwm_core.data.loader.DecodedViews`, of images that are kept at one size; the next readable one takes a corrupt one's place."""

    def __init__(self, cache: Cache, view: View, size: int, seed: int, device: torch.device) -> None:
        assert cache.side is not None, "kept for crops of a whole batch"
        self.side, self.cache, self.view, self.size, self.seed, self.device = cache.side, cache, view, size, seed, device
        self.shown = cache.readable()
        self.sizes, self.actions = cache.sizes[self.shown], cache.actions[self.shown]
        self.scale = torch.tensor(cache.side) / self.sizes

    def __call__(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        for parts in together(slices):
            index, device = torch.cat([part.index for part in parts]), self.device
            boxes, flips = random_boxes(Draws(self.seed, parts[0].epoch, index), self.sizes[index], self.view)
            action = mirror_actions(self.actions[index], flips, self.cache.observed)
            boxes, flips, action = (sent(one, device) for one in (boxes * self.scale[index].repeat(1, 2), flips, action))
            rows, columns = box_weights(boxes, self.side, self.size)
            prepared = (one.split([len(part.index) for part in parts]) for one in (rows, columns, flips, action))
            for part, *own in zip(parts, *prepared, strict=True):
                yield self.batch(part, *own)

    def batch(self, part: Slice, rows: Tensor, columns: Tensor, flips: Tensor, action: Tensor) -> Batch:
        """A batch, of the weights that cut its views."""
        kept = self.gathered([self.shown[i] for i in part.index.tolist()]).flatten(1, 2).float().div_(255)
        views = resample(kept, rows, columns).clamp_(0, 1)
        sides = flip(views, flips).unflatten(1, (-1, 3)).unbind(1)
        return Batch(sides[0], sides[1] if self.cache.observed else None, action, part.index, part.epoch, [])

    def gathered(self, places: list[int]) -> UInt8[Tensor, "b m 3 h w"]:
        """Kept images on the device; out of host memory through pinned memory: from there they go to a GPU while the host goes on."""
        kept = [self.cache.kept(i) for i in places]
        if kept[0].device.type == self.device.type:
            return torch.stack(kept)
        pinned = torch.empty(len(kept), *kept[0].shape, dtype=torch.uint8, pin_memory=self.device.type not in OF_THE_HOST)
        return torch.stack(kept, out=pinned).to(self.device, non_blocking=True)


def together(slices: Iterator[Slice]) -> Iterator[list[Slice]]:
    """Slices of one epoch that follow each other, of at most `TOGETHER` images in all, or one that has more."""
    group = list[Slice]()
    for part in slices:
        if group and (part.epoch != group[0].epoch or (len(group) + 1) * len(part.index) > TOGETHER):
            yield group
            group = []
        group.append(part)
    if group:
        yield group
