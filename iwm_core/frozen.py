"""A trained model, frozen: what `iwm_core.load` returns and what evaluators measure (PAPER §6)."""

import math
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.actions import ActionSequence, recipe_actions
from iwm_core.config import Recipe
from iwm_core.interfaces import ActionParams, Targets, Views, WorldModel
from iwm_core.planning import Plan, Search, plan
from iwm_core.world_model import ImageWorldModel, build_model


class FrozenModel(WorldModel):
    """The teacher and the predictor of a run.

    Args:
        recipe: the run's recipe.
        model: its weights, on ``device`` and in evaluation mode.
        checkpoint: where they come from; None while they are being trained.
        step: the step they were saved at.
        device: where to compute.
    """

    def __init__(self, recipe: Recipe, model: ImageWorldModel, checkpoint: Path | None, step: int, device: torch.device) -> None:
        self.recipe, self.model, self.checkpoint, self.step, self.device = recipe, model, checkpoint, step, device
        self.actions: ActionSequence = recipe_actions(recipe)  # pyright: ignore[reportIncompatibleVariableOverride]
        self.parts, self.names = self.actions.parts, self.actions.names
        self.grid, self.image_size = model.teacher.grid, recipe.image_size

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The teacher's tokens of images in [0, 1] of ``image_size`` pixels.

        Raises:
            ValueError: the images have another size.
        """
        return self.model.teacher(self._checked(images))

    def student(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The student's tokens of images in [0, 1]; the teacher is its moving average.

        Raises:
            ValueError: the images have another size.
        """
        return self.model.student(self._checked(images))

    def targets(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        return self.model.targets(self._checked(images))

    def predict(self, tokens: Float[Tensor, "b n d"], actions: Float[Tensor, "b c a"]) -> Float[Tensor, "b c n d"]:
        b, c, _ = actions.shape
        n = tokens.shape[1]
        everywhere = torch.arange(n, device=tokens.device).expand(b * c, n)
        where = Targets(context=everywhere, target=everywhere[:, None])
        context = tokens[:, None].expand(b, c, *tokens.shape[1:]).flatten(0, 1)
        return self.model.predictor(context, where, actions.flatten(0, 1)).float().unflatten(0, (b, c))[:, :, 0]

    def views(self, images: Float[Tensor, "b 3 h w"], params: ActionParams, target: Float[Tensor, "b 3 h w"] | None = None) -> Views:
        return self.actions.views(images, params, self.recipe.view.source_from, target)

    def reinitialised(self, seed: int) -> "FrozenModel":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build_model(self.recipe, restored=True).eval().requires_grad_(False).to(self.device)
        # Only now: the student may be in training, and is not to be frozen.
        model.student, model.teacher = self.model.student, self.model.teacher
        return FrozenModel(self.recipe, model, self.checkpoint, self.step, self.device)

    def imagine(self, images: Float[Tensor, "b 3 h w"], actions: dict[str, dict[str, float]]) -> Float[Tensor, "b n d"]:
        """The tokens that the images would have after an action, by the world model.

        Args:
            images: in [0, 1], of ``image_size`` pixels.
            actions: encoded numbers by action and label, about in [-1, 1], such as ``{"jitter": {"brightness": 0.3}}``; what is left out
                is 0 (no change). `encode` of a real transformation gives such numbers.

        Raises:
            ValueError: the images have another size, or the model knows no such action or label.
        """
        told = torch.zeros(len(self.names))
        places = [f"{name}.{label}" for name, label in zip(self.names, self.actions.labels, strict=True)]
        for name, values in actions.items():
            if not isinstance(values, dict) or not all(math.isfinite(value) for value in values.values()):
                raise ValueError(f"numbers of an action are finite and by label, as in {{{name!r}: {{LABEL: 0.3}}}}; got {values}")
            for asked in [f"{name}.{label}" for label in values] if name in self.names else [name]:
                if asked not in places:
                    raise ValueError(f"this model knows no action number {asked}; it knows: {', '.join(places) or 'none'}")
            for label, value in values.items():
                told[places.index(f"{name}.{label}")] = value
        told = told.to(self.device).expand(len(images), 1, -1)
        with torch.no_grad():
            return self.predict(self.encode(images), told)[:, 0]

    def plan(
        self,
        source: Float[Tensor, "b 3 h w"],
        goal: Float[Tensor, "_ 3 _ _"],
        search: str | Search = "cem",
        seed: int = 0,
        candidates: int = 256,
        chunk: int = 64,
    ) -> Plan:
        """The actions that lead from source images to goal images, found by searching through the world model.

        ::

            plan = model.plan(source, goal)
            plan.numbers[0]                                        # {"jitter": {"brightness": 0.31, …}}: what happened to the first image
            model.imagine(source[:1], plan.numbers[0])             # the latents that the model expects of it
            model.actions.apply_target(source, plan.params)        # the images made with the actions found

        Args:
            source, goal: in [0, 1], of ``image_size`` pixels, as many of both.
            search: ``bank`` (256 predictions an image), ``cem`` (640), ``gradient`` (560), or one with fields of its own from
                `iwm_core.planning`, such as ``CEM(rounds=10)``; each says there what it costs.
            seed: of all that is drawn; the same call gives the same plan.
            candidates: drawn for each image from the recipe's own distribution; every search begins with them.
            chunk: predictions in one pass: bounds the memory.

        Raises:
            ValueError: an unknown search, no action that ever changes a target, images of another size, or latents that are not finite.
        """
        return plan(self, source, goal, search, seed, candidates, chunk)

    def _checked(self, images: Tensor) -> Tensor:
        return fitting(images, self.image_size, self.device)


def fitting(images: Tensor, size: int, device: torch.device) -> Tensor:
    """Images that a model may be given, on its device.

    Raises:
        ValueError: another shape, or not in [0, 1] by their type.
    """
    if images.ndim != 4 or images.shape[1:] != (3, size, size):
        raise ValueError(f"this model takes images [b, 3, {size}, {size}] in [0, 1], got {list(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"this model takes images in [0, 1], got {str(images.dtype).removeprefix('torch.')}; give images / 255")
    return images.to(device)
