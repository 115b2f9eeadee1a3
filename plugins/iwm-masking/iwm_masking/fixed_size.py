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
- There is no control flow that depends on the draws: one pass over fixed shapes on the device, no synchronisation.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from iwm_core.interfaces import Draws, Targets, TargetSelector, option

MEASURED_LAYOUTS = 2048
FAILURE = 1e-6  # chance that no proposal of a sample fits


class Layouts(NamedTuple):
    """``r`` layouts a sample: the patches that each target group, and the context, may be taken from."""

    target: Bool[Tensor, "b r m n"]
    context: Bool[Tensor, "b r n"]

    def sizes(self) -> tuple[Int[Tensor, "b r"], Int[Tensor, "b r"]]:
        """Patches in the smallest target group, and in the context."""
        return self.target.sum(-1).amin(-1), self.context.sum(-1)


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
    def layouts(self, draws: Draws, grid: tuple[int, int], count: int) -> Layouts:
        """``count`` independent layouts for each sample."""

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
        layouts = self.layouts(Draws(0, 0, torch.arange(MEASURED_LAYOUTS), "sizes"), grid, 1)
        skipped = int(MEASURED_LAYOUTS * (1 - self.window) / 2)
        t, k = (int(size.flatten().sort().values[skipped]) for size in layouts.sizes())
        if k < 1:
            raise ValueError(
                f"{self.name}: {self.blocks} blocks of scale {self.scale} leave no context on a {grid[0]}x{grid[1]} grid; "
                "lower scale or blocks, or use a finer grid"
            )
        return t, k

    def select(self, draws: Draws, grid: tuple[int, int]) -> Targets:
        t, k = self.sizes(grid)
        proposals = 1 if self.window == 1 else math.ceil(math.log(FAILURE) / math.log(1 - self.window))
        layouts = self.layouts(draws.stream("layouts"), grid, proposals)
        return cut(first_fitting(layouts, t, k), t, k, draws.stream("subsets"))


def first_fitting(layouts: Layouts, t: int, k: int) -> Layouts:
    """The first layout of each sample with ``t`` target and ``k`` context patches, or else the first that lacks fewest (r becomes 1)."""
    target, context = layouts.sizes()
    lacking = (t - target).clamp(min=0) + (k - context).clamp(min=0)
    proposals = lacking.shape[1]
    choice = (lacking * proposals + torch.arange(proposals, device=lacking.device)).argmin(1)
    sample = torch.arange(len(choice), device=choice.device)
    return Layouts(layouts.target[sample, choice][:, None], layouts.context[sample, choice][:, None])


def cut(layout: Layouts, t: int, k: int, draws: Draws) -> Targets:
    """Random subsets of fixed size from one layout a sample (r = 1); what a layout lacks is filled up with random other patches."""
    offered, seen = layout.target[:, 0], layout.context[:, 0]
    groups, patches = offered.shape[1:]
    target = random_subset(offered.long(), draws.bits(groups * patches).unflatten(1, (groups, patches)), t)
    predicted = torch.zeros_like(seen).scatter(1, target.flatten(1), True)
    context = random_subset((1 + seen.long()) * ~predicted, draws.bits(patches), k)
    return Targets(context, target)


def random_subset(rank: Int[Tensor, "*s n"], bits: Int[Tensor, "*s n"], count: int) -> Int[Tensor, "*s count"]:
    """``count`` patches, ascending: those of the highest rank, at random among equal ranks."""
    order = ((rank << 32) + bits).argsort(dim=-1, descending=True, stable=True)
    return order[..., :count].sort(dim=-1).values


def check_range(label: str, value: list[float]) -> None:
    """Raise ValueError unless ``value`` is [low, high]."""
    if len(value) != 2 or value[0] > value[1]:
        raise ValueError(f"{label} must be [low, high] with low at most high, got {value}")
