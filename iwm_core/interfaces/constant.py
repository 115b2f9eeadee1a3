"""Tables of numbers on the device."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Numbers = Sequence["float | Numbers"]


def constant(values: Numbers, device: torch.device) -> Float[Tensor, "..."]:
    """A table of numbers, made on a device without a copy to it, which the host would wait for (DESIGN §6).

    Args:
        values: numbers, or rows of them, as lists or tuples.
        device: such as ``images.device`` or ``draws.device``.
    """
    if device.type == "cpu" and not torch.compiler.is_compiling():
        return torch.tensor(values, dtype=torch.float)
    rows = [constant(v, device) if isinstance(v, Sequence) else torch.full((), float(v), dtype=torch.float, device=device) for v in values]
    return torch.stack(rows) if rows else torch.empty(0, dtype=torch.float, device=device)
