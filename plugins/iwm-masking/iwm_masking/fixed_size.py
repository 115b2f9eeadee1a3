"""Selectors made of random blocks, with sizes that stay fixed for the whole run.

The paper's blocks overlap by chance, so their union varies from image to image (on 14×14: 94 ± 14 patches), while a batch has to be
rectangular. Cutting sorted indices to the batch's minimum always loses the bottom of the image (PAPER §3).

Decisions:
- ``t`` and ``k`` are quantiles: of the layouts that the fields give on this grid, a quarter (``(1 - window) / 2``) has fewer than
  ``t`` patches in its smallest target group, and a quarter fewer than ``k`` context patches. They are measured once on 2,048 layouts
  with a seed of their own, on the CPU, so they are a pure function of fields and grid.
- A sample draws several layouts and takes the first that has enough of both. At least the share ``window`` of layouts has, so the
  chance that none of them does is 1e-6 a sample. Then the layout that lacks least is filled up with random other patches.
- Target and context are uniformly random subsets of what the layout offers. Patches left over are neither: not seen and not predicted.
- Given its layout's size, a union is as the paper has it; only very small and very large unions are left out. What that does to the
  visit frequencies stands in the README: on 14×14 no patch is off by more than 12 %, and 10 % of the patches stay unused.
- There is no control flow that depends on the draws: one pass over fixed shapes on any device, no synchronisation. Of most layouts only
  the sizes matter, so they are kept as bits (`patch_sets`), and patches are listed of the chosen one alone.
"""

import functools
import math
from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from iwm_core.interfaces import Draws, Targets, TargetSelector, option
from iwm_masking.patch_sets import PatchSets, sizes

MEASURED_LAYOUTS = 2048
FAILURE = 1e-6  # chance that no proposal of a sample fits


@dataclass(kw_only=True)
class BlockSelector(TargetSelector):
    """Base of the selectors whose targets are random blocks.

    Raises:
        ValueError: ``scale`` or ``aspect`` is not [low, high].
    """

    blocks: int = option(4, "rectangles an image", low=1, high=32)
    scale: list[float] = option([0.15, 0.2], "area of a block as a share of the grid, [low, high]", low=0.001, high=1.0)
    aspect: list[float] = option([0.75, 1.5], "height / width of a block in patches, [low, high]", low=0.05, high=20.0)
    window: float = option(
        0.5, "share of the random layouts that is used: more leaves more patches unused, less skews them more", low=0.1, high=1.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(f"{self.name}.scale", self.scale)
        check_range(f"{self.name}.aspect", self.aspect)
        self._sizes: dict[tuple[int, int], tuple[int, int]] = {}

    @abstractmethod
    def layouts(self, draws: Draws, sets: PatchSets, count: int) -> Int[Tensor, "b r g w"]:
        """``count`` independent layouts for each sample: what each target group and, last, the context may be taken from."""

    def sizes(self, grid: tuple[int, int]) -> tuple[int, int]:
        """Patches a target group and context patches, ``(t, k)``: the same for every image of a run.

        Raises:
            ValueError: the blocks are smaller than a patch, or leave no context.
        """
        if grid not in self._sizes:
            self._sizes[grid] = self._measure(grid)
        return self._sizes[grid]

    def _measure(self, grid: tuple[int, int]) -> tuple[int, int]:
        patches = grid[0] * grid[1]
        if self.scale[0] * patches < 0.5:
            raise ValueError(
                f"{self.name}.scale={self.scale} gives blocks smaller than one patch on a {grid[0]}x{grid[1]} grid; "
                f"raise it to {math.ceil(500 / patches) / 1000:g} or more"
            )
        draws = Draws(0, 0, torch.arange(MEASURED_LAYOUTS, device="cpu"), "sizes")
        skipped = int(MEASURED_LAYOUTS * (1 - self.window) / 2)
        t, k = (int(size.flatten().sort().values[skipped]) for size in offers(self.layouts(draws, PatchSets(grid, draws.device), 1)))
        if k < 1:
            raise ValueError(
                f"{self.name}: {self.blocks} blocks of scale {self.scale} leave no context on a {grid[0]}x{grid[1]} grid; "
                "lower scale or blocks, or use a finer grid"
            )
        return t, k

    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        t, k = self.sizes(grid)
        proposals = 1 if self.window == 1 else math.ceil(math.log(FAILURE) / math.log(1 - self.window))
        sets = PatchSets(grid, draws.device)
        layout = first_fitting(self.layouts(draws.stream("layouts"), sets, proposals), t, k)
        return cut(sets.members(layout), t, k, draws.stream("subsets"))


def union(blocks: Int[Tensor, "b r m w"]) -> Int[Tensor, "b r w"]:
    """The patches of any block."""
    return functools.reduce(torch.bitwise_or, blocks.unbind(2))


def offers(layouts: Int[Tensor, "b r g w"]) -> tuple[Int[Tensor, "b r"], Int[Tensor, "b r"]]:
    """Patches in the smallest target group, and in the context."""
    *groups, context = sizes(layouts).unbind(-1)
    return functools.reduce(torch.minimum, groups), context


def first_fitting(layouts: Int[Tensor, "b r g w"], t: int, k: int) -> Int[Tensor, "b g w"]:
    """The first layout of each sample with ``t`` target and ``k`` context patches, or else the first that lacks fewest."""
    target, context = offers(layouts)
    lacking = (t - target).clamp(min=0) + (k - context).clamp(min=0)
    samples, proposals = lacking.shape
    choice = (lacking * proposals + torch.arange(proposals, device=lacking.device)).argmin(1)
    return layouts[torch.arange(samples, device=choice.device), choice]


def cut(layout: Int[Tensor, "b g n"], t: int, k: int, draws: Draws) -> Targets:
    """Random subsets of fixed size from the members of one layout a sample; what it lacks is filled up with random other patches."""
    offered, seen = layout[:, :-1], layout[:, -1]
    groups, patches = offered.shape[1:]
    target = random_subset(offered, draws.bits(groups * patches).view(offered.shape), t)
    rest = (seen + 1).scatter_(1, target.flatten(1), 0)
    return Targets(random_subset(rest, draws.bits(patches), k), target)


def random_subset(rank: Int[Tensor, "*s n"], bits: Int[Tensor, "*s n"], count: int) -> Int[Tensor, "*s count"]:
    """``count`` patches, ascending: those of the highest rank, at random among equal ranks."""
    patches = rank.shape[-1]
    room = patches.bit_length()
    # A patch's number in the lowest bits: it breaks ties, and is what is left to read once all are sorted.
    order = torch.sub(torch.arange(patches, device=rank.device), torch.add(bits, rank, alpha=1 << 32), alpha=1 << room)
    return in_order(in_order(order)[..., :count] & ((1 << room) - 1))


def in_order(numbers: Int[Tensor, "*s n"]) -> Int[Tensor, "*s n"]:
    """Each row sorted, in place on the host: there by numpy, ten times as fast."""
    if numbers.is_cpu and type(numbers) is Tensor and not torch.compiler.is_compiling():
        numbers.numpy().sort(axis=-1)
        return numbers
    return numbers.sort(dim=-1).values


def check_range(label: str, value: list[float]) -> None:
    """Raise ValueError unless ``value`` is [low, high]."""
    if len(value) != 2 or value[0] > value[1]:
        raise ValueError(f"{label} must be [low, high] with low at most high, got {value}")
