"""Action inference: which action leads from a source to a goal, found by searching through the world model.

Decisions:
- What is searched are the *parameters* of the target, the source being at identity, so that ``actions.apply_target(source, params)`` is the
  image made with the action that was found. An answer is judged by the squared L2 between its prediction and the goal's `targets`, over all
  patch tokens (PAPER §6).
- Every search begins with the same candidates, drawn from the recipe's own distribution of target parameters, and returns the best answer
  that it ever met: none is worse than the bank of candidates by its own measure.
- Answers stay within the range of what is drawn, parameter by parameter. Parameters that take few values, such as a flip's, keep to them.
- A distance less than one part in 10^5 below another counts as equal to it, and the first of equals is taken. A model that is blind to the
  action thus answers with its first candidate, an independent draw, where rounding would choose among the many that gather in the middle.
- Everything is a pure function of (seed, index of the image): neither the other images nor ``chunk`` change an answer.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import Action, Component, Draws, WorldModel, option

DRAWN = 4096  # targets that tell the range of their parameters
FEW = 32  # values of a parameter that is no continuous number
TIE = 1e-5  # relative difference of distances that are the same
WIDER = 1.2  # deviations of the elites: at 1, a round's Gaussian may shrink onto a point before it has arrived
MOMENTA = (0.5, 0.9)  # Adam's; gradients have no noise to be averaged away, and steps are few


class Found(NamedTuple):
    """An answer for each image and its distance from the goal."""

    params: Float[Tensor, "b p"]
    distance: Float[Tensor, "b"]


class Plan(NamedTuple):
    """The actions that a search found.

    Attributes:
        params: parameters of the target, for ``actions.apply_target(source, params)``.
        action: the same as the predictor is told it.
        distance: squared L2 from the prediction to the goal's targets, the mean over tokens and their numbers (the training loss).
        numbers: for each image, what ``imagine`` takes.
    """

    params: Float[Tensor, "b p"]
    action: Float[Tensor, "b a"]
    distance: Float[Tensor, "b"]
    numbers: list[dict[str, dict[str, float]]]


def drawn_candidates(actions: Action, seed: int, device: torch.device) -> Float[Tensor, "k p"]:
    """Parameters of many candidates: as `drawn_targets`, and of an observed action all that it can be."""
    number = torch.arange(DRAWN, device=device)
    return actions.candidates(Draws(seed, number, torch.zeros_like(number), "plan/range"))


def drawn_targets(actions: Action, seed: int, device: torch.device) -> Float[Tensor, "k p"]:
    """Parameters of many targets, which show what each of them can be."""
    number = torch.arange(DRAWN, device=device)
    return actions.sample(Draws(seed, number, torch.zeros_like(number), "plan/range")).target


class Problem:
    """A batch of sources and goals with its candidates, and what a search may ask about them.

    Args:
        model: the world model.
        source, goal: as many images of the model's size.
        index: numbers of the images, which decide what is drawn for them.
        seed: of all that is drawn.
        candidates: drawn for each image.
        chunk: predictions in one pass, at least as many as there are images: bounds the memory.

    Raises:
        ValueError: no action ever changes a target.
    """

    def __init__(
        self, model: WorldModel, source: Tensor, goal: Tensor, index: Int[Tensor, "b"], seed: int, candidates: int, chunk: int
    ) -> None:
        self.model, self.seed, self.index = model, seed, index.to(model.device)
        drawn = drawn_candidates(model.actions, seed, model.device)
        if (drawn == drawn[:1]).all():
            raise ValueError("nothing to plan: no action of this model ever changes a target image")
        self.low, self.high = drawn.amin(0), drawn.amax(0)
        self.free = torch.tensor([len(values.unique()) > FEW for values in drawn.unbind(1)], device=model.device)
        self.tokens, self.wanted = model.encode(source.to(model.device)), model.targets(goal.to(model.device))
        self.at_once = max(1, chunk // len(source))
        self.candidates = model.actions.candidates(self.draws("candidates", candidates)).unflatten(0, (len(source), candidates))
        self.distances = self.judge(self.candidates)

    def draws(self, stream: str, count: int) -> Draws:
        """``count`` draws for each image, image by image."""
        number = torch.arange(count, device=self.index.device).repeat(len(self.index))
        return Draws(self.seed, number, self.index.repeat_interleave(count), f"plan/{stream}")

    def encode(self, params: Float[Tensor, "b c p"]) -> Float[Tensor, "b c a"]:
        """Parameters of the target as the predictor is told them, the source being at identity."""
        flat = params.flatten(0, 1)
        return self.model.actions.encode(self.model.actions.identity.to(flat).expand_as(flat), flat).unflatten(0, params.shape[:2])

    def distance(self, params: Float[Tensor, "b c p"]) -> Float[Tensor, "b c"]:
        """Distance of each answer's prediction from the goal, in one pass."""
        return (self.model.predict(self.tokens, self.encode(params)) - self.wanted[:, None]).square().mean((2, 3))

    def judge(self, params: Float[Tensor, "b c p"]) -> Float[Tensor, "b c"]:
        """Distance of each answer's prediction from the goal."""
        return torch.cat([self.distance(part) for part in params.split(self.at_once, 1)], 1)

    def slope(self, params: Float[Tensor, "b c p"]) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c p"]]:
        """The distances and their gradients; 0 where an answer's prediction does not depend on a parameter."""
        distances, gradients = [], []
        for part in params.split(self.at_once, 1):
            with torch.enable_grad():
                leaf = part.detach().requires_grad_()
                distance = self.distance(leaf)
                gradient = torch.autograd.grad(distance.sum() + 0 * leaf.sum(), leaf)[0]  # so that it always depends on the leaf
            distances.append(distance.detach())
            gradients.append(gradient.nan_to_num(0, 0, 0))
        return torch.cat(distances, 1), torch.cat(gradients, 1)


