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

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Action, WorldModel
from iwm_evals.plans.problem import Problem as Problem
from iwm_evals.plans.problem import drawn_candidates as drawn_candidates
from iwm_evals.plans.problem import drawn_targets as drawn_targets
from iwm_evals.plans.problem import repeated as repeated
from iwm_evals.plans.searches import CEM as CEM
from iwm_evals.plans.searches import BankSearch as BankSearch
from iwm_evals.plans.searches import Found as Found
from iwm_evals.plans.searches import GradientSearch as GradientSearch
from iwm_evals.plans.searches import Search as Search


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


def plan(model: WorldModel, source: Tensor, goal: Tensor, search: Search, seed: int = 0, candidates: int = 256, chunk: int = 64) -> Plan:
    """The actions that lead from source to goal images [b 3 s s], as far as the model knows; see `FrozenModel.plan`, which knows names.

    Raises:
        ValueError: no action that changes a target, images that do not fit, or latents that are not finite.
    """
    wanted = (3, model.image_size, model.image_size)
    if source.shape[1:] != wanted or goal.shape != source.shape or len(source) == 0:
        sizes = f"got sources {list(source.shape)} and goals {list(goal.shape)}"
        raise ValueError(f"plan takes as many sources as goals, images [b, {', '.join(map(str, wanted))}] in [0, 1]; {sizes}")
    if not (isinstance(search, Search) and all(type(number) is int for number in (seed, candidates, chunk))):
        raise ValueError(f"plan takes a search and whole numbers, got {search!r}, seed {seed}, candidates {candidates}, chunk {chunk}")
    if candidates < 2 or chunk < 1:
        raise ValueError(f"plan needs at least 2 candidates and a chunk of at least 1, got {candidates} and {chunk}")
    pieces = torch.arange(len(source)).split(chunk)
    with torch.inference_mode(False), torch.no_grad():  # gradients cannot be taken of what is made in inference mode
        plans = [find(Problem(model, source[index], goal[index], index, seed, candidates, chunk), search) for index in pieces]
    params, action, distance = (torch.cat(parts) for parts in list(zip(*plans, strict=True))[:3])
    return Plan(params, action, distance, [numbers for part in plans for numbers in part.numbers])
