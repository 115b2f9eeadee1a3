"""Conformance checks for components: the whole test of an action plugin is ``check_action(Gamma())``.

Plain functions with assertions; each message says what is wrong and how to mend it.
"""

import torch
from torch import Tensor

from iwm_core.interfaces import Action, Draws, Targets, TargetSelector


def check_action(action: Action, size: int = 24) -> None:
    """Check the contract of an action: shapes, range, identity, null action, determinism, purity, independence of samples.

    Args:
        action: the action.
        size: side of the test images in pixels.

    Raises:
        AssertionError: the action breaks its contract.
    """
    b, p, a = 6, len(action.identity), len(action.labels)
    draws = Draws(0, 0, torch.arange(b))
    images = smooth_images(b, size)
    assert (action.__doc__ or "").strip(), "the class needs a docstring: it is the component's description"
    params = action.sample(draws.stream("x"))
    for side, drawn in zip(params._fields, params, strict=True):
        assert drawn.shape == (b, p), f"sample().{side} must be [b, p] = [{b}, {p}] (p: len(identity)), got {list(drawn.shape)}"
        assert drawn.dtype == torch.float32, f"sample().{side} must be float32, got {drawn.dtype}"
    again = action.sample(draws.stream("x"))
    assert torch.equal(params.source, again.source), "sample() must be a pure function of its draws: take every random number from `draws`"
    assert torch.equal(params.target, again.target), "sample() must be a pure function of its draws: take every random number from `draws`"
    before = images.clone()
    generator = torch.get_rng_state()
    result = action.apply(images, params.source)
    assert torch.equal(torch.get_rng_state(), generator), "apply() must use no random numbers; draw them in sample()"
    assert torch.equal(images, before), "apply() must leave its input unchanged: avoid in-place operations on `images`"
    assert result.min() >= 0, "apply() must return images in [0, 1]: clamp"
    assert result.max() <= 1, "apply() must return images in [0, 1]: clamp"
    rest = action.identity.expand(b, -1)
    if result.shape == images.shape:
        left = action.apply(images, rest)
        assert torch.allclose(left, images, atol=1e-5), "apply() with `identity` must leave images as they are"
    single = torch.cat([action.apply(images[i : i + 1], params.source[i : i + 1]) for i in range(b)])
    assert torch.allclose(single, result, atol=1e-5), (
        "each image must be transformed by its own parameters alone: a batch must equal its images one by one"
    )
    code = action.encode(params.source, params.target)
    assert code.shape == (b, a), f"encode() must give one number for each label, [b, a] = [{b}, {a}], got {list(code.shape)}"
    assert code.isfinite().all(), "encode() must give finite numbers"
    assert code.abs().max() <= 2, (
        f"encode() must give numbers about in [-1, 1], got {code.abs().max():.2f}: divide by the parameters' range"
    )
    assert action.encode(rest, rest).abs().max() == 0, "encode(identity, identity) must be zeros, the null action"
    if not action.changes_target:
        assert torch.equal(params.target, rest), "with changes_target = False, sample() must return `identity` for every target"


def check_target_selector(selector: TargetSelector, grid: tuple[int, int] = (12, 12)) -> None:
    """Check the contract of a target selector: fixed sizes, range, order, disjointness, determinism, independence of samples.

    Raises:
        AssertionError: the selector breaks its contract.
    """
    n = grid[0] * grid[1]
    where = selector.select(Draws(0, 0, torch.arange(64)), grid)
    assert (selector.__doc__ or "").strip(), "the class needs a docstring: it is the component's description"
    assert where.context.ndim == 2, f"context must be [b, k], got {list(where.context.shape)}"
    assert where.target.ndim == 3, f"target must be [b, m, t], got {list(where.target.shape)}"
    for name, index in zip(Targets._fields, where, strict=True):
        assert index.dtype == torch.int64, f"{name} must be int64, got {index.dtype}"
        assert index.shape[-1] > 0, f"{name} must not be empty: raise a ValueError instead"
        assert index.min() >= 0, f"{name} must be indices in [0, {n})"
        assert index.max() < n, f"{name} must be indices in [0, {n})"
        assert (index.diff(dim=-1) > 0).all(), f"{name} must be ascending, without repeats"
    shared = where.context[:, None, :, None] == where.target[:, :, None, :]
    assert selector.predicts_context or not shared.any(), (
        "a patch must not be context and target at once, unless the property predicts_context says so"
    )
    other = selector.select(Draws(1, 3, torch.arange(500, 564)), grid)
    for name, one, two in zip(Targets._fields, where, other, strict=True):
        assert one.shape == two.shape, f"{name} must have one size for the whole run, got {list(one.shape)} and {list(two.shape)}"
    alone = selector.select(Draws(0, 0, torch.tensor([5])), grid)
    for name, one, batch in zip(Targets._fields, alone, where, strict=True):
        assert torch.equal(one[0], batch[5]), f"{name} of a sample must not depend on its batch: take every random number from `draws`"


def smooth_images(b: int, size: int) -> Tensor:
    """Random smooth images in [0, 1], float32 [b 3 size size]: something to transform."""
    coarse = Draws(0, 0, torch.arange(b), "images").uniform(48).reshape(b, 3, 4, 4)
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
