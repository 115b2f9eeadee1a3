"""Crop, resize and flip a batch of images, each image with a box of its own; cut images into patches.

Decisions:
- Resampling is separable and linear, so a crop with a resize is two matrix products an image: ``rows @ image @ columns.T``. The whole
  batch is two batched products, on any device, differentiable in images and boxes, without a Python loop over images.
- The kernel is the bicubic one with a = -0.5 (Keys, "Cubic convolution interpolation", 1981), widened by the shrink factor so that
  shrinking averages instead of aliasing: what PIL and ``torch.nn.functional.interpolate(antialias=True)`` compute.
- Pixels outside the box do not leak in: a pixel's weight is multiplied by the share of it that lies inside the box, and the weights
  of an output pixel are scaled to sum to one. Boxes on pixel edges thus give exactly crop-then-resize; others move continuously.
- Nothing is clamped. The kernel overshoots at edges; the caller knows whether its images must stay in [0, 1].
- Columns go first: the channels of an image are then one tall matrix, as the product wants it, and on 4:3 photographs the other
  order saves under a tenth of the arithmetic.
- Weights are worked out for the pixels under the kernel only and then spread into the matrix; worked out for every pixel, they took
  twice as long as the products.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def crop_resize(images: Float[Tensor, "b c h w"], boxes: Float[Tensor, "b 4"], size: int | tuple[int, int]) -> Float[Tensor, "b c h2 w2"]:
    """The part of each image inside its box, resized to ``size`` with an antialiased bicubic filter.

    Args:
        images: any range of values; the output may overshoot it by a little, clamp where that matters.
        boxes: top, left, height and width in pixels of the input, fractions allowed; height and width above 0 and at most the
            image's. Where a box reaches beyond its image, the image's edge is repeated.
        size: rows and columns of the output, or one number for a square.
    """
    return resample(images, *box_weights(boxes, images.shape[2:], size))


def box_weights(
    boxes: Float[Tensor, "b 4"], shape: Sequence[int], size: int | tuple[int, int]
) -> tuple[Float[Tensor, "b h2 h"], Float[Tensor, "b w2 w"]]:
    """What `crop_resize` multiplies images of ``shape`` (height, width) with; it may be made of several batches at once."""
    (top, left, box_height, box_width), (height, width) = boxes.unbind(1), (size, size) if isinstance(size, int) else size
    return resampling_weights(top, box_height, shape[0], height), resampling_weights(left, box_width, shape[1], width)


def resample(
    images: Float[Tensor, "b c h w"], rows: Float[Tensor, "b h2 h"], columns: Float[Tensor, "b w2 w"]
) -> Float[Tensor, "b c h2 w2"]:
    """Each image between the weights of its rows and of its columns."""
    narrow = torch.bmm(images.flatten(1, 2), columns.to(images.dtype).transpose(1, 2)).unflatten(1, images.shape[1:3])
    return torch.matmul(rows.to(images.dtype)[:, None], narrow)


def resampling_weights(
    start: Float[Tensor, "b"], length: Float[Tensor, "b"], inputs: int, outputs: int
) -> Float[Tensor, "b {outputs} {inputs}"]:
    """What each of ``inputs`` pixels gives to each of ``outputs`` pixels spread over [start, start + length); every row sums to 1."""
    start, step = start[:, None, None], (length / outputs)[:, None, None]
    widening = step.clamp(min=1)
    centre = start + (torch.arange(outputs, device=start.device, dtype=start.dtype)[:, None] + 0.5) * step
    taps = torch.arange(math.ceil(4 * max(1, inputs / outputs)), device=start.device)
    pixel = (centre - 2 * widening - 0.5).ceil() + taps
    inside = (torch.minimum(pixel + 1, start + step * outputs) - torch.maximum(pixel, start)).clamp(0, 1)
    weight = bicubic((pixel + 0.5 - centre) / widening) * inside
    weight = weight / weight.sum(2, keepdim=True)
    # Only the few pixels under the kernel are worked out; the weights of those beyond the image go to its edge.
    return weight.new_zeros(*weight.shape[:2], inputs).scatter_add(2, pixel.long().clamp(0, inputs - 1), weight)


def bicubic(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Keys' cubic kernel with a = -0.5: one at 0, zero at the other whole numbers and beyond 2."""
    x = x.abs().clamp(max=2)
    return torch.where(x < 1, (1.5 * x - 2.5) * x * x + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2)


def flip(images: Float[Tensor, "b c h w"], flags: Bool[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
    """Mirror left and right the images whose flag is set."""
    return torch.where(flags[:, None, None, None], images.flip(3), images)


def patches(images: Float[Tensor, "b 3 h w"], grid: tuple[int, int]) -> Float[Tensor, "b n p"]:
    """The pixels of each patch of a grid, row by row; the image is resized where the grid does not divide it."""
    b, _, h, w = images.shape
    rows, columns = (max(1, side // count) for side, count in zip((h, w), grid, strict=True))
    fitting = (rows * grid[0], columns * grid[1])
    if fitting != (h, w):
        images = crop_resize(images, torch.tensor([0.0, 0.0, h, w], device=images.device).expand(b, 4), fitting)
    return images.unfold(2, rows, rows).unfold(3, columns, columns).permute(0, 2, 3, 1, 4, 5).flatten(3).flatten(1, 2)
