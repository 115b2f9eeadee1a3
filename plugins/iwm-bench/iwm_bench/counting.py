"""Counts what a step does: arithmetic, and what the host gives the device to do.

Decisions:
- Arithmetic is counted as `iwm tune` counts it (`iwm_tasks.tuning.counting`): products and convolutions that a pass really makes, forward
  and backward, attention by its definition. Two images are passed and the half is told.
- What the host dispatches is counted without compilation: a compiled step launches fewer kernels, and this is what is there to be saved.
- The host waits where it reads a value back, where the shape of a result depends on values, and at a copy between it and the device that is
  not asked to go on meanwhile. On a CPU the first two are counted, though nothing is waited for: a GPU would be.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from iwm_tasks.tuning.counting import counting
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from iwm_bench.record import Tokens
from iwm_core.interfaces import Targets, Views
from iwm_core.training.pretraining import Pass

IMAGES = 2
VALUES = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
"""What torch says of operations that need values on the host."""


def gflop_of(learner: Pass, views: Views, where: Targets) -> float:
    """10⁹ operations of a model an image, forward, and backward to what is trained; the model is left as it was."""
    trained = [parameter for parameter in learner.parameters() if parameter.requires_grad]
    with counting() as counter, torch.random.fork_rng(devices=[views.source.device] if views.source.device.type == "cuda" else []):
        loss = learner(Views(*(part[:IMAGES] for part in views)), Targets(*(part[:IMAGES] for part in where))).loss
        torch.autograd.grad(loss, trained, allow_unused=True)
    return counter.get_total_flops() / min(IMAGES, len(views.source)) / 1e9


def tokens_of(where: Targets, grid: tuple[int, int]) -> Tokens:
    """The tokens of an image."""
    return Tokens(grid[0] * grid[1], where.context.shape[1], *where.target.shape[1:])


class Dispatched(TorchDispatchMode):
    """While entered, counts the operations that are dispatched, and those in which the host waits for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.waits = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        self.waits += waits(func, args, kwargs or {}, result)
        return result


def waits(func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> bool:
    """Whether the host waits for the device in an operation."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
    if func in (torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default):  # an index of integers has a known shape
        return any(tensor.dtype == torch.bool for tensor in tree_leaves(args[1]) if tensor is not None)
    between = len({tensor.device.type for tensor in tensors if tensor.dim() or tensor.device.type != "cpu"}) > 1
    return bool(VALUES & set(func.tags)) or (between and not kwargs.get("non_blocking"))


def dispatched(once: Callable[[], object]) -> Dispatched:
    """What one call dispatches, without compilation."""
    with torch.compiler.set_stance("force_eager"), Dispatched() as mode:
        once()
    return mode


def forget_peak(device: torch.device) -> None:
    """Begin the highest mark of memory anew, where that can be done: on a CUDA device, and of a process on Linux."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif (marks := Path("/proc/self/clear_refs")).exists():
        with suppress(PermissionError):  # in a container that forbids it, the mark is that of all arms so far
            marks.write_text("5", encoding="ascii")
