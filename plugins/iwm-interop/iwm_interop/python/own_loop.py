"""The views, actions and patches of a training step, for loops that are not ours: `iwm_core.views`."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from iwm_core.interfaces import Component, Draws
from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import ActionSequence, check_order
from iwm_core.model.frozen import fitting
from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.typed import instance


class MadeViews(NamedTuple):
    """What a step learns from.

    Attributes:
        source, target: the images before and after the action, in [0, 1].
        action: the encoded action from source to target, as a predictor is told it; 0 means that nothing happened.
        labels: what each number of ``action`` is, ``jitter.hue``.
        context: the patches that are seen of the source, places in the row-major grid; None where no targets were asked for.
        predicted: the patches of the target to be predicted, in ``m`` groups of ``t``; likewise.
    """

    source: Float[Tensor, "b 3 h w"]
    target: Float[Tensor, "b 3 h2 w2"]
    action: Float[Tensor, "b a"]
    labels: tuple[str, ...]
    context: Int[Tensor, "b k"] | None
    predicted: Int[Tensor, "b m t"] | None


def make_views(
    images: Float[Tensor, "b 3 h w"],
    actions: Any,
    targets: Any = None,
    *,
    seed: int,
    grid: tuple[int, int] | None = None,
    source_from: str = "view",
) -> MadeViews:
    """Views of images, a pure function of the seed and an image's place in the batch.

    ::

        for step, (images, _) in enumerate(loader):
            made = iwm_core.views(images, actions=["jitter", "blur"], targets="multiblock", seed=step, grid=(14, 14))
            loss = mine(made.source, made.context, made.action, made.target, made.predicted)

    Args:
        images: in [0, 1]; on any device, where all that is made stays.
        actions: of installed plugins, in their order: ``["jitter", "blur"]``, with options ``{"jitter": {"hue": 0.1}, "blur": {}}``, or
            actions that are made already.
        targets: a target selector, likewise: ``"multiblock"``, ``{"random": {"share": 0.5}}``; None: no patches are chosen.
        seed: of all that is drawn, in [0, 2^32): another one for each batch, such as the step's number.
        grid: rows and columns of patches among which targets are selected.
        source_from: as ``view.source_from`` of a recipe.

    Raises:
        UserError: an unknown component or option, actions in an order that cannot be told, or targets without a grid they fit.
        ValueError: no images in [0, 1].
    """
    images = fitting(images, None, images.device if isinstance(images, Tensor) else torch.device("cpu"), "iwm_core.views")
    if not isinstance(seed, int) or not len(images):
        raise UserError(f"iwm_core.views takes images, at least one, and a whole number as seed=; got {len(images)} and {seed!r}")
    whole = isinstance(grid, list | tuple) and len(grid) == 2 and all(isinstance(side, int) and side > 0 for side in grid)
    if not (grid is None or whole) or not 0 <= seed < 2**32:
        raise UserError(f"seed={seed} is in [0, 2^32), and grid={grid} is the rows and columns of patches, such as (14, 14)")
    if source_from not in ("view", "target"):
        raise UserError(f"source_from={source_from!r} must be view or target")
    draws = Draws(seed, 0, torch.arange(len(images)))
    sequence = ActionSequence(dict(made("action", actions)))
    check_order(sequence.parts)
    try:
        params = sequence.sample(draws.stream("actions"))
        views = sequence.views(images, type(params)(*(side.to(images.device) for side in params)), source_from)
        where = None
        for name, selector in made("target_selector", targets):
            if grid is None:
                raise UserError(f"targets={name} are patches of a grid: give its rows and columns, grid=(14, 14)")
            where = selector.select(draws.stream("targets"), tuple(grid))
    except ValueError as error:
        raise UserError(str(error)) from error
    labels = tuple(f"{name}.{label}" for name, label in zip(sequence.names, sequence.labels, strict=True))
    patches = (None, None) if where is None else (where.context.to(images.device), where.target.to(images.device))
    return MadeViews(*views, labels, *patches)


def made(kind: str, asked: Any) -> Iterable[tuple[str, Any]]:
    """Components by their names, made of what was asked for: a name, options by name, a component, or several of these."""
    if isinstance(asked, Mapping):
        for name, options in asked.items():
            component = load_plugins().component(kind, str(name))
            yield str(name), instance(component, dict(options or {}), str(name))
    elif isinstance(asked, str):
        yield from made(kind, {asked: {}})
    elif isinstance(asked, Component):
        yield asked.name, asked
    elif isinstance(asked, Iterable):
        for one in asked:
            yield from made(kind, one)
    elif asked is not None:
        raise UserError(f"{kind.replace('_', ' ')}s are given by name, with options by name, or made; got a {type(asked).__name__}")
