"""Is the representation alive? Numbers that the loss does not show, and what they mean in words.

The loss going down is no sign of health: a collapsed teacher is the easiest target of all.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Targets

ROWS = 4096
"""Tokens that the effective rank is computed on, at most."""


def target_std(teacher: Float[Tensor, "b n d"]) -> Float[Tensor, ""]:
    """Standard deviation over images at one position, averaged over positions and dimensions: 0 when all images look the same to the
    teacher (position alone does not count), about 1 when normalised tokens are all about the image."""
    return teacher.std(dim=0, correction=0).mean()


def effective_rank(tokens: Float[Tensor, "r d"]) -> Float[Tensor, ""]:
    """RankMe (Garrido et al. 2023): exp of the entropy of the normalised singular values; between 1 and ``d``."""
    # In float64, or rounding adds a little to each of the small singular values; mps has none.
    tokens = (tokens.cpu() if tokens.device.type == "mps" else tokens).double()
    gram = tokens.T @ tokens
    if not gram.isfinite().all():
        return gram.new_tensor(float("nan"))
    singular = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    share = singular / singular.sum().clamp(min=1e-12)
    return (-(share * share.clamp(min=1e-12).log()).sum()).exp()


def spread_rows(tokens: Float[Tensor, "b n d"], rows: int = ROWS) -> Float[Tensor, "r d"]:
    """At most ``rows`` tokens, taken at even distances."""
    flat = tokens.flatten(0, 1)
    return flat[:: -(-len(flat) // rows)]


def gain(predicted: Float[Tensor, "b m t d"], teacher: Float[Tensor, "b n d"], where: Targets) -> Float[Tensor, ""]:
    """Share that the prediction saves of the squared error of "the batch's mean at this position": 1 is perfect, 0 no better."""
    index = where.target.flatten(1)[..., None].expand(-1, -1, teacher.shape[-1])
    wanted = teacher.gather(1, index).view_as(predicted)
    mean = teacher.mean(dim=0, keepdim=True).expand_as(teacher).gather(1, index).view_as(predicted)
    return 1 - (predicted - wanted).square().mean() / (mean - wanted).square().mean().clamp(min=1e-12)


@dataclass(frozen=True)
class Health:
    """Health at one step."""

    target_std: float
    effective_rank: float
    gain: float

    def verdict(self, width: int, images: int) -> str | None:
        """A warning in words with what to try, or None where all is well. ``images`` is how many the numbers were measured on."""
        if images < 2:
            return None
        full = "try a higher train.momentum.start, a lower train.lr.peak, or a longer train.lr.warmup"
        if self.target_std < 0.02:
            return f"collapse: the teacher gives every image the same tokens (target std {self.target_std:.3f}); {full}"
        if self.effective_rank < max(2.0, 0.02 * width):
            return (
                f"partial collapse: the teacher's tokens span {self.effective_rank:.1f} of {width} dimensions; "
                f"{full}, or larger target blocks (targets.scale)"
            )
        if self.target_std < 0.1:
            return f"partial collapse: images hardly differ to the teacher (target std {self.target_std:.3f}); {full}"
        return None
