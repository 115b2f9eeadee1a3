"""Changes some images of a batch.

On the host only those are computed. A device would have to be waited for to know which, so there all are, and the others keep their bits.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def changed(
    images: Float[Tensor, "b 3 h w"],
    params: Float[Tensor, "b p"],
    chosen: Bool[Tensor, "b"],
    change: Callable[[Float[Tensor, "c 3 h w"], Float[Tensor, "c p"]], Float[Tensor, "c _ h w"]],
) -> Float[Tensor, "b 3 h w"]:
    """The images, of which those that are ``chosen`` are what ``change`` makes of them and their parameters."""
    if not images.is_cpu or type(params) is not Tensor or torch.compiler.is_compiling():
        return torch.where(chosen[:, None, None, None], change(images, params), images)
    rows = chosen.nonzero()[:, 0]
    if not len(rows):
        return images.clone()
    return images.index_copy(0, rows, change(images[rows], params[rows]).expand(-1, 3, -1, -1))
