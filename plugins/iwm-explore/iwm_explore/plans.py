"""A plan from one image to another, step by step: what the model imagines of each step, and what the step really makes.

Decisions:
- The search is `model.plan`'s. What it finds leads there at once; its steps divide it, as in the evaluator's pictures
  (`iwm_evals.imagined.courses`): of a parameter that takes few values the first step does all.
- Each step is predicted from the first image. Distances are of tokens to B's, relative to A's.
- Whether the plan is right is told by doing it: the last image really made is compared with B as well.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from iwm_evals.plans import CEM, Search
from iwm_evals.plans import plan as find
from iwm_evals.questions.corruption import at_rest
from iwm_evals.scores.relative import squared
from iwm_evals.words.asked import asked
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import WorldModel
from iwm_explore.controls import Control

STEPS = 4


class Planned(NamedTuple):
    """A plan, step by step.

    Attributes:
        words: the action found, a text for each number that changes.
        start, goal: A and B.
        imagined: each step's prediction, decoded; None without a decoder.
        real: what each step really makes; None where the data show an action that nobody can apply.
        distances: of each step's prediction to B, relative to A's; NaN where A and B are alike.
        reached: the same of what the plan really makes; NaN likewise, or where nobody can make it.
    """

    words: list[str]
    start: Float[Tensor, "3 h w"]
    goal: Float[Tensor, "3 h w"]
    imagined: Float[Tensor, "s 3 h w"] | None
    real: Float[Tensor, "s 3 h w"] | None
    distances: list[float]
    reached: float


@torch.no_grad()
def plan(
    model: WorldModel,
    decoder: Callable[[Tensor], Tensor] | None,
    controls: list[Control],
    image: Tensor,
    goal: Tensor,
    search: Search | None = None,
) -> Planned:
    """How to get from an image, as large as views are made from, to another, of the model's size or as large.

    Args:
        decoder: from tokens to images; None where there is none.
        search: None: as of `FrozenModel.plan` where it names none.

    Raises:
        ValueError: no action ever changes a target, or the model's latents are not finite.
    """
    start, wanted = at_rest(model, image), sized(model, goal)
    found = find(model, start, wanted, search or CEM())
    rest, params = model.actions.identity.to(start), found.params[0]
    few = torch.zeros_like(rest, dtype=torch.bool)
    few[[control.column for control in controls if control.values]] = True
    shares = torch.linspace(1 / STEPS, 1, STEPS, device=rest.device)[:, None]
    steps = torch.where(few, params, rest + shares * (params - rest))
    told = model.actions.encode(rest.expand_as(steps), steps)
    predicted = model.predict(model.encode(start), told[None])[0]
    ends = model.targets(torch.cat([start, wanted]))
    moved = float(squared(ends[:1], ends[1:]))
    made, reached = None, float("nan")
    if not model.actions.observed:
        made = model.actions.apply_target(image.expand(STEPS, -1, -1, -1), steps)
        reached = share(float(squared(model.targets(made[-1:]), ends[1:])), moved)
    shown = None if decoder is None else decoder(predicted)
    distances = [share(one, moved) for one in squared(predicted, ends[1:]).tolist()]
    return Planned(asked(model, params), start[0], wanted[0], shown, made, distances, reached)


def sized(model: WorldModel, image: Float[Tensor, "1 3 h w"]) -> Float[Tensor, "1 3 h2 w2"]:
    """An image as the model takes it: one from which actions would crop is seen whole."""
    whole = (model.image_size, model.image_size)
    return image if image.shape[2:] == whole else at_rest(model, image)


def share(distance: float, whole: float) -> float:
    return distance / whole if whole > 0 else float("nan")
