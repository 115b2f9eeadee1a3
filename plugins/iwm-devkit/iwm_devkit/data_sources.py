"""What a data source must keep to."""

import pickle
from collections.abc import Callable

import torch
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage, DataSource, Images, Observed
from iwm_devkit.components import NAME, check_component
from iwm_devkit.conduct import conduct
from iwm_devkit.fitting import fitting

MOST = 32
"""Images looked at in each split."""


def check_data_source(source: DataSource) -> None:
    """Check a data source: documentation, both splits, images, labels, factors, masks and pairs, determinism, workers.

    Raises:
        AssertionError: the source breaks its contract; the text says how to mend it.
        Unfit: its data cannot be found.
    """
    check_component(source)
    with fitting():
        splits = {split: source.open(split) for split in ("train", "validation")}
    check_observed(source)
    for split, images in splits.items():
        check_images(f"{source.name}'s {split} split", images)
        if source.observed is not None:
            check_pairs(f"{source.name}'s {split} split", images, source.observed)
    train, validation = splits.values()
    assert train.classes == validation.classes, f"{source.name} must have the same `classes`, in the same order, in both splits"
    assert train.factors == validation.factors, f"{source.name} must have the same `factors` in both splits"
    assert train.mask_classes == validation.mask_classes, f"{source.name} must have the same `mask_classes` in both splits"
    try:
        source.open("no such split")
    except ValueError:
        return
    raise AssertionError(f"{source.name}.open('no such split') must raise a ValueError that names the splits there are")


def check_observed(source: DataSource) -> None:
    """Check what a source says of the action that its pairs show."""
    observed = source.observed
    if observed is None:
        return
    what = f"{source.name}.observed"
    assert NAME.fullmatch(observed.name), f"{what}.name {observed.name!r} must be lower-case letters, digits and _"
    labels = observed.labels
    assert labels, f"{what}.labels must have one text for each number of action()"
    assert len(set(labels)) == len(labels), f"{what}.labels must differ from each other, got {labels}"
    for name in ("low", "high", "mirror"):
        values = getattr(observed, name)
        assert len(values) in (0, len(labels)), f"{what}.{name} must have one number for each label, or be empty; got {values}"
    low, high = observed.low or [-1] * len(labels), observed.high or [1] * len(labels)
    ordered = all(least < most for least, most in zip(low, high, strict=True))
    assert ordered, f"{what}.low must lie below {what}.high, number by number"
    assert set(observed.mirror) <= {1, -1}, f"{what}.mirror must be 1 or -1 for each number, got {observed.mirror}"


def check_pairs(what: str, images: Images, observed: Observed) -> None:
    """Check the targets and actions of one split of pairs."""
    places, actions = spread(images), []
    with conduct(f"target() and action() of {what}"):
        targets = [decoded(images.target, index) for index in places.tolist()]
        actions = [decoded(images.action, index) for index in places.tolist()]
    copy = sent(what, images)
    for index, target, together, action in zip(places.tolist(), targets, copy.targets(places), actions, strict=True):
        check_image(f"target {index} of {what}", target)
        assert alike(target, together), f"{what}: targets() must give what target() gives, also in a pickled copy; target {index} differs"
        image = decoded(images.image, index)
        if isinstance(image, Tensor) and isinstance(target, Tensor):
            assert image.shape == target.shape, (
                f"target {index} of {what} must be as large as its image, got {list(target.shape)} and {list(image.shape)}"
            )
        if isinstance(action, CorruptImage):
            continue
        assert action.shape == (len(observed.labels),), (
            f"action {index} of {what} must be [{len(observed.labels)}], one for each of observed.labels, got {list(action.shape)}"
        )
        assert action.dtype == torch.float32, f"action {index} of {what} must be float32, got {action.dtype}"
        assert action.isfinite().all(), f"action {index} of {what} must be finite numbers"
        low, high = (torch.tensor(bound or [end] * len(action)) for bound, end in ((observed.low, -1.0), (observed.high, 1.0)))
        inside = (action >= low - 1e-5).all() and (action <= high + 1e-5).all()
        assert inside, f"action {index} of {what} must lie between observed.low and observed.high, got {action.tolist()}"
        assert torch.equal(action, copy.action(index)), f"action() of {what} must give the same again"
    moved = any(isinstance(action, Tensor) and action.any() for action in actions)
    assert moved, f"no pair of {what} shows an action: all of {len(actions)} are zeros, which mean that nothing happened"


