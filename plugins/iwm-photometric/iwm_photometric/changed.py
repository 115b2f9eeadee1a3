"""Changes some images of a batch.

On the host only those are computed. A device would have to be waited for to know which, so there all are, and the others keep their bits;
under `torch.func.vmap`, too, which cannot say which they are.
"""

from collections.abc import Callable
from contextlib import suppress

import torch
from jaxtyping import Float
from torch import Tensor


def changed(
    images: Float[Tensor, "b 3 h w"],
    params: Float[Tensor, "b 1"],
    change: Callable[[Float[Tensor, "c 3 h w"], Float[Tensor, "c 1"]], Float[Tensor, "c 3 h w"]],
) -> Float[Tensor, "b 3 h w"]:
    """The images, of which those whose parameter is above 0 are what ``change`` makes of them and their parameters."""
    rows = None
    if images.is_cpu and type(params) is Tensor and not torch.compiler.is_compiling():
        with suppress(RuntimeError):  # under vmap
            rows = (params[:, 0] > 0).nonzero()[:, 0]
    if rows is None:
        return torch.where(params.view(-1, 1, 1, 1) > 0, change(images, params), images)
    if not len(rows):
        return images.clone()
    return images.index_copy(0, rows, change(images[rows], params[rows]))
