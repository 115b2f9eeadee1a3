"""A model in training, on one device or several: compiled, divided among processes, its blocks computed again on the way back.

Decisions:
- A block is a member of a `ModuleList` or `Sequential` of one class: what transformers repeat, whoever wrote them; the outermost counts.
  No plugin has to name its blocks.
- Division is torch's FSDP2 (`fully_shard`), which keeps modules and names. Accelerate brings it, too, but on CPUs it leaves its plugin out
  without a word and copies the model to each process (accelerate 1.15): one path for all devices is tested on those that there are.
- Each block is gathered when it computes; the teacher is divided as the student is, so that it follows by parts.
- Weights are gathered in fp32 and computed with under autocast, as without division; gradients are added up in the precision of choice.
- A block that is computed again is the same module, with the same names: only what it calls is another.
"""

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import GradBucket  # pyright: ignore[reportPrivateImportUsage]  # public in torch's documentation
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.utils.checkpoint import checkpoint

from iwm_core.recipe.config import Launch

REDUCED = {"fp32": torch.float32, "bf16": torch.bfloat16}


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
    if divided(launch, accelerator):
        return divide(module, launch, accelerator.device, accelerator.num_processes)
    prepared = accelerator.prepare(compiled(launch, module))
    if launch.reduce == "bf16" and accelerator.num_processes > 1:
        prepared.register_comm_hook(None, rounded)
    return prepared


def divide(module: nn.Module, launch: Launch, device: torch.device, processes: int) -> Any:
    """Divide a module's weights among processes, in place, each block by itself."""
    mesh, policy = init_device_mesh(device.type, (processes,)), MixedPrecisionPolicy(reduce_dtype=REDUCED[launch.reduce])
    for block in blocks_of(module):
        if launch.compile:
            block.compile()
        fully_shard(block, mesh=mesh, mp_policy=policy)
    module.forward = torch.autocast(device.type, torch.bfloat16, enabled=launch.precision == "bf16")(module.forward)
    return fully_shard(module, mesh=mesh, mp_policy=policy)


def rounded(_: None, bucket: GradBucket) -> torch.futures.Future[Tensor]:
    """Add up the gradients of processes with whole models in bf16: half of what is sent. torch's own such hook is for NCCL alone."""
    sums = bucket.buffer().to(torch.bfloat16).div_(torch.distributed.get_world_size())
    work: Any = torch.distributed.all_reduce(sums, async_op=True)
    return work.get_future().then(lambda done: bucket.buffer().copy_(done.value()[0]))
