"""Batches of training views, as a pure function of the recipe, the seed and the slice that is asked for (DESIGN §5).

Decisions:
- ``cache: none``: workers decode, crop and flip, and send uint8. Of ``ram`` and ``device``, where all images are decoded once, a plugin
  makes the batches (`iwm_caches`).
- What a GPU needs from the host is copied from pinned memory, without waiting: the time that a batch takes to come is the data's own.
- Random numbers are the host's (`Draws`): a batch tells its samples' numbers there, and boxes are the same to the pixel on every device.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Shaped, UInt8
from torch import Tensor

from iwm_core.data.order import Slice
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.reading import Reader
from iwm_core.data.view import mirror_actions, random_views
from iwm_core.interfaces import Draws, Observed, Sample
from iwm_core.recipe.config import View

OF_THE_HOST = ("cpu", "mps")
"""Devices that share the host's memory: nothing is pinned for them."""


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
