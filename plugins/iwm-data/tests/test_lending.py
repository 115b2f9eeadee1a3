"""Blocks of shared memory that workers fill again: as few as are read at once, and never one that somebody still reads."""

import re
import sys
from pathlib import Path

import pytest
import torch
from iwm_data.cache import Cache
from torch.utils._pytree import tree_flatten

from iwm_core.data.reading import Reader
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import Images

PARTS, AHEAD = 40, 2


def made(part):
    """What a part is made into: tensors of several kinds and sizes, which vary from part to part, and what is none."""
    numbers = torch.arange(part % 5 * 1000 + 3000) * (part + 1)
    return {
        "pixels": numbers.to(torch.uint8),
        "both": (numbers.double().sqrt(), numbers[: part % 3].to(torch.bfloat16)),
        "turned": torch.arange(600 + 2 * part).reshape(2, -1).T,
        "is": [torch.tensor(part), torch.tensor(part % 2 == 0), None, f"part {part}"],
        "empty": torch.empty(0, 3),
    }


def blocks(part):
    """Something large, and the blocks of shared memory that this process has."""
    return torch.full((1 << 20,), part, dtype=torch.uint8), set(re.findall(r"(\d+) +/dev/shm/torch_", Path("/proc/self/maps").read_text()))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_kept_keeps_its_bits(workers):
    kept = list(made_in_order(made, range(PARTS), workers))
    (parts, tree), (wanted, wanted_tree) = tree_flatten(kept), tree_flatten([made(part) for part in range(PARTS)])
    assert tree == wanted_tree
    for part, same in zip(parts, wanted, strict=True):
        assert (part.dtype == same.dtype and torch.equal(part, same)) if isinstance(same, torch.Tensor) else part == same


def test_what_is_kept_of_it_alone_keeps_its_bits():
    pieces = [one[0][5:9] for one in made_in_order(blocks, range(PARTS), 1)]
    assert [piece.tolist() for piece in pieces] == [[part] * 4 for part in range(PARTS)]
    halves = [found["both"][0][1::2] for part, found in enumerate(made_in_order(made, range(PARTS), 1)) if part % 3 == 0]
    for half, part in zip(halves, range(0, PARTS, 3), strict=True):
        assert torch.equal(half, made(part)["both"][0][1::2])


@pytest.mark.skipif(sys.platform != "linux", reason="blocks are counted by /proc")
def test_a_block_that_nobody_reads_is_filled_again():
    _, others = blocks(0)
    seen = set().union(*(found for _, found in made_in_order(blocks, range(PARTS), 1))) - others
    assert 0 < len(seen) <= AHEAD + 3


@pytest.mark.skipif(sys.platform != "linux", reason="blocks are counted by /proc")
def test_a_worker_keeps_no_more_blocks_where_all_are_read_for_ever():
    _, others = blocks(0)
    kept = list(made_in_order(blocks, range(PARTS), 1))
    assert max(len(found - others) for _, found in kept) <= AHEAD + 3 + 2 * AHEAD, "its own, and what is on its way"
    assert [large[-1].item() for large, _ in kept] == [*range(PARTS)]


def labelled(part):
    return torch.zeros(1 << 20), torch.tensor([part])


def test_what_is_small_does_not_keep_what_is_large():
    labels = [label for _, label in made_in_order(labelled, range(PARTS), 1)]
    assert [label.item() for label in labels] == [*range(PARTS)]
    assert sum(label.untyped_storage().nbytes() for label in labels) < 1 << 20


class Grey(Images):
    def __len__(self):
        return 640

    def image(self, index):
        return torch.full((3, 8, 8), index % 256, dtype=torch.uint8)

    def describe(self, index):
        return f"image {index}"


@pytest.mark.skipif(sys.platform != "linux", reason="blocks are counted by /proc")
def test_a_cache_does_not_hold_what_workers_sent_while_they_fill_it():
    _, others = blocks(0)
    read = []

    def track(items, label, total):
        for item in items:
            read.append(len(blocks(0)[1] - others))
            yield item

    cache = Cache(Reader(Grey()), 1, track)
    assert 0 < max(read) <= 3
    assert [cache.image(index)[0, 0, 0].item() for index in (0, 100, 639)] == [0, 100, 639 % 256]
