"""What a step's attention is computed by, in each precision."""

import contextlib
from collections.abc import Iterator

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextlib.contextmanager
def attention_of(precision: str, device: torch.device) -> Iterator[None]:
    """What attention is computed by in a step: on a CPU in bf16 by batched products in bf16, else as torch chooses.

    torch's fused kernel for CPUs takes a quarter of a ViT-S/16's step in bf16, and these products a tenth.
    """
    if precision != "bf16" or device.type != "cpu":
        yield
        return
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)  # of any device, whatever its name
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)
