"""A model in training: compiled, its blocks computed again on the way back; on several processes, as a plugin spreads it.

Decisions:
- A block is a member of a `ModuleList` or `Sequential` of one class: what transformers repeat, whoever wrote them; the outermost counts.
  No plugin has to name its blocks.
- A block that is computed again is the same module, with the same names: only what it calls is another.
"""

import functools
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from iwm_core.process.launch import starter
from iwm_core.recipe.config import Launch


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The modules that a model repeats."""
    found = []
    for child in model.children():
        members = list(child.children()) if isinstance(child, nn.ModuleList | nn.Sequential) else []
        alike = len({type(member) for member in members}) == 1 and any(True for _ in members[0].parameters())
        found += members if alike else blocks_of(child)
    return found


def compute_again(model: nn.Module) -> None:
    """Let blocks keep their inputs alone, and compute again on the way back what they need: less memory, more time, the same bits."""
    for block in blocks_of(model):
        block.forward = functools.partial(checkpoint, block.forward, use_reentrant=False)


def compiled(launch: Launch, part: Any) -> Any:
    """A module or function, compiled where the recipe asks for it."""
    return torch.compile(part) if launch.compile else part


def divided(launch: Launch, accelerator: Any) -> bool:
    """Whether each process has a part of the model; a single one has all of it."""
    return launch.shard == "full" and accelerator.num_processes > 1


def spread(module: nn.Module, launch: Launch, accelerator: Any) -> Any:
    """A module on this device, and on several processes whole or in parts."""
    return starter().spread(module, launch, accelerator) if accelerator.num_processes > 1 else accelerator.prepare(compiled(launch, module))
