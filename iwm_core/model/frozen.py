"""A trained model, frozen: what `iwm_core.load` returns and what evaluators measure (PAPER §6)."""

import copy
import math
from contextlib import suppress
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import ActionParams, Encoder, Targets, Views, WorldModel
from iwm_core.model.actions import recipe_actions
from iwm_core.model.world_model import ImageWorldModel, build_model
from iwm_core.plugins.loader import load_plugins
from iwm_core.plugins.near import did_you_mean
from iwm_core.recipe.config import Recipe

OVERSHOOT = 0.1
"""How far outside [0, 1] the values of images may lie."""

FARTHEST = 2.0
"""The largest number of an action that may be imagined: training tells such about in [-1, 1], of two steps at most twice that."""
ROUNDING = 1e-3
"""How far beyond it, relatively, float32 may round the difference of two sides."""
OTHER_SEED = 2**31
"""Between the seed of a reinitialised predictor and the one it is asked for, which may be that of the training itself."""


class FrozenModel(WorldModel):
    """The teacher and the predictor of a run: the weights of ``model``, which are on ``device`` and in evaluation mode, and were saved at
    ``step`` in ``checkpoint``, which is None while they are being trained."""

    def __init__(self, recipe: Recipe, model: ImageWorldModel, checkpoint: Path | None, step: int, device: torch.device) -> None:
        self.recipe, self.model, self.checkpoint, self.step, self.device = recipe, model, checkpoint, step, device
        self.actions = self.sequence = recipe_actions(recipe)
        self.parts, self.names = self.sequence.parts, self.sequence.names
        self.grid, self.image_size = model.teacher.grid, recipe.image_size
        self.limits = [math.inf if self.parts[name].observed else FARTHEST for name in self.names]  # what data shows, training was told

    def __repr__(self) -> str:
        return f"<world model {self.recipe.recipe!r} of {self.run or 'a training'} at step {self.step}, on {self.device}>"

    @property
    def run(self) -> Path | None:
        """The directory of its run; None while it is trained."""
        return self.checkpoint.parents[1] if self.checkpoint else None

    @cached_property
    def encoder(self) -> Encoder:
        """The teacher as a module of your own, from images in [0, 1] to tokens [b n d]: train it, halve it, move it, save it.

        It is a copy, made once, in evaluation mode, whose parameters take gradients; this model stays what its run holds.
        """
        return copy.deepcopy(self.model.teacher).requires_grad_(True)

    @torch.no_grad()
    def features(self, images: Float[Tensor, "b 3 h w"], patch: bool = False, student: bool = False) -> Float[Tensor, "b ..."]:
        """What stands for each image: the mean of its tokens [b d], or with ``patch`` all of them [b n d]; the teacher's, or the student's.

        Images, and what is raised of them, as of `encode`.
        """
        tokens = self.student(images) if student else self.encode(images)
        return tokens if patch else tokens.mean(1)

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The teacher's tokens of images in [0, 1] of ``image_size`` pixels.

        Raises:
            ValueError: they are no such images: of another size or type, outside [0, 1], or not finite.
        """
        return self.model.teacher(self._checked(images))

    def student(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The student's tokens of images as `encode` takes them; the teacher is its moving average."""
        return self.model.student(self._checked(images))

    def targets(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        return self.model.targets(self._checked(images))

    def predict(self, tokens: Float[Tensor, "b n d"], actions: Float[Tensor, "b c a"]) -> Float[Tensor, "b c n d"]:
        """See `WorldModel`; floats of any width on any device are taken.

        Raises:
            ValueError: another shape or type; or numbers that are not finite or, but for observed actions', far from [-1, 1].
        """
        tokens, actions = askable(tokens, actions, self.grid[0] * self.grid[1], self.model.teacher.width, self.limits, self.device)
        b, c, _ = actions.shape
        n = tokens.shape[1]
        everywhere = torch.arange(n, device=tokens.device).expand(b * c, n)
        where = Targets(context=everywhere, target=everywhere[:, None])
        context = tokens[:, None].expand(b, c, *tokens.shape[1:]).flatten(0, 1)
        return self.model.predictor(context, where, actions.flatten(0, 1)).float().unflatten(0, (b, c))[:, :, 0]

    def views(self, images: Float[Tensor, "b 3 h w"], params: ActionParams, target: Float[Tensor, "b 3 h w"] | None = None) -> Views:
        return self.sequence.views(images, params, self.recipe.view.source_from, target)

    def reinitialised(self, seed: int) -> "FrozenModel":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed((seed + OTHER_SEED) % 2**32)
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
            ValueError: no images for this model, numbers that are not finite or far from [-1, 1], or an unknown action or label.
        """
        images = self._checked(images)
        told = torch.zeros(len(self.names), dtype=torch.float32)
        if not isinstance(actions, dict):
            raise ValueError(f"imagine takes numbers by action and label, as in {{ACTION: {{LABEL: 0.3}}}}; got a {type(actions).__name__}")
        places = [f"{name}.{label}" for name, label in zip(self.names, self.actions.labels, strict=True)]
        for name, values in actions.items():
            action, dot, label = str(name).partition(".")
            if dot and isinstance(values, Real):
                raise ValueError(f"numbers of an action are by action and label: write {{{action!r}: {{{label!r}: {values}}}}}")
            if not isinstance(values, dict) or not all(isinstance(value, Real) and abs(value) < math.inf for value in values.values()):
                raise ValueError(f"numbers of an action are finite and by label, as in {{{name!r}: {{LABEL: 0.3}}}}; got {values}")
            if far := [f"{label}={value!s:.20}" for label, value in values.items() if abs(value) > FARTHEST]:
                raise ValueError(f"numbers of an action lie about in [-1, 1], got {', '.join(far)} of {name}; give at most {FARTHEST:g}")
            for asked in [f"{name}.{label}" for label in values] if name in self.names else [name]:
                if asked not in places:
                    hint = did_you_mean(str(asked), [*self.names, *places])
                    raise ValueError(f"this model knows no action number {asked}; {hint}it knows: {', '.join(places) or 'none'}")
            for label, value in values.items():
                told[places.index(f"{name}.{label}")] = float(value)
        told = told.to(self.device).expand(len(images), 1, -1)
        with torch.no_grad():
            return self.predict(self.encode(images), told)[:, 0]

    def plan(
        self,
        source: Float[Tensor, "b 3 h w"],
        goal: Float[Tensor, "_ 3 _ _"],
        search: Any = "cem",
        seed: int = 0,
        candidates: int = 256,
        chunk: int = 64,
    ) -> Any:
        """The actions that lead from source images to goal images, found by a plugin's search through the world model.

        ::

            plan = model.plan(source, goal)
            plan.numbers[0]                                        # {"jitter": {"brightness": 0.31, …}}: what happened to the first image
            model.imagine(source[:1], plan.numbers[0])             # the latents that the model expects of it
            model.actions.apply_target(source, plan.params)        # the images made with the actions found

        Args:
            source, goal: in [0, 1], of ``image_size`` pixels, as many of both.
            search: one of `iwm components search`, such as ``bank`` (256 predictions an image), ``cem`` (640) or ``gradient`` (560); or
                one with options of its own, such as ``installed("search", "cem")(rounds=10)``.
            seed: of all that is drawn; the same call gives the same plan.
            candidates: drawn for each image from the recipe's own distribution; every search begins with them.
            chunk: predictions in one pass: bounds the memory.

        Raises:
            ValueError: an unknown search, no action that ever changes a target, images of another size, or latents that are not finite.
        """
        source, goal, known = self._checked(source), self._checked(goal), load_plugins().entries("search")
        if isinstance(search, str) and search not in known:
            raise ValueError(f"plan knows no search {search!r}; it knows: {', '.join(known) or 'none (pip install iwm)'}")
        search = known[search].component() if isinstance(search, str) else search
        if not hasattr(search, "plan"):
            raise ValueError(f"plan takes a search and whole numbers, got {search!r}, seed {seed}, candidates {candidates}, chunk {chunk}")
        return search.plan(self, source, goal, seed, candidates, chunk)

    def _checked(self, images: Any) -> Tensor:
        canvas = self.recipe.view.canvas or self.image_size
        if canvas != self.image_size and isinstance(images, Tensor) and not images.is_nested and images.shape[2:] == (canvas, canvas):
            images = fitting(images, canvas, self.device)  # what actions crop from, seen whole
            images = self.sequence.apply(images, self.sequence.rest(len(images), images.device))
        return fitting(images, self.image_size, self.device)


def fitting(images: Any, size: int | None, device: torch.device, who: str = "this model") -> Tensor:
    """Images that a model may be given, float32 on its device; ``size`` None: of any height and width.

    Bicubic resizing overshoots [0, 1] at edges, by up to `OVERSHOOT`; what was normalised by mean and deviation, or has 255 for white, lies
    much further out. Looking waits for the device, which training never does: it calls no frozen model.

    Raises:
        ValueError: as of `floats`; or values outside [0, 1].
    """
    taken = f"{who} takes images [b, 3, {size or 'h'}, {size or 'w'}] in [0, 1]"
    images = floats(images, (None, 3, size, size), device, taken, "; divide by 255")
    low, high = torch.stack(images.detach().aminmax()).tolist() if images.numel() else (0, 1)
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        how = "divide by 255" if low >= 0 else "undo their normalisation"
        raise ValueError(f"{who} takes images in [0, 1], got values from {low:.4g} to {high:.4g}; {how}")
    return images


def askable(tokens: Any, actions: Any, n: int, d: int, limits: list[float], device: torch.device) -> tuple[Tensor, Tensor]:
    """What a predictor may be asked: tokens [b, n, d] and encoded actions [b, c, a], ``limits`` being the most of each of a numbers.

    Raises:
        ValueError: as of `floats`; or numbers of actions beyond their limits.
    """
    tokens = floats(tokens, (None, n, d), device, f"predict takes tokens [b, {n}, {d}], finite where training has not diverged")
    b, a = len(tokens), len(limits)
    actions = floats(actions, (b, None, a), device, f"predict takes actions [{b}, c, {a}] with these tokens")
    sizes = actions.detach().abs().amax((0, 1)).tolist() if actions.numel() else []
    if far := [size for size, limit in zip(sizes, limits, strict=False) if size > limit * (1 + ROUNDING)]:
        raise ValueError(f"predict takes numbers of actions about in [-1, 1], got one of size {max(far):.4g}; give at most {FARTHEST:g}")
    return tokens, actions


def floats(given: Any, shape: tuple[int | None, ...], device: torch.device, taken: str, how: str = "") -> Tensor:
    """A tensor as models take it, float32 on their device: all that they are given goes through here. None in ``shape`` is any length.

    Raises:
        ValueError: it is not a dense tensor of finite floats of this shape, as ``taken`` says in words; ``how`` integers become that.
    """
    found = str(getattr(given, "dtype", "")).removeprefix("torch.")
    if not isinstance(given, Tensor):
        found = f"a {type(given).__name__}"
    elif given.is_meta or given.is_nested or given.layout != torch.strided:
        found = f"a tensor without values or not dense ({given.layout} on {given.device})"
    elif given.ndim != len(shape) or any(wanted not in (None, size) for wanted, size in zip(shape, given.shape, strict=True)):
        found = f"{list(given.shape)}"
    elif not given.is_floating_point():
        found += how
    else:
        with suppress(NotImplementedError):  # such as two numbers in a byte
            given = given.to(device, torch.float32)
            if given.isfinite().all():
                return given
            found = "values that are not finite"
    raise ValueError(f"{taken}, got {found}")
