"""Where the truth stands among the elements of a bank, and what that is worth (PAPER §6).

Decisions:
- Ties count as their expectation under a random order: with ``g`` elements closer than the truth and ``t`` as far (the truth included),
  each rank g+1 … g+t is equally likely. A constant encoder then gets chance; a sort would give it whatever the order of the bank makes.
- Distances are squared L2 less the square of the prediction, which a whole row shares. They are taken about the mean of the bank and in
  float64, out of reach of TF32 and autocast: in float32 the common part of the latents would swamp the differences.
- A matrix product may round equal rows differently at the edge of its tiles (it did, in float64 on a CPU). Distances equal to nine
  digits of the largest in their row are therefore one distance. Rounding is transitive, as a tolerance is not: a predictor that is
  blind to the action gets exactly chance.
- Metal has no float64: there the distances are taken on the CPU.
"""

from collections.abc import Iterable
from statistics import fmean
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

DIGITS = 2.0**30  # steps between 0 and the largest distance of a row
HITS = (1, 5, 10)
MEASURES = ("mrr", *(f"h{k}" for k in HITS))


class Standing(NamedTuple):
    """How many elements of the bank are closer to a prediction than the truth, and how many as far, the truth itself included."""

    closer: Int[Tensor, "q"]
    tied: Int[Tensor, "q"]


def distances(predictions: Iterable[Float[Tensor, "_ f"]], bank: Float[Tensor, "k f"]) -> Float[Tensor, "q k"]:
    """Squared L2 from each prediction, given in chunks, to each element of the bank, up to a shift and a factor of each row; float64."""
    exact = torch.device("cpu") if bank.device.type == "mps" else bank.device
    bank = bank.to(exact).double()
    centre = bank.mean(0)
    bank = bank - centre
    length = bank.square().sum(1)
    squared = torch.cat([length - 2 * (chunk.to(exact).double() - centre) @ bank.T for chunk in predictions])
    largest = squared.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    return (squared / largest * DIGITS).round()


def stand(distances: Float[Tensor, "q k"], truth: Int[Tensor, "q"]) -> Standing:
    """The standing of element ``truth[i]`` in row ``i``; distances that are not numbers leave ``tied`` at 0."""
    own = distances.gather(1, truth[:, None])
    return Standing((distances < own).sum(1).cpu(), (distances == own).sum(1).cpu())


def rank(standing: Standing) -> Float[Tensor, "q"]:
    """The expected rank, from 1; float64."""
    return standing.closer.double() + (standing.tied.double() + 1) / 2


def reciprocal_rank(standing: Standing) -> Float[Tensor, "q"]:
    """The expected reciprocal rank, in float64: the mean of 1/(g+j) over j = 1 … t."""
    last = standing.closer + standing.tied
    harmonic = harmonic_numbers(int(last.max()))
    return (harmonic[last] - harmonic[standing.closer]) / standing.tied


def hit_rate(standing: Standing, k: int) -> Float[Tensor, "q"]:
    """The chance that the rank is ``k`` or better, in float64; 1 where ``k`` reaches the size of the bank."""
    return (k - standing.closer).double().clamp_min(0).minimum(standing.tied.double()) / standing.tied


def gains(standing: Standing) -> Float[Tensor, "4 q"]:
    """Each of `MEASURES`."""
    return torch.stack([reciprocal_rank(standing), *(hit_rate(standing, k) for k in HITS)])


def telling(size: int) -> list[int]:
    """The places among `MEASURES` of those that a bank of this size can tell anything by: a hit among as many as there are is certain."""
    return [0, *(place for place, k in enumerate(HITS, 1) if k < size)]


def chances(size: int) -> tuple[float, ...]:
    """What an answer that knows nothing gets of each of `MEASURES`."""
    return chance_reciprocal_rank(size), *(min(1.0, k / size) for k in HITS)


def mean_chances(sizes: list[int]) -> tuple[float, ...]:
    """The same over banks of these sizes."""
    each = {size: chances(size) for size in sizes}
    return each[sizes[0]] if len(each) == 1 else tuple(map(fmean, zip(*(each[size] for size in sizes), strict=True)))


def chance_reciprocal_rank(size: int) -> float:
    """The mean reciprocal rank of an answer that knows nothing, H(size)/size: 0.0239 for 256."""
    return float(harmonic_numbers(size)[size]) / size


def harmonic_numbers(last: int) -> Float[Tensor, "h"]:
    """H(0) … H(last), float64."""
    return torch.cat([torch.zeros(1, dtype=torch.float64), (1 / torch.arange(1, last + 1, dtype=torch.float64)).cumsum(0)])