def check_images(what: str, images: Images) -> None:
    """Check one split.

    Raises:
        AssertionError: it breaks its contract.
    """
    assert len(images) > 0, f"{what} has no images: open() must raise a ValueError that says what to set"
    places = spread(images)
    with conduct(f"image() of {what}"):
        pixels = [decoded(images.image, index) for index in places.tolist()]
    for index, image in zip(places.tolist(), pixels, strict=True):
        check_image(f"image {index} of {what}", image)
    assert any(isinstance(image, Tensor) for image in pixels), f"{what}: not one of {len(pixels)} images can be decoded"
    copy = sent(what, images)
    for index, image, together in zip(places.tolist(), pixels, copy.images(places), strict=True):
        assert alike(image, together), (
            f"{what}: images() must give what image() gives, and a pickled copy the same as the original; image {index} differs"
        )
        assert images.describe(index).strip(), f"describe() must say what to call image {index} of {what}"
        check_knowledge(f"image {index} of {what}", images, index, image)


def sent(what: str, images: Images) -> Images:
    """The split as a data worker gets it."""
    try:
        return pickle.loads(pickle.dumps(images))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise AssertionError(
            f"{what} must be picklable, as data workers get a copy: keep no open files, locks, generators or lambdas in it; {error}"
        ) from error


def spread(images: Images) -> Tensor:
    """Indices of at most `MOST` images, evenly over a split."""
    count = len(images)
    return torch.arange(min(count, MOST)) * count // min(count, MOST)


def decoded(read: Callable[[int], Tensor], index: int) -> Tensor | CorruptImage:
    """An image, or the error that it raises."""
    try:
        return read(index)
    except CorruptImage as error:
        return error


def alike(one: Tensor | CorruptImage, other: Tensor | CorruptImage) -> bool:
    """Whether both are the same image, or both are none."""
    return torch.equal(one, other) if isinstance(one, Tensor) and isinstance(other, Tensor) else type(one) is type(other)


def check_image(what: str, image: Tensor | CorruptImage) -> None:
    """Check the pixels of an image."""
    if isinstance(image, CorruptImage):
        assert str(image).strip(), f"{what} is corrupt, and its CorruptImage must say why"
        return
    assert image.dtype == torch.uint8, f"{what} must be uint8, got {image.dtype}"
    assert image.ndim == 3, f"{what} must be [3, h, w], got {list(image.shape)}"
    assert image.shape[0] == 3, f"{what} must be [3, h, w] in RGB, got {list(image.shape)}"
    assert image.numel() > 0, f"{what} has no pixels: raise CorruptImage instead"


def check_knowledge(what: str, images: Images, index: int, image: Tensor | CorruptImage) -> None:
    """Check what is known of an image: label, labels, factors, mask."""
    label = images.label(index)
    assert isinstance(label, int), f"the label of {what} must be an int, got {type(label).__name__}"
    assert -1 <= label < len(images.classes), (
        f"the label of {what} must be a place in `classes`, or -1 where there is none; got {label}, with {len(images.classes)} classes"
    )
    shown = images.labels(index)
    if shown is not None:
        fits = shown.shape == (len(images.classes),) and shown.dtype == torch.bool
        assert fits, (
            f"labels() of {what} must be bool [{len(images.classes)}], one for each of `classes`, got {shown.dtype} {list(shown.shape)}"
        )
    values = images.factor(index)
    assert values.shape == (len(images.factors),), (
        f"factor() of {what} must be [{len(images.factors)}], one for each of `factors`, got {list(values.shape)}"
    )
    for factor, value in zip(images.factors, values.tolist(), strict=True):
        assert factor.kind in ("number", "turn", "class"), (
            f"the factor {factor.name!r} must be a number, turn or class, not {factor.kind!r}"
        )
        known = factor.kind != "class" or (value == int(value) and 0 <= value < len(factor.values))
        assert known, f"the factor {factor.name!r} of {what} must be a place in its `values`, got {value}"
    mask = None if isinstance(image, CorruptImage) else images.mask(index)
    if mask is not None and isinstance(image, Tensor):
        assert mask.dtype == torch.uint8, f"the mask of {what} must be uint8, got {mask.dtype}"
        assert mask.shape == image.shape[1:], (
            f"the mask of {what} must have its height and width {list(image.shape[1:])}, got {list(mask.shape)}"
        )
        strange = sorted({int(value) for value in mask.unique()} - {*range(len(images.mask_classes)), NOT_COUNTED})
        assert not strange, (
            f"the mask of {what} must hold places in `mask_classes` or {NOT_COUNTED}, which does not count; it has {strange[0]}"
        )
