"""Answers of dense tasks as pictures: a mask of classes and how sure each pixel is.

Decisions:
- A mask has the size of its (upright) image, so that it can be laid over it. The model sees the centre square alone: pixels outside it
  hold `NOT_COUNTED`, as in masks of data.
- Probabilities are resized, then the likeliest class is taken: edges are smooth, and no class appears that nobody named. It is done class
  by class, so that many classes on a large image take little memory.
- Colours are those of PASCAL VOC, which the field's tools know: bit 0, 3, 6, … of a value are the high bits of red, the next ones of
  green, the next of blue. Value 0 is black.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from iwm_core.data.view import centre_boxes
from iwm_core.interfaces import NOT_COUNTED


class Mask(NamedTuple):
    """The classes of an image's pixels.

    Attributes:
        classes: the likeliest class of each pixel, or `NOT_COUNTED`.
        confidence: its probability, 255 for 1; 0 where the model does not look.
    """

    classes: UInt8[Tensor, "h w"]
    confidence: UInt8[Tensor, "h w"]


def make_mask(probabilities: Float[Tensor, "o s s"], size: tuple[int, int]) -> Mask:
    """The mask of an image of ``size`` (height, width), from what was answered for its centre square."""
    top, left, side, _ = centre_boxes(torch.tensor([size]))[0].tolist()
    likeliest, best = torch.zeros(side, side, dtype=torch.uint8), torch.full((side, side), -1.0)
    for value, probability in enumerate(probabilities):
        resized = F.interpolate(probability[None, None], size=(side, side), mode="bilinear", antialias=True, align_corners=False)[0, 0]
        likeliest[resized > best] = value
        best = torch.maximum(best, resized)
    mask = Mask(torch.full(size, NOT_COUNTED, dtype=torch.uint8), torch.zeros(size, dtype=torch.uint8))
    box = slice(top, top + side), slice(left, left + side)
    mask.classes[box], mask.confidence[box] = likeliest, best.clamp(0, 1).mul(255).round().byte()
    return mask


def colour(value: int) -> tuple[int, int, int]:
    """Red, green and blue of a class, in 0 to 255."""
    red, green, blue = (sum((value >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8)) for channel in range(3))
    return red, green, blue


def save_png(pixels: UInt8[Tensor, "h w"], path: Path, coloured: bool = False) -> None:
    """Write a PNG that is whole or not there: of values with `colour`s, or of greys.

    Raises:
        OSError: it cannot be written.
    """
    image = Image.fromarray(pixels.numpy())
    if coloured:
        image.putpalette([part for value in range(256) for part in colour(value)])
    partial = path.with_name(".partial")
    image.save(partial, format="PNG")
    partial.replace(path)
