"""Ready-made tasks: each fits the scenes, and says of an image what is in it."""

from pathlib import Path

import iwm_scenes
import pytest
import torch
import yaml
from iwm_scenes.source import Scenes

from iwm_core import installed

FOLDER = Path(iwm_scenes.__file__).parent / "recipes" / "tasks"
IMAGES = Scenes(objects=[1, 4], train=400).open("train")
CLASSES = {"shape": 10, "texture": 5, "colour": 6, "count": 4}


def task(name):
    fields = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return installed("task", fields.pop("name"))(**fields)


def targets(name):
    return torch.stack([task(name).target(IMAGES, index) for index in range(len(IMAGES))])


def test_the_plugin_brings_them():
    assert iwm_scenes.iwm_recipe_dirs() == [FOLDER.parent]
    assert {path.stem for path in FOLDER.iterdir()} == {*CLASSES, "factors"}


@pytest.mark.parametrize("name", [*CLASSES, "factors"])
def test_each_is_put_where_its_name_says(name):
    assert (FOLDER / f"{name}.yaml").read_text().startswith(f"# @package tasks.{name}\n")


@pytest.mark.parametrize(("name", "classes"), CLASSES.items())
def test_all_classes_occur_about_alike(name, classes):
    assert len(task(name).outputs(IMAGES)) == classes
    counts = torch.bincount(targets(name), minlength=classes)
    assert len(counts) == classes
    expected = len(IMAGES) / classes
    assert (counts - expected).abs().max() < 4 * expected**0.5


def test_they_say_what_is_in_an_image():
    for index in range(50):
        scene = IMAGES.scene(index)
        thing = scene.things[0]
        assert int(task("shape").target(IMAGES, index)) == thing.shape
        assert int(task("texture").target(IMAGES, index)) == thing.texture
        assert int(task("count").target(IMAGES, index)) == len(scene.things) - 1
        assert abs((int(task("colour").target(IMAGES, index)) / 6 - thing.hue + 0.5) % 1 - 0.5) <= 1 / 12


def test_numbers_of_one_object_fill_their_ranges():
    images = Scenes(train=400).open("train")
    factors = task("factors")
    found = torch.stack([factors.target(images, index) for index in range(len(images))])
    numbers = found[:, : len(factors.of)]
    assert (numbers.abs() < 1.3).all()
    assert (numbers.std(0) > 0.3).all()
