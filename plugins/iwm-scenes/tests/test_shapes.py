"""The shapes: equal area, centred, within reach, true distances at the outline, and distinct from one another."""

import numpy as np
import pytest
from iwm_scenes.shapes import REACH, SHAPES

STEP = 0.005
AXIS = np.arange(-1.2, 1.2, STEP) + STEP / 2
X, Y = np.meshgrid(AXIS, AXIS)


@pytest.mark.parametrize("name", SHAPES)
def test_area_is_one_centred_and_within_reach(name: str) -> None:
    distance = SHAPES[name](X, Y)
    cover = np.clip(0.5 - distance / STEP, 0, 1) * STEP**2
    assert cover.sum() == pytest.approx(1, abs=1e-3)
    assert (cover * X).sum() == pytest.approx(0, abs=5e-4)
    assert (cover * Y).sum() == pytest.approx(0, abs=5e-4)
    assert np.hypot(X, Y)[distance < 0].max() < REACH


@pytest.mark.parametrize("name", SHAPES)
def test_distance_grows_by_one_a_unit_length_at_the_outline(name: str) -> None:
    distance = SHAPES[name](X, Y)
    slope = np.hypot(*np.gradient(distance, STEP))
    outline = abs(distance) < STEP
    # Not at corners, where the outline has no one direction: a few per cent of it, a step or two around each.
    assert np.mean(abs(slope[outline] - 1) < 0.02) > 0.9


def test_no_shape_is_a_turned_copy_of_another() -> None:
    axis = np.arange(-1, 1, 0.02)
    x, y = np.meshgrid(axis, axis)
    turns = 2 * np.pi * np.arange(60) / 60
    turned = {
        name: np.stack([shape(x * np.cos(t) + y * np.sin(t), y * np.cos(t) - x * np.sin(t)).ravel() < 0 for t in turns]).astype(np.float32)
        for name, shape in SHAPES.items()
    }
    for name, masks in turned.items():
        for other in SHAPES.keys() - {name}:
            shared = masks @ turned[other][0]
            overlap = shared / (masks.sum(1) + turned[other][0].sum() - shared)
            assert overlap.max() < 0.87, (name, other)


@pytest.mark.parametrize(
    ("name", "mirror_only_left_right"), [("triangle", True), ("heart", True), ("arrow", True), ("star", True), ("disc", False)]
)
def test_unrotated_shapes_stand_upright(name: str, mirror_only_left_right: bool) -> None:
    shape = SHAPES[name]
    np.testing.assert_allclose(shape(X, Y), shape(-X, Y), atol=1e-9)
    assert (abs(shape(X, Y) - shape(X, -Y)).max() > 0.05) == mirror_only_left_right
