"""What the processes of a run share: the weights of a model, gradients, and what they agree on.

Decisions:
- Division is torch's FSDP2 (`fully_shard`), which keeps modules and names. Accelerate brings it, too, but on CPUs it leaves its plugin out
  without a word and copies the model to each process (accelerate 1.15): one path for all devices is tested on those that there are.
- Each block is gathered when it computes; the teacher is divided as the student is, so that it follows by parts.
- Weights are gathered in fp32 and computed with under autocast, as without division; gradients are added up in the precision of choice.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import GradBucket  # pyright: ignore[reportPrivateImportUsage]  # public in torch's documentation
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from iwm_core.process.parts import blocks_of, compiled, divided
from iwm_core.recipe.config import Launch

REDUCED = {"fp32": torch.float32, "bf16": torch.bfloat16}


def spread(module: nn.Module, launch: Launch, accelerator: Any) -> Any:
    """A module on this process's device: whole, or the part of it that is this one's."""
    if divided(launch, accelerator):
        return divide(module, launch, accelerator.device, accelerator.num_processes)
    prepared = accelerator.prepare(compiled(launch, module))
    if launch.reduce == "bf16":
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


def agreement() -> Callable[[int], int]:
    """A function that gives the largest of all processes' numbers to all of them.

    The hosts ask one another (gloo), so that it can be called each step: no device is waited for.
    """
    hosts: Any = torch.distributed.new_group(backend="gloo")

    def largest(number: int) -> int:
        shared = torch.tensor(number)
        torch.distributed.all_reduce(shared, torch.distributed.ReduceOp.MAX, group=hosts)
        return int(shared)

    return largest
