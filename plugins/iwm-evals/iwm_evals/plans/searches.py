"""Three ways to search: the nearest of a bank, the cross-entropy method, and the gradient."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import Component, Draws, WorldModel, option
from iwm_evals.plans.problem import Problem

if TYPE_CHECKING:
    from iwm_evals.plans import Plan

TIE = 1e-5  # relative difference of distances that are the same
WIDER = 1.2  # deviations of the elites: at 1, a round's Gaussian may shrink onto a point before it has arrived
MOMENTA = (0.5, 0.9)  # Adam's; gradients have no noise to be averaged away, and steps are few


class Found(NamedTuple):
    """An answer for each image and its distance from the goal."""

    params: Float[Tensor, "b p"]
    distance: Float[Tensor, "b"]


@dataclass(kw_only=True)
class Search(Component, ABC):
    """Finds parameters of the target whose prediction comes near the goal."""

    def plan(self, model: WorldModel, source: Tensor, goal: Tensor, seed: int, candidates: int, chunk: int) -> "Plan":
        """What `model.plan` of a loaded model asks for; see `iwm_evals.plans.plan`."""
        from iwm_evals.plans import plan

        return plan(model, source, goal, self, seed, candidates, chunk)

    @abstractmethod
    def search(self, problem: Problem) -> Found:
        """The best answer met for each image."""


@dataclass(kw_only=True)
class BankSearch(Search):
    """The nearest of the candidates. Cost: ``candidates`` predictions for an image."""

    name = "bank"

    def search(self, problem: Problem) -> Found:
        return nearest(problem.candidates, problem.distances)


@dataclass(kw_only=True)
class CEM(Search):
    """Cross-entropy method: draws around the nearest answers so far, again and again. Cost: ``candidates + rounds × samples`` predictions.

    Each round fits a Gaussian with independent parameters to the nearest answers (the elites) and draws from it; parameters of few values
    are taken from one elite at random. Elites compete with what is drawn, so they only become better.
    """

    name = "cem"

    rounds: int = option(6, "times that answers are drawn around the elites", low=1)
    samples: int = option(64, "answers drawn in a round", low=1)
    elites: int = option(12, "nearest answers that the next are drawn around", low=2)

    def search(self, problem: Problem) -> Found:
        params, distances = problem.candidates, problem.distances
        best = nearest(params, distances)
        for number in range(self.rounds):
            order = distances.argsort(dim=1, stable=True)[:, : self.elites]
            elites, reached = take(params, order), distances.gather(1, order)
            drawn = self.around(problem, elites, problem.draws(f"cem/{number}", self.samples))
            found = problem.judge(drawn)
            best = better(best, nearest(drawn, found))
            params, distances = torch.cat([elites, drawn], 1), torch.cat([reached, found], 1)
        return best

    def around(self, problem: Problem, elites: Float[Tensor, "b e p"], draws: Draws) -> Float[Tensor, "b c p"]:
        """Answers drawn from the Gaussian of the elites, within the range."""
        noise = draws.normal(elites.shape[2]).unflatten(0, (len(elites), self.samples))
        gaussian = elites.mean(1, keepdim=True) + WIDER * noise * elites.std(1, keepdim=True)
        copied = take(elites, draws.integers(elites.shape[1]).view(len(elites), self.samples))
        return torch.where(problem.free, gaussian.clamp(problem.low, problem.high), copied)


@dataclass(kw_only=True)
class GradientSearch(Search):
    """Adam on the parameters, from the nearest candidates. Cost: ``candidates + starts × (3 × steps + 1)`` predictions.

    Steps are in units of each parameter's range. Parameters of few values, and those whose encoding has no gradient, stay at their start.
    """

    name = "gradient"

    starts: int = option(4, "nearest candidates to start from", low=1)
    steps: int = option(25, "steps from each start", low=1)
    rate: float = option(0.05, "first step's length, in units of a parameter's range; falls to 0 as a cosine", low=0)

    def search(self, problem: Problem) -> Found:
        best = nearest(problem.candidates, problem.distances)
        params = take(problem.candidates, problem.distances.argsort(dim=1, stable=True)[:, : self.starts])
        span = (problem.high - problem.low) * problem.free
        first, second = torch.zeros_like(params), torch.zeros_like(params)
        for step in range(1, self.steps + 1):
            found, gradient = problem.slope(params)
            best = better(best, nearest(params, found))
            gradient = gradient * span
            first, second = first.lerp(gradient, 1 - MOMENTA[0]), second.lerp(gradient.square(), 1 - MOMENTA[1])
            length = (second / (1 - MOMENTA[1] ** step)).sqrt() + torch.finfo(torch.float32).tiny
            direction = first / (1 - MOMENTA[0] ** step) / length
            rate = self.rate * (1 + math.cos(math.pi * (step - 1) / self.steps)) / 2
            params = (params - rate * span * direction).clamp(problem.low, problem.high)
        return better(best, nearest(params, problem.judge(params)))


def nearest(params: Float[Tensor, "b c p"], distances: Float[Tensor, "b c"]) -> Found:
    """The first of the nearest answers."""
    tied = distances <= distances.amin(1, keepdim=True) * (1 + TIE)
    place = tied.int().argmax(1, keepdim=True)
    return Found(take(params, place)[:, 0], distances.gather(1, place)[:, 0])


def better(old: Found, new: Found) -> Found:
    """The new answers where they are nearer, else the old ones."""
    nearer = new.distance < old.distance * (1 - TIE)
    return Found(torch.where(nearer[:, None], new.params, old.params), torch.where(nearer, new.distance, old.distance))


def take(params: Float[Tensor, "b c p"], places: Int[Tensor, "b e"]) -> Float[Tensor, "b e p"]:
    """Some of each image's answers."""
    return params.gather(1, places[:, :, None].expand(-1, -1, params.shape[2]))
