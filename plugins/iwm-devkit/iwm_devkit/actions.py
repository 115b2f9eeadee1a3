"""What an action must keep to (PAPER §4)."""

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, Transformation
from iwm_devkit.components import check_component
from iwm_devkit.conduct import check_compiles, check_device, conduct, line_of

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
    check_units(action)
    check_extremes(action)


def check_units(action: Action) -> None:
    """Check how parameters are written in words.

    Raises:
        AssertionError: there is not one format for each label and parameter, or one cannot write a number.
    """
    units = action.units
    if not units:
        return
    sizes = f"got {len(units)} for {len(action.labels)} labels and {len(action.identity)} parameters"
    assert len(units) == len(action.labels) == len(action.identity), f"units are one for each label and parameter, or none; {sizes}"
    for unit in units:
        try:
            unit.format(0.5)
        except (ValueError, IndexError, KeyError, AttributeError) as error:
            raise AssertionError(f"units are formats of one number, such as '×{{:.2f}}' or '{{:+.0f}}°'; got {unit!r}") from error


def check_transformation(action: Transformation, size: int = 24) -> None:
    """`check_action` without what makes it a component: also of several in sequence.

    Raises:
        AssertionError: the action breaks its contract.
    """
    kind = type(action).__name__
    rest, labels = getattr(action, "identity", None), getattr(action, "labels", None)
    assert isinstance(rest, Tensor), f"{kind}.identity must be the parameters that leave an image as it is, as torch.zeros(1); got {rest!r}"
    assert rest.ndim == 1, f"identity must be one row of parameters, [p], got {list(rest.shape)}"
    assert rest.dtype == torch.float32, f"identity must be float32, got {rest.dtype}"
    assert rest.device.type == "cpu", "identity must be on the CPU: it is made when the class is"
    assert isinstance(labels, tuple), f'{kind}.labels must be a tuple of texts, got {labels!r}; a tuple of one is ("label",)'
    assert len(set(labels)) == len(labels), f"labels must differ from each other, got {labels}"
    params = check_sample(action)
    images = smooth_images(BATCH, size)
    check_apply(action, images, params)
    check_apply(action, smooth_images(BATCH, size + 1), params)
    check_effect(action, images, params)
    if type(action).apply_target is not Transformation.apply_target:
        check_apply(action, images, params, "apply_target()", action.apply_target)
    check_candidates(action)
    check_encode(action, params)
    draws = Draws(0, 0, torch.arange(BATCH))
    check_device("sample()", lambda device: action.sample(Draws(0, 0, torch.arange(BATCH, device=device))))
    check_device(
        "apply()", lambda device: [action.apply(torch.ones(images.shape, device=device), torch.ones(BATCH, len(rest), device=device))]
    )
    check_device("encode()", lambda device: [action.encode(*(torch.ones(BATCH, len(rest), device=device) for _ in range(2)))])
    check_compiles("apply()", action.apply, images, action.sample(draws).source)


def check_sample(action: Transformation) -> ActionParams:
    """Check `sample`; returns parameters that it drew."""
    b, p = BATCH, len(action.identity)
    draws = Draws(0, 0, torch.arange(b))
    with conduct("sample()"):
        params = action.sample(draws.stream("x"))
    assert isinstance(params, ActionParams), f"sample() must return ActionParams(source, target), got {type(params).__name__}"
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


def check_effect(action: Transformation, images: Tensor, params: ActionParams) -> None:
    """Check that parameters which are not the identity's ever change an image."""
    told = [side for side in params if not torch.equal(side, action.identity.expand(len(side), -1))]
    results = [action.apply(images, side) for side in told]
    changed = any(result.shape != images.shape or not torch.equal(result, images) for result in results)
    assert changed or not told, "apply() leaves images as they are, whatever sample() draws: does it use its params?"


def check_candidates(action: Transformation) -> None:
    """Check the parameters that planning searches among."""
    b, p = BATCH, len(action.identity)
    with conduct("candidates()"):
        found, again = (action.candidates(Draws(0, 0, torch.arange(b), "candidates")) for _ in range(2))
    fits = isinstance(found, Tensor) and found.shape == (b, p) and bool(found.isfinite().all())
    assert fits, f"candidates() must be finite parameters [b, p] = [{b}, {p}], as those of a target"
    assert torch.equal(found, again), "candidates() must be a pure function of its draws: take every random number from `draws`"


