"""All images of a split decoded once into one uint8 tensor in host memory or on the device (``cache: ram | device``).

Images of different sizes are kept as squares of their median shorter side, with their true sizes beside: crops are drawn in true pixels
and made in the square's, so that no part of an image and no proportion is lost.

What a GPU needs from the host is copied from pinned memory, without waiting: the time that a batch takes to come is the data's own.
"""

import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

import psutil
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F

from iwm_core.data.loader import Batch, Slice, read
from iwm_core.data.pairs import channels, known_actions, mirrored, sides
from iwm_core.data.quarantine import Corrupt
from iwm_core.data.resample import crop_resize, flip
from iwm_core.data.view import random_boxes
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import Draws, Images, Track
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import View

CHUNK = 64

OF_THE_HOST = ("cpu", "mps")
"""Devices that share the host's memory: nothing is pinned for them."""


class Filled(NamedTuple):
    """A chunk of decoded images, with their own sizes and observed actions."""

    index: Int[Tensor, "b"]  # pyright: ignore[reportIncompatibleMethodOverride]
    pixels: UInt8[Tensor, "b c h w"]
    sizes: Int[Tensor, "b 2"]
    corrupt: list[tuple[int | str, ...]]
    actions: Float[Tensor, "b a"]


class FillTask:
    """Decodes one chunk of images to the stored size; indexed by a tensor of indices."""

    def __init__(self, images: Images, side: tuple[int, int]) -> None:
        self.images, self.side = images, side

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Tensor) -> "Filled":
        decoded, shown, corrupt = read(self.images, index, set())
        sizes = torch.tensor([image.shape[1:] for image in decoded])
        squared = [image if tuple(image.shape[1:]) == self.side else resize(image, self.side) for image in decoded]
        return Filled(index, torch.stack(squared), sizes, [tuple(c) for c in corrupt], known_actions(self.images, shown))


def resize(image: UInt8[Tensor, "c h w"], side: tuple[int, int]) -> UInt8[Tensor, "c h2 w2"]:
    """The whole image at another size, antialiased."""
    return F.interpolate(image[None], size=side, mode="bicubic", antialias=True, align_corners=False)[0]


class StoredViews:
    """Views cropped on the device from stored images.

    Args:
        images: the split, read once.
        view, size, seed: as in `iwm_core.data.loader.DecodedViews`.
        workers: data workers for the reading.
        device: where batches go.
        on_device: keep the images there too, else in host memory.
        track: progress bar.

    Raises:
        UserError: the images do not fit into host memory.
    """

    def __init__(
        self, images: Images, view: View, size: int, seed: int, workers: int, device: torch.device, on_device: bool, track: Track
    ) -> None:
        self.behind, self.view, self.size, self.seed, self.device = images, view, size, seed, device
        side = stored_side(images)
        check_memory(len(images) * channels(images) * side[0] * side[1])
        self.images = torch.empty(len(images), channels(images), *side, dtype=torch.uint8)
        actions = known_actions(images, [])
        self.actions = actions.new_empty(len(images), actions.shape[1])
        self.sizes = torch.empty(len(images), 2, dtype=torch.int64)
        self.corrupt: list[Corrupt] = []
        chunks = torch.arange(len(images)).split(CHUNK)
        task: Any = FillTask(images, side)
        for index, pixels, sizes, corrupt, actions in track(made_in_order(task, chunks, workers), "reading images", len(chunks)):
            self.images[index], self.sizes[index], self.actions[index] = pixels, sizes, actions
            self.corrupt += [Corrupt(*c) for c in corrupt]
        if on_device:
            self.images = self.images.to(device)
        self.on_device = on_device
        self.scale = (torch.tensor(side) / self.sizes).to(device)
        self.sizes, self.actions = self.sizes.to(device), self.actions.to(device)

    def __call__(self, slices: Iterator[Slice]) -> Iterator[Batch]:
        corrupt, self.corrupt = self.corrupt, []
        for part in slices:
            index = (part.index.pin_memory() if self.device.type not in OF_THE_HOST else part.index).to(self.device, non_blocking=True)
            boxes, flips = random_boxes(Draws(self.seed, part.epoch, index), self.sizes[index], self.view)
            stored = self.images[index] if self.on_device else self.upload(part.index)
            views = crop_resize(stored.float().div_(255), boxes * self.scale[index].repeat(1, 2), self.size).clamp_(0, 1)
            turned = sides(flip(views, flips))
            yield Batch(turned.images, index, part.epoch, corrupt, turned.target, mirrored(self.behind, self.actions[index], flips))
            corrupt = []

    def upload(self, index: Int[Tensor, "b"]) -> UInt8[Tensor, "b c h w"]:
        """Images from host memory, gathered into pinned memory: from there they go to a GPU while the host goes on."""
        pinned = torch.empty(len(index), *self.images.shape[1:], dtype=torch.uint8, pin_memory=self.device.type not in OF_THE_HOST)
        return torch.index_select(self.images, 0, index, out=pinned).to(self.device, non_blocking=True)


def stored_side(images: Images) -> tuple[int, int]:
    """The size that images are stored at: their own where a sample of them agrees, else a square of the median shorter side."""
    shapes = set(sample_sizes(images))
    if len(shapes) == 1:
        height, width = shapes.pop()
        return height, width
    side = int(statistics.median(min(shape) for shape in shapes))
    return side, side


def sample_sizes(images: Images) -> list[tuple[int, int]]:
    """Height and width of some images, spread evenly over a split.

    Raises:
        UserError: not one of them can be read.
    """
    sample = torch.linspace(0, len(images) - 1, min(len(images), 64)).long()
    sizes = [(image.shape[1], image.shape[2]) for image in images.images(sample) if isinstance(image, Tensor)]
    if not sizes:
        raise UserError(f"not one of {len(sample)} images tried can be read, such as {images.describe(0)}; check the dataset")
    return sizes


def check_memory(size: int) -> None:
    """Refuse a cache that host memory cannot hold."""
    free = psutil.virtual_memory().available
    if size > free:
        raise UserError(f"data.cache needs {size / 1e9:.1f} GB, but {free / 1e9:.1f} GB of memory are free; use data.cache=none")
