"""What an action must keep to (PAPER §4)."""

import torch
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws
from iwm_core.testing.components import check_component
from iwm_core.testing.conduct import check_compiles, check_device, conduct

BATCH = 6


def check_action(action: Action, size: int = 24) -> None:
    """Check an action: documentation, shapes, range, identity, null action, purity, images apart from each other, devices, compilation.

    Args:
        action: the action.
        size: side of the test images in pixels; images of odd sides are tried, too.

    Raises:
        AssertionError: the action breaks its contract; the text says how to mend it.
    """
    check_component(action)
    check_transformation(action, size)


def check_transformation(action: Action, size: int = 24) -> None:
    """`check_action` without what makes it a component.

    Raises:
        AssertionError: the action breaks its contract.
    """
    rest = action.identity
    assert rest.ndim == 1, f"identity must be one row of parameters, [p], got {list(rest.shape)}"
    assert rest.dtype == torch.float32, f"identity must be float32, got {rest.dtype}"
    assert rest.device.type == "cpu", "identity must be on the CPU: it is made when the class is"
    labels = action.labels
    assert isinstance(labels, tuple), f'labels must be a tuple of texts, got {labels!r}; a tuple of one is ("label",)'
    assert len(set(labels)) == len(labels), f"labels must differ from each other, got {labels}"
    params = check_sample(action)
    images = smooth_images(BATCH, size)
    check_apply(action, images, params)
    check_apply(action, smooth_images(BATCH, size + 1), params)
    check_encode(action, params)
    draws = Draws(0, 0, torch.arange(BATCH))
    check_device("sample()", lambda device: action.sample(Draws(0, 0, torch.arange(BATCH, device=device))))
    check_device(
        "apply()", lambda device: [action.apply(torch.ones(images.shape, device=device), torch.ones(BATCH, len(rest), device=device))]
    )
    check_device("encode()", lambda device: [action.encode(*(torch.ones(BATCH, len(rest), device=device) for _ in range(2)))])
    check_compiles("apply()", action.apply, images, action.sample(draws).source)


def check_sample(action: Action) -> ActionParams:
    """Check `sample`; returns parameters that it drew."""
    b, p = BATCH, len(action.identity)
    draws = Draws(0, 0, torch.arange(b))
    with conduct("sample()"):
        params = action.sample(draws.stream("x"))
    for side, drawn in zip(params._fields, params, strict=True):
        assert drawn.shape == (b, p), f"sample().{side} must be [b, p] = [{b}, {p}] (p: len(identity)), got {list(drawn.shape)}"
        assert drawn.dtype == torch.float32, f"sample().{side} must be float32, got {drawn.dtype}"
        assert drawn.isfinite().all(), f"sample().{side} must be finite"
    again, alone = action.sample(draws.stream("x")), action.sample(Draws(0, 0, torch.arange(2, 3)).stream("x"))
    for side, one, two, three in zip(params._fields, params, again, alone, strict=True):
        pure = torch.equal(one, two)
        assert pure, f"sample().{side} must be a pure function of its draws: take every random number from `draws`"
        own = torch.equal(one[2:3], three)
        assert own, f"sample().{side} of an image must not depend on its batch: take its random numbers from `draws`, row by row"
    if not action.changes_target:
        kept = torch.equal(params.target, action.identity.expand(b, -1))
        assert kept, "with changes_target = False, sample() must return `identity` for every target"
    return params


def check_apply(action: Action, images: Tensor, params: ActionParams) -> None:
    """Check `apply` on images."""
    b, _, height, width = images.shape
    for drawn in params:
        with conduct("apply()", images, drawn):
            result = action.apply(images, drawn)
        assert result.ndim == 4, f"apply() must return images [b, 3, h, w], got {list(result.shape)}"
        assert result.shape[:2] == (b, 3), (
            f"apply() must return as many images with as many channels, got {list(result.shape)} of {list(images.shape)}"
        )
        assert result.dtype == torch.float32, f"apply() must return float32, got {result.dtype}"
        assert result.isfinite().all(), "apply() must return finite images: mind divisions by 0 and powers of 0"
        assert result.min() >= 0, "apply() must return images in [0, 1]: clamp"
        assert result.max() <= 1, "apply() must return images in [0, 1]: clamp"
        single = torch.cat([action.apply(images[i : i + 1], drawn[i : i + 1]) for i in range(b)])
        assert single.shape == result.shape, "apply() must return images of one size for a batch and for its images one by one"
        assert torch.allclose(single, result, atol=1e-5), (
            "each image must be transformed by its own parameters alone: a batch must equal its images one by one"
        )
    left = action.apply(images, action.identity.expand(b, -1))
    if left.shape[2:] == (height, width):
        assert torch.allclose(left, images, atol=1e-5), "apply() with `identity` must leave images as they are"


def check_encode(action: Action, params: ActionParams) -> None:
    """Check `encode` on drawn parameters."""
    b, a = len(params.source), len(action.labels)
    rest = action.identity.expand(b, -1)
    with conduct("encode()", *params):
        code = action.encode(params.source, params.target)
    assert code.shape == (b, a), f"encode() must give one number for each label, [b, a] = [{b}, {a}], got {list(code.shape)}"
    assert code.dtype == torch.float32, f"encode() must give float32, got {code.dtype}"
    assert code.isfinite().all(), "encode() must give finite numbers"
    assert code.abs().max() <= 2, (
        f"encode() must give numbers about in [-1, 1], got {code.abs().max():.2f}: divide by the parameters' range"
    )
    assert action.encode(rest, rest).abs().max() == 0, "encode(identity, identity) must be zeros, the null action"
    moved = any(not torch.equal(side, rest) for side in params)
    assert code.abs().max() > 0 or not moved, "encode() must tell the predictor something: it gives zeros for parameters that change images"
    alone = action.encode(params.source[:1], params.target[:1])
    assert torch.allclose(alone, code[:1], atol=1e-6), "encode() of a pair must not depend on its batch"


def smooth_images(b: int, size: int) -> Tensor:
    """Random smooth images in [0, 1], float32 [b 3 size size]: something to transform."""
    coarse = Draws(0, 0, torch.arange(b), "images").uniform(48).reshape(b, 3, 4, 4)
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