@dataclass(kw_only=True)
class Search(Component, ABC):
    """Finds parameters of the target whose prediction comes near the goal."""

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


SEARCHES: dict[str, type[Search]] = {search.name: search for search in (BankSearch, CEM, GradientSearch)}


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


def find(problem: Problem, search: Search) -> Plan:
    """A search's answers to a problem.

    Raises:
        ValueError: the model's latents or predictions are not finite.
    """
    model, (params, distance) = problem.model, search.search(problem)
    if not distance.isfinite().all():
        raise ValueError("cannot plan with this model: its latents or predictions are not finite numbers; has training diverged?")
    action = problem.encode(params[:, None])[:, 0]
    return Plan(params, action, distance, [told(model, values) for values in action.tolist()])


def can_be_found(action: Action) -> bool:
    """Whether an action ever leads to a goal."""
    return action.changes_target or action.observed


def told(model: WorldModel, values: list[float]) -> dict[str, dict[str, float]]:
    """The numbers of an encoded action by action and label; only of actions that change a target."""
    numbers: dict[str, dict[str, float]] = {name: {} for name in model.names if can_be_found(model.parts[name])}
    for name, label, value in zip(model.names, model.actions.labels, values, strict=True):
        if name in numbers:
            numbers[name][label] = value
    return numbers


def plan(
    model: WorldModel, source: Tensor, goal: Tensor, search: str | Search = "cem", seed: int = 0, candidates: int = 256, chunk: int = 64
) -> Plan:
    """The actions that lead from source to goal images [b 3 s s], as far as the model knows; see `FrozenModel.plan`.

    Raises:
        ValueError: an unknown search, no action that changes a target, images that do not fit, or latents that are not finite.
    """
    if isinstance(search, str):
        if search not in SEARCHES:
            raise ValueError(f"plan knows no search {search!r}; it knows: {', '.join(SEARCHES)}")
        search = SEARCHES[search]()
    wanted = (3, model.image_size, model.image_size)
    if source.shape[1:] != wanted or goal.shape != source.shape or len(source) == 0:
        sizes = f"got sources {list(source.shape)} and goals {list(goal.shape)}"
        raise ValueError(f"plan takes as many sources as goals, images [b, {', '.join(map(str, wanted))}] in [0, 1]; {sizes}")
    if candidates < 2 or chunk < 1:
        raise ValueError(f"plan needs at least 2 candidates and a chunk of at least 1, got {candidates} and {chunk}")
    pieces = torch.arange(len(source)).split(chunk)
    with torch.inference_mode(False), torch.no_grad():  # gradients cannot be taken of what is made in inference mode
        plans = [find(Problem(model, source[index], goal[index], index, seed, candidates, chunk), search) for index in pieces]
    params, action, distance = (torch.cat(parts) for parts in list(zip(*plans, strict=True))[:3])
    return Plan(params, action, distance, [numbers for part in plans for numbers in part.numbers])
