"""Courses: two actions in sequence, and a plan from one image to another, step by step.

Decisions:
- Of two actions, the second is predicted from what the first has been predicted to lead to, which becomes a source again by the map of
  `compose`; beside it, both at once.
- A plan is searched for by `cem`, as `model.plan` does, from a clean image to a goal made of it, the most changed of a few draws. Its steps
  divide the action that was found; what takes few values, such as a flip, is done at the first step. What is imagined of each step is
  predicted from the first image; below it is the image that the step really makes.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Draws, Gallery, Row, WorldModel
from iwm_evals.compose import Reentry, predict, reenter
from iwm_evals.decoding.network import Decoder
from iwm_evals.dose import Sweep
from iwm_evals.imagined.asking import relative
from iwm_evals.plans import CEM, drawn_targets, plan
from iwm_evals.questions.corruption import at_rest
from iwm_evals.scores.relative import squared
from iwm_evals.words.asked import asked

STEPS = 4
FEW = 32  # values of a parameter that is no continuous number
GOALS = 8  # draws, of which the most changed is the goal


def show_composed(model: WorldModel, decoder: Decoder, sweeps: list[Sweep], images: Float[Tensor, "b 3 h w"], reentry: Reentry) -> Gallery:
    """Two actions, one after the other and at once, a row for each image."""
    rows = []
    for number, image in enumerate(images.split(1)):
        one, other = sweeps[number % len(sweeps)], sweeps[(number + 1) % len(sweeps)]
        rest = model.actions.identity.to(image)
        first = one.params[-1 if number % 2 == 0 else 0].to(image)
        last = other.params[0 if other is one else -1].to(image)
        second = torch.where(last != rest, last, first)
        to_first, onward, whole = (
            model.actions.encode(start[None], end[None]) for start, end in ((rest, first), (first, second), (rest, second))
        )
        halfway, once = predict(model, model.encode(image), to_first, whole)
        (twice,) = predict(model, reenter(reentry, halfway), onward)
        clean, goal = at_rest(model, image), model.actions.apply_target(image, second[None])
        start, truth = model.targets(clean), model.targets(goal)
        shown = decoder(torch.cat([halfway, twice, once, truth]))
        moved = float(squared(start, truth))
        errors = [f"error {relative(float(squared(tokens, truth)), moved)}" for tokens in (twice, once)]
        added = [text for text in asked(model, second) if text not in asked(model, first)]
        title = f"{', '.join(asked(model, first))}\nthen {', '.join(added)}"
        rows.append(Row((clean[0], *shown, goal[0]), title=title, captions=("error 1", "", *errors, "error 0", "")))
    return Gallery(
        name="imagined_composed",
        title="Two actions, imagined one after the other",
        subtitle="",
        headings=("source", "after the first", "after both, in two steps", "in one step", "true target, decoded", "true target"),
        rows=tuple(rows),
        about="The second step is imagined from what the first step imagined, not from an image. A model that composes shows the same in "
        "two steps as in one. Errors are of tokens, squared, relative to leaving the source as it is.",
    )


def show_plans(model: WorldModel, decoder: Decoder, images: Float[Tensor, "b 3 h w"], seed: int) -> Gallery:
    """A plan for each image, two rows each."""
    clean, goals = at_rest(model, images), far_targets(model, len(images), seed).to(images)
    wanted = model.actions.apply_target(images, goals)
    found = plan(model, clean, wanted, CEM(rounds=4, samples=32), seed, candidates=128)
    fixed = torch.tensor([len(values.unique()) <= FEW for values in drawn_targets(model.actions, seed, model.device).unbind(1)])
    rows = []
    for place in range(len(images)):
        rest = model.actions.identity.to(images)
        shares = torch.linspace(1 / STEPS, 1, STEPS, device=images.device)[:, None]
        steps = torch.where(fixed.to(images.device), found.params[place], rest + shares * (found.params[place] - rest))
        predicted = model.predict(model.encode(clean[place : place + 1]), model.actions.encode(rest.expand_as(steps), steps)[None])[0]
        made = model.actions.apply_target(images[place].expand(STEPS, -1, -1, -1), steps)
        ends = model.targets(torch.stack([clean[place], wanted[place]]))
        moved = float(squared(ends[:1], ends[1:]))
        left = ["1", *(relative(float(squared(one[None], ends[1:])), moved) for one in predicted), "0"]
        shown = decoder(torch.cat([ends[:1], predicted, ends[1:]]))
        titles = ["imagined", "by the plan", *asked(model, found.params[place])], ["real", "B was made by", *asked(model, goals[place])]
        rows.append(Row(tuple(shown), title="\n".join(titles[0]), captions=tuple(f"distance {one}" for one in left)))
        rows.append(Row((clean[place], *made, wanted[place]), title="\n".join(titles[1])))
    return Gallery(
        name="imagined_plans",
        title="From A to B, planned by imagining",
        subtitle="",
        headings=("A", *(f"step {number}" for number in range(1, STEPS + 1)), "B"),
        rows=tuple(rows),
        about="Shown A and B, the model searches for an action that leads from one to the other. Above, what it imagines of each step, "
        "decoded, with the distance of its tokens to B's (A's is 1); below, the images that the steps really make.",
    )


def far_targets(model: WorldModel, count: int, seed: int) -> Float[Tensor, "b p"]:
    """Parameters of a target for each of some images: of a few draws, those told by the largest action."""
    places = torch.arange(count).repeat_interleave(GOALS)
    drawn = model.actions.sample(Draws(seed, torch.arange(GOALS).repeat(count), places, "imagination/goal")).target
    rest = model.actions.identity.expand_as(drawn)
    size = model.actions.encode(rest, drawn).norm(dim=1).unflatten(0, (count, GOALS))
    return drawn.unflatten(0, (count, GOALS))[torch.arange(count), size.argmax(1)]
