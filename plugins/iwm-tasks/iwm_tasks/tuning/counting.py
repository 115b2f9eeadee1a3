"""Counts what a tuning costs: arithmetic and memory.

Decisions:
- Arithmetic is counted, not estimated: every matrix product and convolution that one pass really makes, a multiply-add as two operations
  (FLOP). Elementwise operations are left out, as is usual; they are a few per cent.
- Attention is counted by its definition, as two matrix products forward and four backward: fused kernels differ between devices and
  versions of torch in what they compute twice and in whether the counter knows them.
- Two images are passed and half of it is reported, for heads with statistics over a batch. A model that is asked for one task an image is
  counted for each task, and the mean is reported; in inference an image is asked for all tasks.
- Memory is the highest mark: of the tensors on a CUDA device, else of the process, which holds Python and its libraries too.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from iwm_tasks.tuning.model import TunedModel

IMAGES = 2


def flops(model: TunedModel, image_size: int, device: torch.device) -> tuple[float, float]:
    """GFLOP of one image in training (forward, and backward to what is trained) and in inference; the model is left as it was."""
    images = torch.zeros(IMAGES, 3, image_size, image_size, device=device)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    with left_as_it_was(model, device):
        model.train()
        each = []
        for number in range(len(model.heads)):
            asked = torch.full((IMAGES,), number, device=device)
            with counting() as counter:
                outputs = model(images, asked)
                if trained:
                    total = sum((output.sum() for output in outputs.values()), torch.zeros((), device=device))
                    torch.autograd.grad(total, trained, allow_unused=True)
            each.append(counter.get_total_flops())
        model.eval()
        for parameter in trained:  # under no_grad alone, the counter looks for the history of a view of a parameter, and fails
            parameter.requires_grad_(False)
        with counting() as counter, torch.no_grad():
            model.outputs(images)
    return sum(each) / len(each) / IMAGES / 1e9, counter.get_total_flops() / IMAGES / 1e9


@contextmanager
def counting() -> Iterator[FlopCounterMode]:
    """A counter that misses no attention: torch's one-kernel shortcuts, which it does not see, are off."""
    shortcuts = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            yield counter
    finally:
        torch.backends.mha.set_fastpath_enabled(shortcuts)


@contextmanager
def left_as_it_was(model: torch.nn.Module, device: torch.device) -> Iterator[None]:
    """What is trained, modes, running statistics and the global generators are put back at the end."""
    trained = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            yield
        finally:
            for parameter, trains in trained:
                parameter.requires_grad_(trains)
            for module, training in modes:
                module.training = training
            with torch.no_grad():
                for buffer, value in buffers:
                    buffer.copy_(value)


def peak_memory(device: torch.device) -> int:
    """Most bytes held at a time so far: by tensors on a CUDA device, else by this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":  # getrusage would tell the parent's mark where that is higher
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset  # pyright: ignore[reportAttributeAccessIssue]
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def device_name(device: torch.device) -> str:
    """What a device is called: the name of a GPU, else its kind."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
