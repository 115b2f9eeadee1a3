"""Batches of training views, as a pure function of the recipe, the seed and the slice that is asked for (DESIGN §5).

Decisions:
- ``cache: none``: workers decode, crop and flip, and send uint8. ``ram`` and ``device``: all images are decoded once
  (`iwm_core.data.cache`), and crops are made on the device for a whole batch at once.
- What a GPU needs from the host is copied from pinned memory, without waiting: the time that a batch takes to come is the data's own.
- Random numbers are the host's (`Draws`): a batch tells its samples' numbers there, and boxes are the same to the pixel on every device.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from iwm_core.data.cache import OF_THE_HOST, Cache
from iwm_core.data.order import Slice
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.reading import Reader
from iwm_core.data.resample import crop_resize, flip
from iwm_core.data.view import mirror_actions, random_boxes, random_views
from iwm_core.interfaces import Draws, Observed, Sample
from iwm_core.recipe.config import View


class Batch(NamedTuple):
    """A micro-batch of views, and the corrupt images met on the way.

    Attributes:
        images: bytes as a worker sends them, in [0, 1] on the device.
        target: the second images of pairs, cropped and flipped as the first; None where images come singly.
        action: the observed actions of pairs.
        index: the samples' numbers; they stay on the host.
    """

    images: Shaped[Tensor, "b 3 s s"]
    target: Shaped[Tensor, "b 3 s s"] | None
    action: Float[Tensor, "b a"]
    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    epoch: int
    corrupt: list[Corrupt]


def stacked(
    samples: Sequence[Sample], size: int, observed: Observed | None
) -> tuple[UInt8[Tensor, "b 3 s s"], UInt8[Tensor, "b 3 s s"] | None, Float[Tensor, "b a"]]:
    """Images, targets and actions of samples of one size; it may be of none."""
    images, targets = [one.image for one in samples], [one.target for one in samples if one.target is not None]
    told, blank = [one.action for one in samples if one.action is not None], torch.empty(0, 3, size, size, dtype=torch.uint8)
    return (
        torch.stack(images) if images else blank,
        (torch.stack(targets) if targets else blank) if observed else None,
        torch.stack(told) if told else torch.empty(len(samples), len(observed.labels) if observed else 0),
    )


def on_device(batch: Any, device: torch.device) -> Any:
    """A named tuple of tensors on a device, its ``images`` and ``target`` as numbers in [0, 1]."""

    def moved(part: Any) -> Any:
        if isinstance(part, dict):
            return {name: moved(one) for name, one in part.items()}
        return part.to(device, non_blocking=True) if isinstance(part, Tensor) else part

    batch = batch._make(map(moved, batch))
    pixels = {name: getattr(batch, name, None) for name in ("images", "target")}
    return batch._replace(**{name: side.float().div_(255) for name, side in pixels.items() if side is not None})


def sent(part: Tensor, device: torch.device) -> Tensor:
    """A tensor of the host on a device, which the host does not wait for."""
    return part if device.type == "cpu" else (part if device.type in OF_THE_HOST else part.pin_memory()).to(device, non_blocking=True)


class DecodedViews:
    """What a worker makes of a `Slice`: decoded, cropped and flipped images of ``size`` pixels a side; ``seed`` is the run's."""

    def __init__(self, reader: Reader, view: View, size: int, seed: int) -> None:
        self.reader, self.view, self.size, self.seed = reader, view, size, seed

    def __call__(self, part: Slice) -> Batch:
        read = self.reader.read_all(part.index)
        views, _, flips = random_views(read.samples, Draws(self.seed, part.epoch, part.index), self.view, self.size)
        images, target, action = stacked(views, self.size, self.reader.observed)
        return Batch(images, target, mirror_actions(action, flips, self.reader.observed), part.index, part.epoch, read.corrupt)


class CachedViews:
    """The same, cropped on the device from images that are kept at one size; the next readable one takes a corrupt one's place."""

    def __init__(self, cache: Cache, view: View, size: int, seed: int, device: torch.device) -> None:
        assert cache.side is not None, "kept for crops of a whole batch"
        self.cache, self.view, self.size, self.seed, self.device = cache, view, size, seed, device
        self.shown = cache.readable()
        self.sizes, self.actions = cache.sizes[self.shown], cache.actions[self.shown]
        self.scale = torch.tensor(cache.side) / self.sizes

    def __call__(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        for part in slices:
            index, device = part.index, self.device
            boxes, flips = random_boxes(Draws(self.seed, part.epoch, index), self.sizes[index], self.view)
            action = mirror_actions(self.actions[index], flips, self.cache.observed)
            boxes, flips, action = (sent(one, device) for one in (boxes * self.scale[index].repeat(1, 2), flips, action))
            kept = self.gathered([self.shown[i] for i in index.tolist()]).flatten(1, 2).float().div_(255)
            views = crop_resize(kept, boxes, self.size).clamp_(0, 1)
            sides = flip(views, flips).unflatten(1, (-1, 3)).unbind(1)
            yield Batch(sides[0], sides[1] if self.cache.observed else None, action, index, part.epoch, [])

    def gathered(self, places: list[int]) -> UInt8[Tensor, "b m 3 h w"]:
        """Kept images on the device; out of host memory through pinned memory: from there they go to a GPU while the host goes on."""
        kept = [self.cache.kept(i) for i in places]
        if kept[0].device.type == self.device.type:
            return torch.stack(kept)
        pinned = torch.empty(len(kept), *kept[0].shape, dtype=torch.uint8, pin_memory=self.device.type not in OF_THE_HOST)
        return torch.stack(kept, out=pinned).to(self.device, non_blocking=True)
