"""Shared memory in which workers hand over what they made, and which they fill again.

Decisions:
- The kernel takes several times as long to give out pages as the copy into them takes. So a worker keeps its blocks, and fills one again
  when nothing in the main process refers to it any more. Whoever keeps what was made keeps the block; the worker has others.
- All tensors of a part lie in one block. Small ones are copied out of it: whoever keeps labels does not keep images.
"""

from multiprocessing.sharedctypes import RawArray
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.data import get_worker_info

ALIGNED, SMALL = 64, 8


class Lent(NamedTuple):
    """What was made, in the block of this number; -1 for one that is not kept."""

    block: int
    made: Any


class Lending:
    """The blocks of all workers, of which each keeps so many."""

    def __init__(self, workers: int, each: int) -> None:
        self.each, self.lent = each, RawArray("b", workers * each)
        self.blocks: dict[int, Tensor] = {}  # of this worker
        self.read: dict[int, StorageWeakRef] = {}  # by the main process

    def lend(self, made: Any) -> Any:
        """In a worker: what it made, where the main process can read it."""
        parts, tree = tree_flatten(made)
        sizes = [-(-part.nbytes // ALIGNED) * ALIGNED if isinstance(part, Tensor) else 0 for part in parts]
        if not any(sizes):
            return made
        number, block = self.free(sum(sizes))
        for i, place in enumerate(block[: sum(sizes)].split(sizes)):
            if isinstance(part := parts[i], Tensor):
                parts[i] = place[: part.nbytes].view(part.dtype).view(part.shape).copy_(part)
        return Lent(number, tree_unflatten(parts, tree))

    def free(self, size: int) -> tuple[int, Tensor]:
        """The number of a block that nobody reads, and the block."""
        first = get_worker_info().id * self.each  # pyright: ignore[reportOptionalMemberAccess]
        number = next((number for number in range(first, first + self.each) if not self.lent[number]), -1)
        block = self.blocks.pop(number, None)
        if block is None or len(block) < size:
            block = torch.empty(size, dtype=torch.uint8).share_memory_()
        if number >= 0:
            self.blocks[number], self.lent[number] = block, True
        return number, block

    def take(self, lent: Any) -> Any:
        """In the main process: what was made. Blocks that it no longer reads go back."""
        for number in [number for number, block in self.read.items() if block.expired()]:
            del self.read[number]
            self.lent[number] = False
        if not isinstance(lent, Lent):
            return lent
        parts, tree = tree_flatten(lent.made)
        tensors = {i: part for i, part in enumerate(parts) if isinstance(part, Tensor)}
        if lent.block >= 0:
            self.read[lent.block] = StorageWeakRef(next(iter(tensors.values())).untyped_storage())
        for i, part in tensors.items():
            if part.nbytes * SMALL < part.untyped_storage().nbytes():
                parts[i] = part.clone()
        return tree_unflatten(parts, tree)
