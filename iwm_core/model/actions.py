"""A recipe's actions in their order, and the pair of views that a training step needs (PAPER §2, §4)."""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, Observed, Transformation, Views, constant
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import Recipe


class ObservedAction(Action):
    """The action that data shows in its pairs: it comes with the images, so that nothing is left to apply."""

    name = "observed"
    changes_target = False
    observed = True

    def __init__(self, observed: Observed) -> None:
        self.labels = observed.labels
        self.identity = torch.zeros(len(observed.labels), device="cpu")
        low, high = observed.low or [-1.0] * len(self.labels), observed.high or [1.0] * len(self.labels)
        self.ranges = list(zip(low, high, strict=True))

    def sample(self, draws: Draws) -> ActionParams:
        """Zeros: of images alone, nothing is known to have happened."""
        rest = torch.zeros(len(draws), len(self.labels), dtype=torch.float32, device=draws.device)
        return ActionParams(rest, rest.clone())

    def candidates(self, draws: Draws) -> Float[Tensor, "b p"]:
        """Uniform over each number's range."""
        return torch.cat([draws.uniform(1, low, high) for low, high in self.ranges], 1)

    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h w"]:
        return images

    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        return target - source


class ActionSequence(Transformation):
    """Several actions, applied one after the other; parameters and encodings are joined.

    Each action draws from a stream of its own name: leaving one out does not change what the others draw.

    Args:
        actions: by the name they have in the recipe, in its order.
    """

    def __init__(self, actions: dict[str, Action]) -> None:
        self.parts = actions
        self.labels = tuple(label for action in actions.values() for label in action.labels)
        self.names = tuple(name for name, action in actions.items() for _ in action.labels)
        self.identity = torch.cat([action.identity for action in actions.values()]) if actions else torch.empty(0)
        self.identity_values = [value for action in actions.values() for value in action.identity.tolist()]
        self.sizes = [len(action.identity) for action in actions.values()]
        self.observed = any(action.observed for action in actions.values())
        self.changes_target = any(action.changes_target for action in actions.values())

    def sample(self, draws: Draws) -> ActionParams:
        drawn = [action.sample(draws.stream(name)) for name, action in self.parts.items()]
        empty = torch.empty(len(draws), 0, dtype=torch.float32, device=draws.device)
        return ActionParams(torch.cat([empty, *(d.source for d in drawn)], dim=1), torch.cat([empty, *(d.target for d in drawn)], dim=1))

    def candidates(self, draws: Draws) -> Float[Tensor, "b p"]:
        empty = torch.empty(len(draws), 0, dtype=torch.float32, device=draws.device)
        return torch.cat([empty, *(action.candidates(draws.stream(name)) for name, action in self.parts.items())], dim=1)

    def observe(self, params: ActionParams, action: Float[Tensor, "b a"]) -> ActionParams:
        """Parameters in which the observed action, the first of all, has led to the target."""
        return ActionParams(params.source, torch.cat([action, params.target[:, action.shape[1] :]], dim=1))

    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        for action, part in zip(self.parts.values(), self._split(params), strict=True):
            images = action.apply(images, part)
        return images

    def apply_target(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        for action, part in zip(self.parts.values(), self._split(params), strict=True):
            images = action.apply_target(images, part)
        return images

    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        told = [source[:, :0]]
        sides = source.new_ones(len(source), 1)  # -1 where a later action mirrors the source
        for action, s, t in reversed(list(zip(self.parts.values(), self._split(source), self._split(target), strict=True))):
            numbers = action.encode(s, t)
            if action.mirror:
                factors = constant(action.mirror, source.device)
                numbers = torch.where(sides < 0, numbers * factors, numbers)
            told.insert(1, numbers)
            if (turned := action.mirrored(s)) is not None:
                sides = torch.where(turned[:, None], -sides, sides)
        return torch.cat(told, dim=1)

    def views(
        self, images: Float[Tensor, "b 3 h w"], params: ActionParams, source_from: str, observed: Float[Tensor, "b 3 h w"] | None = None
    ) -> Views:
        """Both views of a batch, by the parameters of each side.

        ``source_from="view"``: both sides from the shared view, each with its own parameters (the appendix's version).
        ``source_from="target"``: the source from the target, so that the action undoes the source's parameters (the main text's).
        ``observed``: the second images of pairs, from which the targets are made; only with ``source_from="view"``.
        """
        if source_from == "view" and observed is None:
            return Views(*self._both(images, params), self.encode(params.source, params.target))
        target = self.apply_target(images if observed is None else observed, params.target)
        if source_from == "target":
            return Views(self.apply(target, params.source), target, self.encode(params.source, self.rest(len(images), images.device)))
        return Views(self.apply(images, params.source), target, self.encode(params.source, params.target))

    def _both(self, images: Float[Tensor, "b 3 h w"], params: ActionParams) -> tuple[Tensor, Tensor]:
        """Source and target of the same images. The actions that come first, and change both sides, are applied to both at once."""
        steps = list(zip(self.parts.values(), self._split(params.source), self._split(params.target), strict=True))
        alike = list(itertools.takewhile(lambda step: step[0].changes_target and type(step[0]).apply_target is Action.apply_target, steps))
        sides = images.repeat(2, 1, 1, 1) if alike else images
        for action, source, target in alike:
            sides = action.apply(sides, torch.cat([source, target]))
        source, target = sides.chunk(2) if alike else (images, images)
        for action, of_source, of_target in steps[len(alike) :]:
            source, target = action.apply(source, of_source), action.apply_target(target, of_target)
        return source, target

    def rest(self, b: int, device: torch.device) -> Float[Tensor, "b p"]:
        """The identity's parameters for a batch."""
        return constant(self.identity_values, device).expand(b, -1)

    def _split(self, params: Float[Tensor, "b p"]) -> Sequence[Float[Tensor, "b _"]]:
        """Each action's own."""
        return params.split(self.sizes, dim=1) if self.parts else ()


def recipe_actions(recipe: Recipe) -> ActionSequence:
    """All actions of a recipe: the one that its data shows, if any, then those that are made; a `UserError` where the observed action does
    not fit the rest of the recipe."""
    observed = recipe.data.observed
    if observed is None:
        return ActionSequence(recipe.actions)
    if observed.name in recipe.actions:
        raise UserError(f"data={recipe.data.name} shows the action {observed.name!r} itself; leave actions={observed.name} out")
    return ActionSequence({observed.name: ObservedAction(observed), **recipe.actions})


def check_order(actions: dict[str, Action]) -> None:
    """Check that what mirrors images comes after what tells left from right: the other way round, no sign says where to."""
    names = list(actions)
    for place, name in enumerate(names):
        late = next((other for other in names[place + 1 :] if actions[other].mirror), None)
        if late is not None and actions[name].mirrored(actions[name].identity[None]) is not None:
            order = ",".join([*names[:place], late, *(other for other in names[place:] if other != late)])
            raise UserError(f"{name} mirrors what {late} then shifts, and its signs would be wrong; use actions=[{order}]")


def check_views(recipe: Recipe) -> None:
    """Check that training can make views of pairs."""
    check_order(recipe.actions)
    observed = recipe.data.observed
    if observed is not None and recipe.view.source_from != "view":
        raise UserError(f"data={recipe.data.name} has pairs of images, of which each side is given; use view.source_from=view")
    if observed is not None and recipe.view.flip > 0 and not observed.mirror:
        raise UserError(f"data={recipe.data.name} does not say what a flip does to its action {observed.name!r}; use view.flip=0")
