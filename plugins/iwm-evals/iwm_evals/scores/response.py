"""What an image answers to doses of an action: the dose that each prediction shows, and its error.

Decisions:
- The dose is read from a prediction as the place on the *true trajectory*, the latents of the doses joined by straight lines, that lies
  nearest to it. The nearest dose alone would round every reading to a grid; a projection on one straight line from end to end would read
  a curved trajectory wrongly even from a perfect prediction. What a prediction has beside the trajectory, such as the blur of one that is
  unsure, is at right angles to it and moves no reading. A prediction beyond the last dose reads as the last dose.
- Doses of an action that rounds or saturates make equal versions of an image, between which nothing can be read. The trajectory joins
  distinct latents alone, each standing for the middle of the successive doses that lead to it, which is then what they ask for; one that
  comes back later is the first again. Each version counts once, however many doses lead to it. An image of one version asks nothing.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

STILL = 1e-10  # of the square of the latents: a movement that is rounding


class Response(NamedTuple):
    """What one image answered to one sweep; float64 on the CPU. Of an image of one version, which asks nothing, all but three are 0."""

    asked: Float[Tensor, "k"]
    read: Float[Tensor, "k"]
    read_null: Float[Tensor, ""]
    error: Float[Tensor, ""]
    error_shuffled: Float[Tensor, ""]
    error_null: Float[Tensor, ""]
    moved: Float[Tensor, ""]
    size: Float[Tensor, ""]
    slope: Float[Tensor, ""]
    answers: Float[Tensor, ""]  # 1, or 0 of an image of one version


def compare(
    doses: Float[Tensor, "k"],
    truth: Float[Tensor, "k f"],
    looks: Float[Tensor, "k 1"],
    predicted: Float[Tensor, "k f"],
    null: Float[Tensor, "1 f"],
    start: Float[Tensor, "1 f"],
) -> Response:
    """What predictions of each dose, and of none, say beside the truth."""
    first = first_alike(truth, looks)
    versions, weight = first.unique(), 1 / (first == first[:, None]).sum(1).double()
    if len(versions) == 1:
        nothing = torch.zeros((), dtype=torch.float64)
        return Response(doses, doses, doses[0], *[nothing] * 7)
    places = torch.stack([doses[run_of(first, version)].mean() for version in versions.tolist()])
    asked, truth = places[torch.searchsorted(versions, first)], truth[first]
    read = read_doses(torch.cat([predicted, null]), truth[versions], places)
    others = [
        (weight * weight.roll(shift) * (first != first.roll(shift))) @ squares(predicted.roll(shift, 0) - truth)
        for shift in range(1, len(truth))
    ]
    return Response(
        asked,
        read[:-1],
        read[-1],
        weight @ squares(predicted - truth),
        torch.stack(others).sum() / (len(versions) - 1),
        weight @ squares(null - truth),
        weight @ squares(start - truth),
        weight @ squares(truth),
        slope_of(read[:-1], asked, weight),
        torch.ones((), dtype=torch.float64),
    )


def first_alike(truth: Float[Tensor, "k f"], looks: Float[Tensor, "k 1"]) -> Int[Tensor, "k"]:
    """The first dose whose image, or latents but for rounding, are those of each."""
    same = looks == looks.T
    for place, latents in enumerate(truth):
        same[place] |= squares(truth - latents) <= STILL * squares(truth).mean()
    found: list[int] = []
    for place in range(len(truth)):
        found.append(next((one for one in dict.fromkeys(found) if same[place, one]), place))
    return torch.tensor(found)


def run_of(first: Int[Tensor, "k"], version: int) -> slice:
    """The successive doses that lead to a version, from its first on."""
    return slice(version, version + int((first[version:] == version).int().cumprod(0).sum()))


def squares(differences: Float[Tensor, "k f"]) -> Float[Tensor, "k"]:
    """The sum of squares of each row."""
    return differences.square().sum(1)


def read_doses(points: Float[Tensor, "q f"], trajectory: Float[Tensor, "k f"], doses: Float[Tensor, "k"]) -> Float[Tensor, "q"]:
    """The dose at the place of the trajectory, straight from one dose's latents to the next's, that is nearest to each point."""
    start, step, gaps = trajectory[:-1], trajectory.diff(dim=0), doses.diff()
    length = step.square().sum(1).clamp_min(torch.finfo(step.dtype).tiny)
    readings = []
    for point in points:
        share = (((point - start) * step).sum(1) / length).clamp(0, 1)
        nearest = (point - start - share[:, None] * step).square().sum(1).argmin()
        readings.append(doses[nearest] + share[nearest] * gaps[nearest])
    return torch.stack(readings)


def slope_of(read: Float[Tensor, "k"], asked: Float[Tensor, "k"], weight: Float[Tensor, "k"]) -> Float[Tensor, ""]:
    """The slope of doses read against doses asked, by least squares."""
    apart = weight * (asked - (weight * asked).sum() / weight.sum())
    return ((read - read[0]) @ apart) / (apart @ asked)  # of differences, so that equal readings give 0, not rounding
