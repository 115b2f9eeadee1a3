"""Is the representation alive? Numbers that the loss does not show, and what they mean in words.

Decisions:
- The loss going down is no sign of health: a collapsed teacher is the easiest target of all.
- `judge` is the only place that turns numbers into words, for the line that training warns with and for evaluators, which know more of
  the numbers: they cannot disagree on the same ones. Training warns of collapses alone, not of what is to be watched: that may pass.
- Limits are set by what collapse does, not by what is best: values above them do not rank models.
"""

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Targets
from iwm_core.interfaces.events import StepLogged

STILL = 1e-10  # of the square of tokens: a distance that is rounding
ENOUGH = 4
"""Images (or tokens) for each dimension from which on a rank says more of them than of their number."""
ROWS = 4096
"""Tokens that the effective rank is computed on, at most."""


def target_std(teacher: Float[Tensor, "b n d"]) -> Float[Tensor, ""]:
    """Standard deviation over images at one position, averaged over positions and dimensions: 0 when all images look the same to the
    teacher (position alone does not count), about 1 when normalised tokens are all about the image; NaN of one image."""
    return teacher.std(dim=0, correction=0).mean() if len(teacher) > 1 else teacher.new_tensor(torch.nan)


def effective_rank(tokens: Float[Tensor, "r d"]) -> Float[Tensor, ""]:
    """RankMe (Garrido et al. 2023): exp of the entropy of the normalised singular values; between 1 and ``d``."""
    return entropy_rank(singular_values(tokens))


def singular_values(tokens: Float[Tensor, "r d"]) -> Float[Tensor, "d"]:
    """The singular values, the largest first, in float64; NaN where the tokens are not finite."""
    # In float64, or rounding adds a little to each of the small singular values; mps has none.
    tokens = (tokens.cpu() if tokens.device.type == "mps" else tokens).double()
    gram = tokens.T @ tokens
    if not gram.isfinite().all():
        return torch.full_like(gram[0], torch.nan)
    return torch.linalg.eigvalsh(gram).clamp(min=0).sqrt().flip(0)


def entropy_rank(weights: Float[Tensor, "d"]) -> Float[Tensor, ""]:
    """How many of these weights, none negative, count: exp of the entropy of their shares, the number of them where all are equal."""
    share = weights / weights.sum().clamp(min=1e-12)
    return (-(share * share.clamp(min=1e-12).log()).sum()).exp()


def bounded(images: int, width: int) -> str:
    """What is said beside a RankMe that its images bound; nothing where there are enough of them for their width."""
    return f"; RankMe is bounded by the number of images: {images} for {width} dimensions" if images < ENOUGH * width else ""


