"""A split kept in host memory, each image at its own size.

Kept images are blocks of bytes, one for each chunk that was read: workers share them when they are forked, and few pieces travel to
workers that are not.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from iwm_core.data.quarantine import Corrupt
from iwm_core.data.store import CHUNK, check_memory, sample_sizes
from iwm_core.data.workers import made_in_order
from iwm_core.data.wrapped import WrappedImages
from iwm_core.interfaces import CorruptImage, Images, Track


class KeptImages(WrappedImages):
    """All images of a split, decoded once and kept in host memory at their own sizes.

    Args:
        behind: images.
        workers: data workers for the reading.
        track: progress bar.

    Attributes:
        corrupt: those that could not be read.

    Raises:
        UserError: they do not fit into memory, or none can be read.
    """

    def __init__(self, behind: Images, workers: int, track: Track) -> None:
        super().__init__(behind)
        sizes = sample_sizes(behind)
        check_memory(len(behind) * 3 * sum(height * width for height, width in sizes) // len(sizes))
        self.corrupt: list[Corrupt] = []
        self.blocks: list[Tensor] = []
        chunks = torch.arange(len(behind)).split(CHUNK)
        known = []
        for block, shapes, corrupt in track(made_in_order(PackTask(behind), chunks, workers), "reading images", len(chunks)):
            self.blocks.append(block.clone())  # what came from a worker lies in shared memory, of which there may be little
            known.append(shapes)
            self.corrupt += [Corrupt(*c) for c in corrupt]
        self.sizes = torch.cat(known)
        self.reasons = {one.index: one.reason for one in self.corrupt}
        lengths = 3 * self.sizes.prod(dim=1)
        self.starts = torch.cat([(part.cumsum(0) - part) for part in lengths.split(CHUNK)])

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        if index in self.reasons:
            raise CorruptImage(self.reasons[index])
        start, (height, width) = int(self.starts[index]), self.sizes[index].tolist()
        return self.blocks[index // CHUNK][start : start + 3 * height * width].view(3, height, width)

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        return [self._or_error(self.image, index) for index in indices.tolist()]


class PackTask:
    """Reads a chunk of images into one block of bytes; indexed by a tensor of indices. A corrupt image takes none."""

    def __init__(self, images: Images) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Int[Tensor, "b"]) -> tuple[UInt8[Tensor, "_"], Int[Tensor, "b 2"], list[tuple[int | str, ...]]]:
        pieces, sizes, corrupt = [torch.empty(0, dtype=torch.uint8)], [], []
        for i, image in zip(index.tolist(), self.images.images(index), strict=True):
            if isinstance(image, CorruptImage):
                corrupt.append((i, self.images.describe(i), str(image)))
                sizes.append((0, 0))
            else:
                pieces.append(image.flatten())
                sizes.append(tuple(image.shape[1:]))
        return torch.cat(pieces), torch.tensor(sizes), corrupt
