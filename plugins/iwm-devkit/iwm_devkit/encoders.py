"""What an encoder must keep to."""

from contextlib import suppress

import torch

from iwm_core.interfaces import Encoder, EncoderComponent
from iwm_core.interfaces.draws import Draws
from iwm_devkit.actions import smooth_images
from iwm_devkit.components import check_component
from iwm_devkit.fitting import Unfit, fitting
from iwm_devkit.modules import check_module

BATCH = 3
SIZES = (64, 56, 96, 224)
"""Sides of images that encoders are tried with, as patches of 14 pixels do not divide 64."""


def check_encoder(component: EncoderComponent, image_size: int | None = None) -> None:
    """Check an encoder: documentation, width and grid, shapes, kept patches, and all that every module keeps to.

    Args:
        component: the component that builds it. Small options make it fast, as ``ViT(width=32, depth=2, heads=2)``.
        image_size: pixels of the square test images, by default the first of `SIZES` that it can be built for.

    Raises:
        AssertionError: the encoder breaks its contract; the text says how to mend it.
        Unfit: it cannot be built for this size.
    """
    check_component(component)
    what = component.name
    image_size = image_size or fitting_size(component)
    with fitting():
        encoder = component.build(image_size)
    assert isinstance(encoder, Encoder), f"{what}.build() must return an iwm_core.interfaces.Encoder, got {type(encoder).__name__}"
    width, grid = getattr(encoder, "width", None), getattr(encoder, "grid", None)
    assert isinstance(width, int), f"{what} needs `width`, the embedding dimension, set in __init__"
    assert isinstance(grid, tuple), f"{what} needs `grid`, rows and columns of patches as a tuple, set in __init__"
    assert len(grid) == 2, f"{what}.grid must be (rows, columns), got {grid}"
    rows, columns = grid
    n, k = rows * columns, max(rows * columns // 2, 1)
    images = smooth_images(BATCH, image_size)
    keep = Draws(0, 0, torch.arange(BATCH)).permutation(n)[:, :k].sort(dim=1).values
    module = check_module(what, lambda: component.build(image_size), lambda m, x: m(x), (images,), (BATCH, n, width))
    check_module(what, lambda: component.build(image_size), lambda m, x, kept: m(x, kept), (images, keep), (BATCH, k, width))
    with torch.no_grad():
        everything = torch.arange(n).expand(BATCH, n)
        same = torch.allclose(module(images, everything), module(images), atol=1e-4)
        assert same, f"{what} must give the same tokens when all patches are kept as when `keep` is None"
        order = torch.arange(k).flip(0)
        follows = torch.allclose(module(images, keep[:, order]), module(images, keep)[:, order], atol=1e-4)
        assert follows, f"{what} must give tokens in the order of `keep`"
        seen = torch.zeros(BATCH, n).scatter(1, keep, 1.0).reshape(BATCH, 1, rows, columns)
        visible = torch.nn.functional.interpolate(seen, size=images.shape[2:], mode="nearest") > 0
        blind = torch.allclose(module(torch.where(visible, images, 1 - images), keep), module(images, keep), atol=1e-4)
        assert blind, f"{what} must not see the patches that `keep` leaves out: gather the kept ones before anything mixes them"


def fitting_size(component: EncoderComponent) -> int:
    """The first of `SIZES` that an encoder can be built for; the last where there is none."""
    for size in SIZES:
        with suppress(Unfit), fitting():
            component.build(size)
            return size
    return SIZES[-1]
