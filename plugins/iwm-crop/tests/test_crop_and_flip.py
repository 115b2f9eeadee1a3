"""Crop and flip in one recipe: from the source and what is told, the target's place follows, whichever sides are flipped."""

import pytest
import torch
from iwm_crop.crop import Crop
from iwm_crop.flip import Flip

from iwm_core.interfaces import Draws
from iwm_core.interfaces.errors import UserError
from iwm_core.model.actions import ActionSequence, check_order


def test_the_shift_is_told_as_the_source_sees_it():
    """A ramp from left to right is its own map: each pixel's value is its place in the canvas."""
    both = ActionSequence({"crop": Crop(scale=[0.3, 0.5]), "flip": Flip()})
    b, side = 256, 64
    params = both.sample(Draws(3, 0, torch.arange(b)))
    ramp = ((torch.arange(side) + 0.5) / side).expand(b, 3, side, side)
    source, target = both.apply(ramp, params.source), both.apply(ramp, params.target)
    told = both.encode(params.source, params.target)
    right, mirror = told[:, 1] * Crop(scale=[0.3, 0.5]).reach[1], told[:, 4]
    slope = (
        (source[:, 0, 0, -9] - source[:, 0, 0, 8]) / (side - 17) * side
    )  # of the place in the canvas, by the source's width; < 0: flipped
    middle = [view[:, 0, 0, side // 2 - 1 : side // 2 + 1].mean(1) for view in (source, target)]
    assert torch.allclose((middle[1] - middle[0]) / slope, right, atol=0.03)
    flipped = [view[:, 0, 0, -9] < view[:, 0, 0, 8] for view in (source, target)]
    assert torch.equal(mirror > 0, flipped[0] != flipped[1])
    assert 0.3 < flipped[0].float().mean() < 0.7


def test_sides_that_are_equal_are_the_null_action():
    both = ActionSequence({"crop": Crop(), "flip": Flip()})
    source = both.sample(Draws(3, 0, torch.arange(64))).source
    assert both.encode(source, source).abs().max() == 0


def test_flip_before_crop_is_refused():
    check_order({"crop": Crop(), "flip": Flip()})
    check_order({"flip": Flip()})
    with pytest.raises(UserError, match=r"use actions=\[jitter,crop,flip\]"):
        check_order({"jitter": Crop(scale=[1, 1]), "flip": Flip(), "crop": Crop()})
