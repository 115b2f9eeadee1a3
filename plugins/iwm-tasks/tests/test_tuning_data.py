"""Batches with targets: masks go where their images go, each image has its own target, and only seed, epoch and index decide."""

import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_tasks.interfaces import Protocol
from iwm_tasks.tuning.batches import TuneData, validation_batches
from iwm_tasks.tuning.recipe import Augment, Tune, TuneRecipe
from known_tasks import COUNT, BadMasks, Label, Mask, Patches, Shown

from iwm_core.data.order import Schedule
from iwm_core.data.view import centre_boxes, cut, cut_mask
from iwm_core.interfaces import DataSource, Draws
from iwm_core.interfaces.errors import UserError
from iwm_core.process.display import Display
from iwm_core.recipe.config import Launch, View
from iwm_core.run.directory import Run

CPU = torch.device("cpu")
SIZE = 16
RAND = "rand-m9-mstd0.5-inc1"


class Warned(Display):
    def __init__(self):
        self.warnings = []

    def warn(self, text):
        self.warnings.append(text)


@dataclass(kw_only=True)
class Source(DataSource):
    name = "patches"

    def open(self, split):
        raise NotImplementedError


@dataclass(kw_only=True)
class NoProtocol(Protocol):
    name = "none"

    def build(self, parts, tasks):
        raise NotImplementedError


def data(tmp_path, images, tasks, *, workers=0, cache="none", augment="", view=None, seed=1, limit=1.0, display=None):
    recipe = TuneRecipe(
        protocol=NoProtocol(),
        data=Source(cache=cache, max_corrupt=limit),
        view=view or View(),
        augment=Augment(randaugment=augment),
        train=Tune(steps=1, seed=seed),
        launch=Launch(workers=workers),
    )
    tmp_path.mkdir(exist_ok=True)
    return TuneData(recipe, tasks, images, SIZE, Run(tmp_path), CPU, display or Warned(), False)


def batches(tmp_path, images, tasks, *, start=0, stop=6, **settings):
    return list(data(tmp_path, images, tasks, **settings).batches(Schedule(1, COUNT, 8).slices(start, stop, 0, 1)))


def assert_same(one, two):
    assert len(one) == len(two) > 0
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.index, b.index)
        assert a.epoch == b.epoch
        assert a.targets.keys() == b.targets.keys()
        assert all(torch.equal(a.targets[name], b.targets[name]) for name in a.targets)


def agreement(images, masks):
    """The share of pixels whose mask is what the pixel says: light or dark."""
    return float(((images[:, 0] > 0.5) == masks.bool()).float().mean())


def test_a_mask_is_cropped_and_flipped_as_its_image(tmp_path):
    """Light pixels have mask 1, but for edges of patches, where the image is smoothed; a mask elsewhere would agree in half of them."""
    for batch in batches(tmp_path, Patches(), {"m": Mask()}):
        assert batch.targets["m"].dtype == torch.uint8
        assert batch.targets["m"].shape == (8, SIZE, SIZE)
        assert agreement(batch.images, batch.targets["m"]) > 0.93
        assert agreement(batch.images.flip(3), batch.targets["m"]) < 0.8
        assert set(batch.targets["m"].unique().tolist()) == {0, 1}


@given(st.integers(0, 16), st.integers(0, 24), st.integers(1, 24), st.integers(1, 24))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_a_cut_mask_has_the_value_at_the_centre_of_each_new_pixel(top, left, height, width):
    mask = Draws(0, 0, torch.arange(40)).integers(256, 48).to(torch.uint8)
    found = cut_mask(mask, torch.tensor([top, left, height, width]), SIZE)
    for row in range(SIZE):
        for column in range(SIZE):
            y, x = (row + 0.5) * height / SIZE, (column + 0.5) * width / SIZE
            assert found[row, column] == mask[top + int(y), left + int(x)]


def test_a_crop_that_needs_no_resizing_is_exact(tmp_path):
    """Views of sixteen of the thirty-two pixels across: nothing is smoothed, so masks agree everywhere."""
    view = View(scale=[0.25, 0.25], ratio=[1.0, 1.0])
    for batch in batches(tmp_path, Patches(square=True), {"m": Mask()}, view=view):
        assert agreement(batch.images, batch.targets["m"]) == 1


@pytest.mark.parametrize("cache", ["none", "ram"])
@pytest.mark.parametrize(("tasks", "augment"), [({"l": Label(), "s": Shown()}, RAND), ({"l": Label(), "m": Mask()}, "")])
def test_workers_restarts_and_the_cache_change_nothing(tmp_path, cache, tasks, augment):
    images = Patches(corrupt=[5, 11])
    whole = batches(tmp_path / "a", images, tasks, augment=augment)
    assert_same(whole, batches(tmp_path / "b", images, tasks, augment=augment, cache=cache, workers=2))
    for start in 1, 4:
        assert_same(whole[start:], batches(tmp_path / "c", images, tasks, augment=augment, cache=cache, start=start))


def test_a_view_depends_on_seed_epoch_and_index_alone(tmp_path):
    def views(start, stop, **more):
        made = batches(tmp_path, Patches(), {"l": Label()}, start=start, stop=stop, augment=RAND, **more)
        return {int(i): view for batch in made for i, view in zip(batch.index, batch.images, strict=True)}

    first = views(0, 3)
    random.seed(8)
    np.random.seed(8)  # noqa: NPY002
    assert all(torch.equal(view, first[i]) for i, view in views(0, 3).items())
    for other in views(3, 6), views(0, 3, seed=2):
        assert sum(torch.equal(view, first[i]) for i, view in other.items()) < 3


