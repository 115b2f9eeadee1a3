"""What a model is asked to imagine of images, part by part of its actions, and how its answers are turned into pictures.

Decisions:
- A part that targets carry is asked from the clean image to a target of which that part alone varies, as training draws it; what sources
  alone carry is undone, from the corrupted image to the clean one; an observed action is that of the image's own pair.
- Images that a part leaves as they are have nothing to be imagined of, and are left out.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import ActionParams, ImageBatch, WorldModel
from iwm_evals.decoding.network import Decoder
from iwm_evals.plans import drawn_targets
from iwm_evals.questions.corruption import at_rest, corrupt, destructive
from iwm_evals.questions.parts import Part, alone, each_parameter
from iwm_evals.questions.views import draw_params, make_views, observed_columns

STREAM = "imagination/draws"
MOST = 99  # times the error of not acting: of what hardly moves the tokens, a larger number tells no more


class Asked(NamedTuple):
    """What is asked of some images of a batch: their places in it, source, target, and the encoded action between them."""

    place: Int[Tensor, "c"]
    source: Float[Tensor, "c 3 h w"]
    target: Float[Tensor, "c 3 h w"]
    action: Float[Tensor, "c a"]


class Answer(NamedTuple):
    """Tokens that are true of source and target, and those imagined: told the action, and the null action."""

    source: Float[Tensor, "c n d"]
    target: Float[Tensor, "c n d"]
    imagined: Float[Tensor, "c n d"]
    null: Float[Tensor, "c n d"]


class Parts(NamedTuple):
    """The parts of a recipe's actions that can be asked for alone, by what is done: ``shown`` by data, changing targets, or undone."""

    shown: list[Part]
    changing: list[Part]
    undone: list[Part]

    @property
    def names(self) -> list[str]:
        return [part.name for parts in self for part in parts]


def parts_of(model: WorldModel, seed: int) -> Parts:
    """What can be asked of a model."""
    drawn = drawn_targets(model.actions, seed, model.device).cpu()
    varies = (drawn != drawn[:1]).any(0)
    shown = [
        Part(name, observed_columns(model)) for name, action in model.parts.items() if action.observed
    ]  # there is one observed action at most
    changing = [part for part in each_parameter(model.parts) if bool((part.columns & varies & ~observed_columns(model)).any())]
    return Parts(shown, changing, destructive(model, seed))


def ask(model: WorldModel, parts: Parts, part: Part, batch: ImageBatch, seed: int, version: int = 0) -> Asked:
    """A part of the action, asked of the images of a batch."""
    clean = at_rest(model, batch.images)
    if part in parts.undone:
        found = corrupt(model, part, batch, clean, seed)
        return Asked(found.place, found.images, clean[found.place], found.actions)
    drawn = draw_params(model, batch, seed, version, STREAM).target
    rest = model.actions.identity.to(drawn).expand_as(drawn)
    if part in parts.shown:
        views = make_views(model, batch, ActionParams(rest, drawn), part)
        place = (views.action != 0).any(1).nonzero()[:, 0]
        return Asked(place, views.source[place], views.target[place], views.action[place])
    return between(model, batch.images, alone(part, drawn, model.actions.identity))


def between(model: WorldModel, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Asked:
    """From clean images to targets of these parameters; those whose action is not told are left out."""
    rest = model.actions.identity.to(params).expand_as(params)
    action = model.actions.encode(rest, params)
    place = (action != 0).any(1).nonzero()[:, 0]
    target = model.actions.apply_target(images[place], params[place])
    return Asked(place, at_rest(model, images[place]), target, action[place])


def answer(model: WorldModel, asked: Asked) -> Answer:
    """What a model imagines when it is asked."""
    actions = torch.stack([asked.action, torch.zeros_like(asked.action)], 1)
    imagined, null = model.predict(model.encode(asked.source), actions).unbind(1)
    return Answer(model.targets(asked.source), model.targets(asked.target), imagined, null)


def pictures(decoder: Decoder, answer: Answer) -> Answer:
    """The same as images, [c 3 h w]."""
    return Answer(*decoder(torch.cat(list(answer))).chunk(4))


def relative(error: float, moved: float) -> str:
    """An error in units of that of not acting, in words; where nothing moves, nothing can be told."""
    if moved <= 0:
        return "–"
    return f"{error / moved:.2f}" if error < MOST * moved else f"above {MOST}"
