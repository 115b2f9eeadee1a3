"""What a data source must keep to."""

import pickle

import torch
from torch import Tensor

from iwm_core.interfaces import NOT_COUNTED, CorruptImage, DataSource, Images
from iwm_core.testing.components import check_component
from iwm_core.testing.conduct import conduct

MOST = 32
"""Images looked at in each split."""


def check_data_source(source: DataSource) -> None:
    """Check a data source: documentation, both splits, images, labels, factors and masks, determinism, and that workers can have it.

    Raises:
        AssertionError: the source breaks its contract; the text says how to mend it.
        ValueError: its data cannot be found.
    """
    check_component(source)
    splits = {split: source.open(split) for split in ("train", "validation")}
    for split, images in splits.items():
        check_images(f"{source.name}'s {split} split", images)
    train, validation = splits.values()
    assert train.classes == validation.classes, f"{source.name} must have the same `classes`, in the same order, in both splits"
    assert train.factors == validation.factors, f"{source.name} must have the same `factors` in both splits"
    assert train.mask_classes == validation.mask_classes, f"{source.name} must have the same `mask_classes` in both splits"
    try:
        source.open("no such split")
    except ValueError:
        return
    raise AssertionError(f"{source.name}.open('no such split') must raise a ValueError that names the splits there are")


def check_images(what: str, images: Images) -> None:
    """Check one split.

    Raises:
        AssertionError: it breaks its contract.
    """
    count = len(images)
    assert count > 0, f"{what} has no images: open() must raise a ValueError that says what to set"
    places = torch.arange(min(count, MOST)) * count // min(count, MOST)
    with conduct(f"image() of {what}"):
        pixels = [decoded(images, index) for index in places.tolist()]
    for index, image in zip(places.tolist(), pixels, strict=True):
        check_image(f"image {index} of {what}", image)
    assert any(isinstance(image, Tensor) for image in pixels), f"{what}: not one of {len(pixels)} images can be decoded"
    copy = sent(what, images)
    for index, image, together in zip(places.tolist(), pixels, copy.images(places), strict=True):
        same = torch.equal(image, together) if isinstance(image, Tensor) and isinstance(together, Tensor) else type(image) is type(together)
        assert same, f"{what}: images() must give what image() gives, and a pickled copy the same as the original; image {index} differs"
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


def decoded(images: Images, index: int) -> Tensor | CorruptImage:
    """An image, or the error that it raises."""
    try:
        return images.image(index)
    except CorruptImage as error:
        return error


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
