"""A recipe's actions in their order, as one action, and the pair of views that a training step needs (PAPER §2, §4)."""

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, Views


class ActionSequence(Action):
    """Several actions, applied one after the other; parameters and encodings are joined.

    Each action draws from a stream of its own name: leaving one out does not change what the others draw.

    Args:
        actions: by the name they have in the recipe, in its order.
    """

    name = "sequence of actions"

    def __init__(self, actions: dict[str, Action]) -> None:
        self.parts = actions
        # Of this instance, where a plugin's action has them on its class.
        self.labels = tuple(label for action in actions.values() for label in action.labels)  # pyright: ignore[reportAttributeAccessIssue]
        self.names = tuple(name for name, action in actions.items() for _ in action.labels)
        self.identity = torch.cat([action.identity for action in actions.values()]) if actions else torch.empty(0)  # pyright: ignore[reportAttributeAccessIssue]
        self.identity_values = [value for action in actions.values() for value in action.identity.tolist()]
        self.sizes = [len(action.identity) for action in actions.values()]
        self.changes_target = any(action.changes_target for action in actions.values())  # pyright: ignore[reportAttributeAccessIssue]

    def sample(self, draws: Draws) -> ActionParams:
        drawn = [action.sample(draws.stream(name)) for name, action in self.parts.items()]
        empty = torch.empty(len(draws), 0, device=draws.device)
        return ActionParams(torch.cat([empty, *(d.source for d in drawn)], dim=1), torch.cat([empty, *(d.target for d in drawn)], dim=1))

    def apply(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        for action, part in self._split(params):
            images = action.apply(images, part)
        return images

    def apply_target(self, images: Float[Tensor, "b 3 h w"], params: Float[Tensor, "b p"]) -> Float[Tensor, "b 3 h2 w2"]:
        for action, part in self._split(params):
            images = action.apply_target(images, part)
        return images

    def encode(self, source: Float[Tensor, "b p"], target: Float[Tensor, "b p"]) -> Float[Tensor, "b a"]:
        pairs = zip(self._split(source), self._split(target), strict=True)
        return torch.cat([source[:, :0], *(action.encode(s, t) for (action, s), (_, t) in pairs)], dim=1)

    def views(self, images: Float[Tensor, "b 3 h w"], params: ActionParams, source_from: str) -> Views:
        """Both views of a batch, by the parameters of each side.

        ``source_from="view"``: both sides from the shared view, each with its own parameters (the appendix's version).
        ``source_from="target"``: the source from the target, so that the action undoes the source's parameters (the main text's).
        """
        target = self.apply_target(images, params.target)
        if source_from == "target":
            return Views(self.apply(target, params.source), target, self.encode(params.source, self.rest(len(images), images.device)))
        return Views(self.apply(images, params.source), target, self.encode(params.source, params.target))

    def rest(self, b: int, device: torch.device) -> Float[Tensor, "b p"]:
        """The identity's parameters for a batch."""
        # Filled in on the device: a copy of `identity` to it would make the host wait.
        columns = [torch.full((b, 1), value, device=device) for value in self.identity_values]
        return torch.cat([torch.empty(b, 0, device=device), *columns], dim=1)

    def _split(self, params: Float[Tensor, "b p"]) -> list[tuple[Action, Tensor]]:
        return list(zip(self.parts.values(), params.split(self.sizes, dim=1), strict=True)) if self.parts else []