def check_apply(
    action: Transformation,
    images: Tensor,
    params: ActionParams,
    what: str = "apply()",
    apply: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> None:
    """Check `apply`, or what stands in its place for targets, on images."""
    apply = apply or action.apply
    b, _, height, width = images.shape
    for drawn in params:
        with conduct(what, images, drawn):
            try:
                result = apply(images, drawn)
            except RuntimeError as error:
                raise AssertionError(
                    f"{what} fails on images {list(images.shape)} with params {list(drawn.shape)}: params have one row an image, and "
                    f"`params[:, :1, None, None]` broadcasts over an image; {line_of(error)}{error}"
                ) from error
        assert isinstance(result, Tensor), f"{what} must return the images, got {type(result).__name__}: is a `return` missing?"
        assert result.ndim == 4, f"{what} must return images [b, 3, h, w], got {list(result.shape)}"
        assert result.shape[:2] == (b, 3), (
            f"{what} must return as many images with as many channels, got {list(result.shape)} of {list(images.shape)}"
        )
        assert result.dtype == torch.float32, f"{what} must return float32, got {result.dtype}"
        assert result.isfinite().all(), f"{what} must return finite images: mind divisions by 0 and powers of 0"
        low, high = float(result.min()), float(result.max())
        assert 0 <= low <= high <= 1, f"{what} must return images in [0, 1]: clamp; got {low:.3g} to {high:.3g}"
        single = torch.cat([apply(images[i : i + 1], drawn[i : i + 1]) for i in range(b)])
        assert single.shape == result.shape, f"{what} must return images of one size for a batch and for its images one by one"
        assert torch.allclose(single, result, atol=1e-5), (
            "each image must be transformed by its own parameters alone: a batch must equal its images one by one"
        )
    left = apply(images, action.identity.expand(b, -1))
    if left.shape[2:] == (height, width):
        assert torch.allclose(left, images, atol=1e-5), f"{what} with `identity` must leave images as they are"


def check_encode(action: Transformation, params: ActionParams) -> None:
    """Check `encode` on drawn parameters."""
    b, a = len(params.source), len(action.labels)
    rest = action.identity.expand(b, -1)
    with conduct("encode()", *params):
        code = action.encode(params.source, params.target)
    assert isinstance(code, Tensor), f"encode() must return numbers [b, a], got {type(code).__name__}: is a `return` missing?"
    assert code.shape == (b, a), f"encode() must give one number for each label, [b, a] = [{b}, {a}], got {list(code.shape)}"
    assert code.dtype == torch.float32, f"encode() must give float32, got {code.dtype}"
    assert code.isfinite().all(), "encode() must give finite numbers"
    assert code.abs().max() <= 2, (
        f"encode() must give numbers about in [-1, 1], got {code.abs().max():.2f}: divide by the parameters' range"
    )
    assert action.encode(rest, rest).abs().max() == 0, "encode(identity, identity) must be zeros, the null action"
    for side in params:
        assert action.encode(side, side).abs().max() == 0, (
            "encode() of equal sides must be zeros, the null action: equal parameters make equal images; take the source into account"
        )
    moved = any(not torch.equal(side, rest) for side in params)
    assert code.abs().max() > 0 or not moved, "encode() must tell the predictor something: it gives zeros for parameters that change images"
    alone = action.encode(params.source[:1], params.target[:1])
    assert torch.allclose(alone, code[:1], atol=1e-6), "encode() of a pair must not depend on its batch"
    for source, target in ((params.source, params.target), (rest, rest)):
        slope = gradient(lambda leaf, source=source: action.encode(source, leaf), target)
        assert slope.isfinite().all(), (
            "encode() must have finite gradients, which planning follows: mind divisions by 0 and powers of 0, also under where()"
        )


def check_extremes(action: Action) -> None:
    """Check that parameters and encoding are finite numbers also where an option is the least or the most that it can be."""
    for field in dataclasses.fields(action):
        for end in ("low", "high"):
            value = field.metadata.get(end)
            if value is None or isinstance(getattr(action, field.name), list):
                continue
            try:
                extreme = dataclasses.replace(action, **{field.name: type(getattr(action, field.name) or value)(value)})
            except ValueError:
                continue  # it does not go with the other options
            params = extreme.sample(Draws(0, 0, torch.arange(BATCH)))
            finite = all(numbers.isfinite().all() for numbers in (*params, extreme.encode(*params)))
            assert finite, (
                f"{type(action).__name__}.{field.name}={value:g} makes parameters or encode() that are not finite: mind a division "
                f"by it, or narrow the option's range"
            )


def gradient(function: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """The gradient of the sum of a function's numbers; 0 where they do not depend on its inputs."""
    with torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        return torch.autograd.grad(function(leaf).sum() + 0 * leaf.sum(), leaf)[0]


def smooth_images(b: int, size: int) -> Tensor:
    """Random smooth images in [0, 1], float32 [b 3 size size]: something to transform."""
    coarse = Draws(0, 0, torch.arange(b), "images").uniform(48).reshape(b, 3, 4, 4)
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
