"""What evaluators see of the data: images spread over the split, the centre square of each, corrupt ones left out and told."""

import gc

import numpy as np
import pytest
import torch
from iwm_evals.measuring.evaluate import OPEN, data_of
from iwm_evals.measuring.run_data import RunData
from PIL import Image

from iwm_core.cli.main import dispatch
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import Run

CPU = torch.device("cpu")


def smooth(seed, height, width):
    """A smooth picture, so that rounding is all that two resizes can differ by."""
    coarse = np.random.default_rng(seed).integers(30, 226, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def folder(tmp_path):
    """Images of two sizes: 30 and 34 for training, 10 and 14 for validation."""
    for split, counts in (("train", {"a": 30, "b": 34}), ("validation", {"a": 10, "b": 14})):
        for label, count in counts.items():
            (tmp_path / "images" / split / label).mkdir(parents=True)
            for i in range(count):
                smooth(i + 100 * (label == "b"), 40 + i % 2 * 13, 47 - i % 3 * 6).save(tmp_path / "images" / split / label / f"{i:02}.png")
    return tmp_path / "images"


@pytest.fixture
def data(tiny, folder):
    def make(*overrides):
        config, _ = compose("tiny", ["data=folder", f"data.path={folder}", *overrides])
        return RunData(thaw(config), CPU)

    return make


def paths(folder, split="validation"):
    return sorted((folder / split).rglob("*.png"))


def indices(batches):
    return [i for batch in batches for i in batch.index.tolist()]


@pytest.mark.parametrize(("count", "size"), [(24, 7), (1000, 24), (5, 2), (12, 12), (23, 5), (1, 9)])
def test_images_are_spread_evenly_over_the_split(data, count, size):
    batches = list(data().batches("validation", count, size))
    seen = indices(batches)
    kept = min(count, 24)
    assert seen == sorted(set(seen))
    assert len(seen) == kept
    assert seen[0] == 0
    assert {b - a for a, b in zip(seen, [*seen[1:], 24], strict=True)} <= {24 // kept, -(-24 // kept)}
    assert [len(b.index) for b in batches] == [size] * (kept // size) + ([kept % size] if kept % size else [])


def test_both_classes_are_seen_in_their_share(data):
    """Folders are sorted by class: the first images of a split are of one class."""
    labels = torch.cat([batch.labels for batch in data().batches("validation", 12, 4)])
    assert labels.bincount().tolist() == [5, 7]


@pytest.mark.parametrize("workers", [0, 2])
def test_pixels_are_the_centre_square(data, folder, workers):
    """As Pillow crops and resizes it, within 2 of 255; index and label belong to it."""
    files = paths(folder)
    seen = 0
    for batch in data(f"launch.workers={workers}").batches("validation", 24, 5):
        assert batch.images.dtype == torch.float32
        assert 0 <= batch.images.min() <= batch.images.max() <= 1
        for index, image, label in zip(batch.index.tolist(), batch.images, batch.labels.tolist(), strict=True):
            picture = Image.open(files[index])
            side = min(picture.size)
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            wanted = picture.crop((left, top, left + side, top + side)).resize((16, 16), Image.Resampling.BICUBIC)
            assert np.abs(image.permute(1, 2, 0).numpy() * 255 - np.asarray(wanted, dtype=float)).max() <= 2
            assert label == ["a", "b"].index(files[index].parent.name)
            seen += 1
    assert seen == 24


def test_an_image_does_not_depend_on_how_many_are_asked(data):
    run = data()
    assert run.count("validation") == 24
    assert run.count("train") == 64
    assert run.classes == ("a", "b")
    all_images = {i: image for b in run.batches("train", 64, 64) for i, image in zip(b.index.tolist(), b.images, strict=True)}
    for batch in run.batches("train", 20, 3):
        for i, image in zip(batch.index.tolist(), batch.images, strict=True):
            assert torch.equal(image, all_images[i])


def test_corrupt_images_are_left_out_and_told(data, folder):
    files = paths(folder)
    for i in (0, 7, 23):
        files[i].write_bytes(files[i].read_bytes()[:200])
    run = data("data.max_corrupt=0.5")
    batches = list(run.batches("validation", 24, 4))
    assert indices(batches) == [i for i in range(24) if i not in (0, 7, 23)]
    assert [len(b.images) for b in batches] == [len(b.labels) for b in batches] == [3, 3, 4, 4, 4, 3]
    assert torch.cat([b.labels for b in batches]).bincount().tolist() == [8, 13]
    told = sorted(run.corrupt)
    assert len(told) == 3
    for i, one in zip((0, 7, 23), told, strict=True):
        assert one.index == i
        assert files[i].name in one.name
        assert one.reason


def test_a_batch_of_corrupt_images_is_left_out_whole(data, folder):
    files = paths(folder)
    for i in range(4, 8):
        files[i].write_bytes(b"")
    batches = list(data("data.max_corrupt=0.5").batches("validation", 24, 4))
    assert indices(batches) == [*range(4), *range(8, 24)]
    assert all(len(b.images) == 4 for b in batches)


@pytest.mark.parametrize("broken", [2, 24])
def test_more_corrupt_images_than_allowed(data, folder, broken):
    for path in paths(folder)[:broken]:
        path.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"of 24 validation images cannot be read, more than data.max_corrupt=0.05 allows; one is .*00.png"):
        list(data("data.max_corrupt=0.05").batches("validation", 24, 4))


def test_each_split_is_held_to_its_own_share(data, folder):
    """Two corrupt training images of 64 are few, and say nothing about 24 whole validation images."""
    for path in paths(folder, "train")[:2]:
        path.write_bytes(b"no image")
    run = data("data.max_corrupt=0.05")
    assert len(indices(run.batches("train", 64, 16))) == 62
    assert len(indices(run.batches("validation", 24, 16))) == 24
    assert len(run.corrupt) == 2


def test_a_run_without_evaluators_needs_no_validation_images(tiny, folder):
    words = ["recipe=tiny", "data=folder", f"data.path={folder / 'train'}", "data.holdout=0", "evaluators=[]", "run=r"]
    assert dispatch(["train", *words]) == 0


def counted(run, split="validation"):
    """Counts the images that are read of a split; returns the list of how many at a time."""
    reader, read = run.split(split), []
    whole = reader.read
    reader.read = lambda index: read.append(len(index)) or whole(index)
    return read


@pytest.mark.parametrize("cache", ["ram", "none"])
def test_images_kept_for_training_are_read_once_and_stay_the_same(data, folder, cache):
    """Whatever is asked for in which batches; a corrupt one is left out each time, and told once."""
    files = paths(folder)
    files[5].write_bytes(b"")
    run, other = (data("data.max_corrupt=0.5", "launch.workers=0", f"data.cache={cache}") for _ in range(2))
    read = counted(run)
    list(run.batches("validation", 12, 5))
    assert sum(read) == 12
    for count, size in ((24, 7), (24, 24), (12, 4), (5, 2)):
        again, anew = list(run.batches("validation", count, size)), list(other.batches("validation", count, size))
        assert [len(batch.index) for batch in again] == [len(batch.index) for batch in anew]
        for kept, fresh in zip(again, anew, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(kept[:4], fresh[:4], strict=True))
    assert len(run.corrupt) == 1
    assert sum(read) == (12 + 24 if cache == "ram" else 12 + 24 + 24 + 12 + 5)


def test_no_more_squares_are_kept_than_there_is_room_for(data, monkeypatch):
    monkeypatch.setattr("iwm_evals.measuring.run_data.MOST_KEPT", 24 * 3 * 16 * 16 - 1)
    run = data("data.cache=ram", "launch.workers=0")
    read = counted(run)
    for _ in range(2):
        list(run.batches("validation", 24, 24))
    assert read == [24, 24]


def test_what_is_done_to_a_batch_does_not_change_what_is_kept(data):
    run = data("data.cache=ram", "launch.workers=0")
    first = [batch for _ in range(2) for batch in run.batches("validation", 24, 24)]
    before = [part.clone() for part in first[-1][:4]]
    for batch in first:
        for part in batch[:4]:
            part.zero_()
    again = next(iter(run.batches("validation", 24, 24)))
    assert all(torch.equal(a, b) for a, b in zip(again[:4], before, strict=True))


def test_measurements_of_an_open_run_share_its_data(data, tmp_path):
    """Of another recipe, which `iwm eval` may change, or another run, nothing is shared; with a run, its data goes."""
    recipe, other = data().recipe, data().recipe
    run = Run(tmp_path)
    shared = data_of(run, recipe, CPU)
    assert data_of(run, recipe, CPU) is shared
    assert data_of(Run(tmp_path), recipe, CPU) is not shared
    assert data_of(run, other, CPU) is not shared
    assert data_of(run, other, CPU).recipe is other
    open_before = len(OPEN)
    del run
    gc.collect()
    assert len(OPEN) < open_before
