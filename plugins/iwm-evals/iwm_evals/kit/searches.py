"""What a search for actions must keep to."""

import torch
from iwm_devkit.components import check_component
from iwm_devkit.known_model import PIXELS, KnownModel

from iwm_core.interfaces import Draws
from iwm_evals.plans import Plan, Problem, Search, plan

CANDIDATES = 16
DONE = torch.tensor([[0.5, -0.3, 0.0], [-0.9, 0.9, 0.0], [0.0, 0.0, 0.0]])
"""What was done to each image of the world whose truth is known."""


def check_search(search: Search) -> None:
    """Check a search: documentation, and plans in a world whose truth is known: within the range of what is drawn, no worse than the
    nearest candidate, and the same again.

    Raises:
        AssertionError: the search breaks its contract; the text says how to mend it.
    """
    check_component(search)
    model, name, index = KnownModel(), search.name, torch.arange(len(DONE))
    source = Draws(3, 0, index).uniform(3 * PIXELS * PIXELS, 0.25, 0.75).unflatten(1, (3, PIXELS, PIXELS))
    goal = model.actions.apply_target(source, DONE)
    found, again = (plan(model, source, goal, search, candidates=CANDIDATES) for _ in range(2))
    assert isinstance(found, Plan), f"{name} must answer with a Plan, got a {type(found).__name__}"
    assert torch.equal(found.params, again.params), f"{name} must be a pure function of the problem: take random numbers from problem.draws"
    asked = Problem(model, source, goal, index, seed=0, candidates=CANDIDATES, chunk=64)
    inside = (found.params >= asked.low - 1e-6) & (found.params <= asked.high + 1e-6)
    assert inside.all(), f"{name} leaves the range of what is drawn: keep answers between problem.low and problem.high"
    worse = found.distance > asked.distances.amin(1) * (1 + 1e-4) + 1e-9
    assert not worse.any(), f"{name} gives answers that are worse than the nearest candidate: compare with it, and keep the better one"
    told = asked.judge(found.params[:, None])[:, 0]
    right = torch.isclose(found.distance, told, rtol=1e-3, atol=1e-9)
    assert right.all(), f"{name} tells distances that are not those of its answers: they are what problem.judge gives"
