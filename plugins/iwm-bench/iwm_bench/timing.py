"""Times arms in turns.

Decisions:
- Arms take turns, block by block, and the product that the device is measured by is timed in each turn: whatever slows the machine for a
  while slows all of them.
- A block begins with steps that do not count. Where workers make batches, there are more of them: the first batches of all workers
  come at once.
"""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from iwm_tasks.tuning.counting import peak_memory

from iwm_bench.counting import Dispatched, dispatched, forget_peak

LARGEST = 8192
LONG_ENOUGH = 0.02
"""Seconds that a product should take, so that starting it does not count."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """An arm at work.

    Attributes:
        once: a step.
        begin: called before a block.
        waited: seconds that steps have waited for batches so far.
        workers: that make batches.
    """

    once: Callable[[], object]
    begin: Callable[[], object] = lambda: None
    waited: Callable[[], float] = lambda: 0.0
    workers: int = 0


@dataclass(frozen=True)
class Block:
    """What was measured in a block: seconds a step, the share of them that was waited for data, and the most bytes held."""

    seconds: float
    data_wait: float
    peak_memory: int


@dataclass(frozen=True)
class Timed:
    """All blocks of an arm, each of some steps, and what one step dispatches."""

    steps: int
    blocks: list[Block]
    dispatched: Dispatched


def timed(
    works: dict[str, Work], repeats: int, seconds: float, device: torch.device, precision: torch.dtype, track: Callable[..., Iterable[int]]
) -> tuple[dict[str, Timed], int, list[float]]:
    """All arms timed in turns; the side of the product that the device is measured by, and its operations a second in each turn.

    Args:
        works: the arms, by name.
        repeats: blocks of each.
        seconds: that a block lasts at least.
        device, precision: of the product.
        track: shows progress, as of `iwm_core.process.display.Display`.
    """
    arms: dict[str, Timed] = {}
    for name, work in works.items():
        work.begin()
        work.once()
        counted = dispatched(work.once)
        steps = max(math.ceil(seconds / block(work, 1, device).seconds), 2 * work.workers)
        arms[name] = Timed(steps, [], counted)
    side, rates = side_of_product(device, precision), list[float]()
    for _ in track(range(repeats), "measuring", repeats):
        for name, arm in arms.items():
            arm.blocks.append(block(works[name], arm.steps, device))
        rates.append(2 * side**3 / min(seconds_of_product(device, side, precision) for _ in range(5)))
    return arms, side, rates


def block(work: Work, steps: int, device: torch.device) -> Block:
    """A block of some steps."""
    forget_peak(device)
    work.begin()
    for _ in range(1 + work.workers):
        work.once()
    synchronize(device)
    waited, before = work.waited(), time.perf_counter()
    for _ in range(steps):
        work.once()
    synchronize(device)
    seconds = time.perf_counter() - before
    return Block(seconds / steps, (work.waited() - waited) / seconds, peak_memory(device))


def seconds_of_product(device: torch.device, side: int, precision: torch.dtype) -> float:
    """How long a product of two square matrices takes: ``2 * side ** 3`` operations."""
    left = torch.ones(side, side, device=device, dtype=precision)
    synchronize(device)
    before = time.perf_counter()
    torch.mm(left, left.T)
    synchronize(device)
    return time.perf_counter() - before


def side_of_product(device: torch.device, precision: torch.dtype) -> int:
    """The side of two square matrices whose product keeps the device busy: a power of two."""
    side = 512
    while side < LARGEST and min(seconds_of_product(device, side, precision) for _ in range(3)) < LONG_ENOUGH:
        side *= 2
    return side


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
