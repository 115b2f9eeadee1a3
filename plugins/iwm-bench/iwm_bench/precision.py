"""Which precision a device computes faster in: what ``launch.precision=auto`` stands for when a run starts.

Decisions:
- A CUDA device is asked whether it has bf16 products (compute capability 8.0 and up). Any other device is timed: processors name the
  instructions (AVX-512 BF16, AMX, SVE) each in its way, torch tells of them by private functions, and they say too little.
- Timed is the model itself, forward and backward on a few images of noise. On a processor with AVX-512 BF16, a product of any size is twice
  as fast in bf16, and so is an MLP under autocast of any width; yet a small model is slower as a whole.
- The shortest of several times counts, as whatever else the machine does only adds to them, and the precisions take turns. bf16 must be
  faster by `WORTH_IT`, or fp32 stays: it is the more exact one.
"""

import time
from collections.abc import Callable

import torch

from iwm_bench.timing import synchronize
from iwm_core.process.precision import attention_of

WORTH_IT = 1.25
"""How many times as fast as in fp32 a pass must be in bf16."""

LEAST = 3.0
"""Seconds that are timed, so that short passes are timed many times."""


def faster_precision(device: torch.device, trial: Callable[[], Callable[[], object]]) -> tuple[str, str]:
    """``bf16`` where the device computes faster in it, else ``fp32``; and why. ``trial`` makes a forward and backward pass to be timed."""
    if device.type == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("bf16", f"{device} has products in it") if has else ("fp32", f"{device} has no products in bf16")
    with torch.random.fork_rng(devices=[]):
        speed = speed_of_bf16(device, trial())
    return "bf16" if speed >= WORTH_IT else "fp32", f"a pass in bf16 is {speed:.2f} times as fast as in fp32 on {device}"


def speed_of_bf16(device: torch.device, once: Callable[[], object]) -> float:
    """How many times as fast as in fp32 a pass is in bf16, of three passes at least; the first of each does not count."""
    times: dict[bool, list[float]] = {False: [], True: []}
    while len(times[True]) < 4 or sum(map(sum, times.values())) < LEAST:
        for rounded, seconds in times.items():
            synchronize(device)
            before = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=rounded), attention_of("bf16" if rounded else "fp32", device):
                once()
            synchronize(device)
            seconds.append(time.perf_counter() - before)
    return min(times[False][1:]) / min(times[True][1:])
