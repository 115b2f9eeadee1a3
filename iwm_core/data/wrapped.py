"""Images made of other images: a part of a split, or a split kept in memory.

Decisions:
- All that is known of an image (label, factors, mask) is asked of the images behind, at the index that it has there.
- Kept images are blocks of bytes, one for each chunk that was read: workers share them when they are forked, and few pieces travel to
  workers that are not.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.utils.data import DataLoader

from iwm_core.data.quarantine import Corrupt
from iwm_core.data.store import CHUNK, check_memory, sample_sizes
from iwm_core.interfaces import CorruptImage, Images, Track


class WrappedImages(Images):
    """The images behind, all of them or those of some indices.

    Args:
        behind: images.
        chosen: their indices here, in order; None: all.
    """

    def __init__(self, behind: Images, chosen: Int[Tensor, "n"] | None = None) -> None:
        self.behind, self.chosen = behind, chosen
        self.classes, self.factors, self.mask_classes = behind.classes, behind.factors, behind.mask_classes

    def place(self, index: int) -> int:
        """The index of an image behind."""
        return index if self.chosen is None else int(self.chosen[index])

    def __len__(self) -> int:
        return len(self.behind) if self.chosen is None else len(self.chosen)

    def image(self, index: int) -> UInt8[Tensor, "3 h w"]:
        return self.behind.image(self.place(index))

    def images(self, indices: Int[Tensor, "b"]) -> Iterable[UInt8[Tensor, "3 h w"] | CorruptImage]:
        return self.behind.images(indices if self.chosen is None else self.chosen[indices])

    def describe(self, index: int) -> str:
        return self.behind.describe(self.place(index))

    def label(self, index: int) -> int:
        return self.behind.label(self.place(index))

    def labels(self, index: int) -> Bool[Tensor, "c"] | None:
        return self.behind.labels(self.place(index))

    def factor(self, index: int) -> Float[Tensor, "f"]:
        return self.behind.factor(self.place(index))

    def mask(self, index: int) -> UInt8[Tensor, "h w"] | None:
        return self.behind.mask(self.place(index))


def part_of(images: Images, count: int) -> Images:
    """``count`` images spread evenly over a split; all of them where ``count`` is 0 or no fewer."""
    if not 0 < count < len(images):
        return images
    return WrappedImages(images, torch.arange(count) * len(images) // count)  # spread: folders are sorted by class


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
        loader = DataLoader(
            PackTask(behind),  # pyright: ignore[reportArgumentType]
            batch_size=None,
            sampler=chunks,  # pyright: ignore[reportArgumentType]
            num_workers=workers,
        )
        known = []
        for block, shapes, corrupt in track(loader, "reading images", len(chunks)):
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
        return [self._image_or_error(index) for index in indices.tolist()]


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
