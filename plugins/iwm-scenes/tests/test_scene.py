"""The factors: their values, their distributions, their independence of the shape and of one another."""

import hashlib
import math

import numpy as np
import pytest
import torch
from iwm_scenes.scene import RANGES, TEXTURE_NAMES
from iwm_scenes.shapes import REACH
from iwm_scenes.source import SceneImages, Scenes

COUNT = 6000


@pytest.fixture(scope="module")
def scenes() -> SceneImages:
    return Scenes(train=COUNT).open("train")


@pytest.fixture(scope="module")
def units(scenes: SceneImages) -> dict[str, np.ndarray]:
    """Each factor brought back to [0, 1) by the documented ranges."""
    table = torch.stack([scenes.factor(index) for index in range(COUNT)]).double().numpy()
    factors = dict(zip((f.name for f in scenes.factors), table.T, strict=True))
    room = 0.5 - REACH * factors["size"]
    units = {"shape": factors["shape"] / 10, "texture": factors["texture"] / len(TEXTURE_NAMES)}
    units |= {name: (factors[name] - 0.5 + room) / (2 * room) for name in ("x", "y")}
    units |= {name: factors[name] for name in ("hue", "rotation", "light_azimuth", "background_hue")}
    units |= {name: (factors[name] - low) / (high - low) for name, (low, high) in RANGES.items()}
    assert units.keys() | {"objects"} == {f.name for f in scenes.factors}
    return units


def chi_square_limit(freedom: int) -> float:
    """The value that a chi-square variable exceeds with probability 3e-5 (Wilson and Hilferty's approximation)."""
    return freedom * (1 - 2 / (9 * freedom) + 4 * math.sqrt(2 / (9 * freedom))) ** 3


def test_every_factor_is_uniform(units: dict[str, np.ndarray]) -> None:
    for name, unit in units.items():
        assert unit.min() > -1e-5, name
        assert unit.max() < 1 + 1e-5, name
        counts = np.bincount(np.clip((unit + 1e-6) * 10, 0, 9).astype(int), minlength=10)
        if name == "texture":
            counts = counts[::2]
        expected = COUNT / len(counts)
        assert np.sum((counts - expected) ** 2 / expected) < chi_square_limit(len(counts) - 1), name


def test_every_factor_is_independent_of_the_shape(units: dict[str, np.ndarray]) -> None:
    shape = np.rint(units["shape"] * 10).astype(int)
    for name in units.keys() - {"shape"}:
        levels = np.clip((units[name] + 1e-6) * 5, 0, 4).astype(int)
        counts = np.bincount(shape * 5 + levels, minlength=50).reshape(10, 5)
        expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / COUNT
        assert np.sum((counts - expected) ** 2 / expected) < chi_square_limit(9 * 4), name


def test_factors_are_uncorrelated(units: dict[str, np.ndarray]) -> None:
    correlation = np.corrcoef(np.stack(list(units.values())))
    assert abs(correlation - np.eye(len(units))).max() < 4.5 / math.sqrt(COUNT)


def test_golden_factors() -> None:
    images = Scenes(objects=[1, 4], seed=7).open("validation")
    table = torch.stack([images.factor(index) for index in (0, 1, 255, 256, 1023)])
    assert table[0, :9].tolist() == pytest.approx(GOLDEN_FIRST, rel=1e-6)
    assert hashlib.sha256(table.numpy().astype("<f4").tobytes()).hexdigest() == GOLDEN_HASH


GOLDEN_FIRST = [7, 0, 0.8804233, 0.66317844, 0.5848381, 0.7388976, 0.2556982, 0.20775843, 0.72183597]
GOLDEN_HASH = "e993272c44659683a3ef7e413ffc6a7824ebead03417f8d7e5db02432e240311"


def test_several_objects_are_whole_apart_and_the_label_is_the_largest() -> None:
    images = Scenes(train=300, size=128, objects=[1, 5]).open("train")
    seen = set()
    for index in range(len(images)):
        things = images.scene(index).things
        seen.add(len(things))
        assert images.factor(index)[[f.name for f in images.factors].index("objects")] == len(things)
        assert images.label(index) == things[0].shape
        assert max(things, key=lambda thing: thing.size) is things[0]
        for number, thing in enumerate(things):
            reach = REACH * thing.size
            assert reach <= min(thing.x, thing.y, 1 - thing.x, 1 - thing.y) + 1e-9
            for other in things[:number]:
                assert max(abs(thing.x - other.x), abs(thing.y - other.y)) >= reach + REACH * other.size - 1e-9
        mask = images.mask(index)
        for shape in range(10):
            sides = [128 * thing.size for thing in things if thing.shape == shape]
            pixels = (mask == 1 + shape).sum().item()
            assert pixels == pytest.approx(sum(side**2 for side in sides), abs=2 * sum(sides))  # up to half a pixel around
    assert seen == {1, 2, 3, 4, 5}


def test_the_main_object_does_not_depend_on_how_many_others_there_may_be() -> None:
    few, many = Scenes(objects=[2, 2]).open("train"), Scenes(objects=[2, 3]).open("train")
    assert all(few.scene(index).things[0] == many.scene(index).things[0] for index in range(100))
    assert {len(many.scene(index).things) for index in range(100)} == {2, 3}