def test_targets_are_those_of_their_images(tmp_path):
    for batch in batches(tmp_path, Patches(), {"l": Label(), "s": Shown()}):
        assert torch.equal(batch.targets["l"], batch.index)
        assert torch.equal(batch.targets["s"], torch.arange(COUNT) % 5 == (batch.index % 4)[:, None])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("cache", ["none", "device"])
def test_in_the_place_of_a_corrupt_image_stands_the_next_with_its_own_target(tmp_path, workers, cache):
    view = View(scale=[1.0, 1.0], ratio=[1.0, 1.0], flip=0.0)
    images = Patches(corrupt=[4, 5, 23], square=True)
    display = Warned()
    made = data(tmp_path, images, {"l": Label(), "m": Mask()}, workers=workers, cache=cache, view=view, display=display)
    standing_in = {4: 6, 5: 6, 23: 0}
    seen = set()
    for batch in made.batches(Schedule(1, COUNT, 8).slices(0, 3, 0, 1)):
        for i, image, label, mask in zip(batch.index.tolist(), batch.images, *batch.targets.values(), strict=True):
            seen.add(i)
            shown = standing_in.get(i, i)
            assert label == shown
            box = torch.tensor([0, 0, 32, 32])
            assert torch.equal(image, cut(images.image(shown), box, SIZE).float() / 255)
            assert torch.equal(mask, cut_mask(images.mask(shown), box, SIZE))
    assert seen == set(range(COUNT))
    assert made.corrupt == 3
    assert len(made) == COUNT
    told = " ".join(display.warnings)
    assert [told.count(f"image {i} (") for i in (4, 5, 23)] == [1, 1, 1], told
    assert f"3 of {COUNT} images so far" in display.warnings[-1]
    count = len(display.warnings)
    again = data(tmp_path, images, {"l": Label()}, cache=cache, display=display)
    assert len(again.quarantine) == 3
    assert len(display.warnings) == count, "a restarted run knows them"


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_whose_mask_is_broken_is_as_corrupt_as_if_it_were_itself(tmp_path, workers):
    made = batches(tmp_path, Patches(no_mask=[4]), {"l": Label(), "m": Mask()}, workers=workers, stop=3)
    labels = {int(i): int(label) for batch in made for i, label in zip(batch.index, batch.targets["l"], strict=True)}
    assert labels == {i: i for i in range(COUNT)} | {4: 5}
    assert {(c.index, c.reason) for batch in made for c in batch.corrupt} == {(4, "a broken mask")}
    assert not batches(tmp_path, Patches(no_mask=[4]), {"l": Label()}, stop=3)[0].corrupt, "nobody asks for the mask"


def test_too_many_corrupt_images_and_none_that_can_be_read(tmp_path):
    made = data(tmp_path, Patches(corrupt=[4, 5, 23]), {"l": Label()}, limit=0.1)
    with pytest.raises(UserError, match=r"3 of 24 images cannot be read, more than data.max_corrupt=0.1"):
        list(made.batches(Schedule(1, COUNT, 8).slices(0, 3, 0, 1)))
    for workers in 0, 2:
        with pytest.raises(UserError, match="^not one of the 24 training images can be read, such as image 0; check the dataset$"):
            batches(tmp_path / "none", Patches(corrupt=range(COUNT)), {"l": Label()}, workers=workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_wrong_target_is_one_line_wherever_it_is_met(tmp_path, workers):
    line = "the mask of image (8|20) has 39 x 48 pixels, but its image 40 x 48: make the mask of its image's size"
    with pytest.raises(UserError, match=f"^{line}$"):
        batches(tmp_path, BadMasks(), {"m": Mask()}, workers=workers)
    with pytest.raises(UserError, match="^image 7 has no label: give it one$"):
        batches(tmp_path, Patches(unlabelled=[7]), {"l": Label()}, workers=workers)
    with pytest.raises(UserError, match="^image 7 has no label: give it one$"):
        exam(Patches(unlabelled=[7]), {"l": Label()}, workers=workers)


def test_rand_augment_and_masks_are_refused(tmp_path):
    with pytest.raises(UserError, match="not the masks of the task m"):
        data(tmp_path, Patches(), {"m": Mask()}, augment=RAND)


def exam(images, tasks, batch=5, workers=0):
    return list(validation_batches(images, tasks, SIZE, batch, workers, CPU, lambda items, label, total: items))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("corrupt", [[], [0, 1, 2, 3, 4, 5, 12], [20, 21, 22, 23]])
def test_validation_shows_the_centre_squares_of_all_that_can_be_read(workers, corrupt):
    """Also where the first or the last batch has nothing but corrupt images."""
    images = Patches(corrupt=corrupt)
    made = exam(images, {"l": Label(), "m": Mask()}, workers=workers)
    kept = [i for i in range(COUNT) if i not in corrupt]
    assert torch.cat([batch.index for batch in made]).tolist() == kept
    assert torch.cat([batch.targets["l"] for batch in made]).tolist() == kept
    assert [(c.index, c.name, c.reason) for b in made for c in b.corrupt] == [(i, f"image {i}", f"broken at byte {i}") for i in corrupt]
    assert all(len(batch.index) for batch in made)
    pixels, masks = torch.cat([b.images for b in made]), torch.cat([b.targets["m"] for b in made])
    for i, image, mask in zip(kept, pixels, masks, strict=True):
        box = centre_boxes(torch.tensor([images.side(i)]))[0]
        assert torch.equal(image, cut(images.image(i), box, SIZE).float() / 255)
        assert torch.equal(mask, cut_mask(images.mask(i), box, SIZE))
    assert agreement(pixels, masks) > 0.9


def test_a_validation_of_which_nothing_can_be_read():
    with pytest.raises(UserError, match="^not one of the 24 validation images can be read, such as image 0; check the dataset$"):
        exam(Patches(corrupt=range(COUNT)), {"l": Label()})