def spread_rows(tokens: Float[Tensor, "b n d"], rows: int = ROWS) -> Float[Tensor, "r d"]:
    """At most ``rows`` tokens, taken at even distances."""
    flat = tokens.flatten(0, 1)
    return flat[:: -(-len(flat) // rows)]


def gain(predicted: Float[Tensor, "b m t d"], teacher: Float[Tensor, "b n d"], where: Targets) -> Float[Tensor, ""]:
    """Share that the prediction saves of the squared error of "the batch's mean at this position": 1 is perfect, 0 no better.

    NaN where the mean makes no error to save, but for rounding: of one image, or where all images look the same to the teacher.
    """
    wanted, mean = where.wanted(teacher), where.wanted(teacher.mean(dim=0, keepdim=True).expand_as(teacher))
    left = (mean - wanted).square().mean()
    return torch.where(left > STILL * wanted.square().mean(), 1 - (predicted - wanted).square().mean() / left, torch.nan)


class Verdict(NamedTuple):
    """What the numbers say.

    Attributes:
        word: ``not available``, ``healthy``, ``watch`` (alive, but something is off), ``partial collapse`` or ``collapse``.
        reason: the number that decided, in words.
        advice: what to try; empty where all is well.
    """

    word: str
    reason: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.word}: {self.reason}" + (f"; {self.advice}" if self.advice else "")


STEADY = "try a higher train.momentum.start, a lower train.lr.peak, or a longer train.lr.warmup"
"""Against a teacher that follows the student into a collapse."""


def judge(
    width: int,
    target_std: float,
    effective_rank: float,
    prediction_std: float | None = None,
    teacher_distance: float | None = None,
    rankme: float | None = None,
) -> Verdict:
    """The verdict on a representation, by the worst of its numbers; the reason names it.

    Args:
        width: dimensions of a token, or tokens measured where these are fewer: the largest effective rank that can be found.
        target_std: `target_std` of the normalised tokens of targets.
        effective_rank: `effective_rank` of the same tokens.
        prediction_std: `target_std` of the predictions of these targets.
        teacher_distance: mean squared distance of the student's tokens from the teacher's, in units of the teacher's variance over images.
        rankme: `effective_rank` of the pooled tokens of images.
    """
    if not math.isfinite(target_std + effective_rank):
        return Verdict("not available", "one image, or tokens that are not finite, cannot be judged")
    if target_std < 0.02:
        return Verdict("collapse", f"the teacher gives every image the same tokens (target std {target_std:.3f})", STEADY)
    if effective_rank < max(2.0, 0.02 * width):
        span = f"the teacher's tokens span {effective_rank:.1f} of {width} dimensions"
        return Verdict("partial collapse", span, f"{STEADY}, or larger target blocks (targets.scale)")
    if target_std < 0.1:
        return Verdict("partial collapse", f"the teacher's tokens hardly differ between images (target std {target_std:.3f})", STEADY)
    if prediction_std is not None and prediction_std < 0.2 * target_std:
        reason = f"predictions hardly depend on the image (prediction std {prediction_std:.3f}, target std {target_std:.3f})"
        return Verdict("watch", reason, "train longer, or try a larger predictor (predictor.depth) or a higher train.lr.peak")
    if teacher_distance is not None and teacher_distance > 1:
        reason = f"the student is as far from the teacher as images are from each other (teacher distance {teacher_distance:.2f})"
        return Verdict("watch", reason, "try a lower train.lr.peak, or a lower train.momentum.start so that the teacher follows")
    if rankme is not None and rankme < 2:
        reason = f"whole images differ along hardly more than one direction (RankMe {rankme:.1f})"
        return Verdict("watch", reason, "try larger target blocks (targets.scale) or stronger actions")
    return Verdict("healthy", f"target std {target_std:.2f}, tokens span {effective_rank:.1f} of {width} dimensions")


@dataclass(frozen=True)
class Health:
    """Health at one step."""

    target_std: float
    effective_rank: float
    gain: float
    rank_bounded: bool = False
    """The rank is of fewer than `ENOUGH` tokens for each dimension: it would rise with more."""

    def verdict(self, width: int, images: int) -> str | None:
        """A warning in words with what to try, or None where nothing has collapsed. ``images`` is how many the numbers were measured on."""
        if images < 2:
            return None
        verdict = judge(width, self.target_std, self.effective_rank)
        return str(verdict) if verdict.word in ("partial collapse", "collapse") else None


@torch.no_grad()
def health_of(predicted: Float[Tensor, "b m t d"], teacher: Float[Tensor, "b n d"], where: Targets) -> Health:
    """Health of a micro-batch; waits for the device."""
    rows = spread_rows(teacher)
    return Health(
        target_std=target_std(teacher).item(),
        effective_rank=effective_rank(rows).item(),
        rank_bounded=len(rows) < ENOUGH * rows.shape[1],
        gain=gain(predicted.float(), teacher, where).item(),
    )


def watch(logged: StepLogged) -> None:
    """Add the health of a logged step to its line, and a warning where something has collapsed."""
    health, teacher = health_of(logged.predicted, logged.teacher, logged.where), logged.teacher
    logged.numbers.update(asdict(health))
    if verdict := health.verdict(min(teacher.shape[-1], len(spread_rows(teacher))), len(teacher)):
        logged.warnings.append(verdict)
