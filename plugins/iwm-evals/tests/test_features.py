"""What probes are given: the right numbers, from memory that does not grow with the data."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from iwm_devkit.known_model import KnownData, KnownModel
from iwm_evals.probes.features import COLOURS, Labelled, colour, extract, left_out, mapped, raw
from iwm_evals.probes.held_out import held_out
from torch.nn import functional as F

from iwm_core.interfaces import Draws, NotApplicable


def pictures(count: int, height: int, width: int) -> torch.Tensor:
    return Draws(0, 0, torch.arange(count), "pictures").uniform(3 * height * width).unflatten(1, (3, height, width))


def test_features_and_baselines_of_a_split_in_its_order(tmp_path):
    model, data = KnownModel(), KnownData(images=50)
    found = extract(model, data.batches("validation", 50, 16), 50, tmp_path)
    whole = next(data.batches("validation", 50, 50))
    assert torch.allclose(found.inputs[""], model.encode(whole.images).mean(1), atol=1e-6)
    assert torch.equal(found.inputs["raw"], raw(whole.images))
    assert torch.equal(found.inputs["colour"], colour(whole.images))
    assert torch.equal(found.labels, whole.labels)
    assert torch.equal(found.factors, whole.factors)
    assert len(extract(model, data.batches("validation", 20, 16), 20, tmp_path).labels) == 20


def test_raw_pixels_are_shrunk_as_interpolate_shrinks():
    images = pictures(3, 48, 40)
    reference = F.interpolate(images, (16, 16), mode="bicubic", antialias=True).flatten(1)
    assert torch.allclose(raw(images), reference, atol=1e-4)
    small = pictures(3, 12, 8)
    assert torch.allclose(raw(small), small.flatten(1), atol=1e-6)


def test_colours_are_those_that_numpy_counts():
    images = pictures(2, 9, 11)
    images[0, :, 0, 0] = 1.0  # the end of the last cell
    for image, found in zip(images.double().numpy(), colour(images).numpy(), strict=True):
        pixels = image.reshape(3, -1)
        joint, _ = np.histogramdd(pixels.T, bins=(4, 4, 4), range=[(0, 1)] * 3)
        luma, _ = np.histogram(np.array([0.299, 0.587, 0.114]) @ pixels, bins=8, range=(0, 1))
        assert np.allclose(found, np.concatenate([joint.ravel(), luma]) / pixels.shape[1], atol=1e-6)
        assert len(found) == COLOURS == 72


def test_colours_know_not_where_they_are():
    images = pictures(1, 10, 10)
    order = Draws(1, 0, torch.zeros(1, dtype=torch.int64), "order").permutation(100)[0]
    assert torch.equal(colour(images), colour(images.flatten(2)[:, :, order].unflatten(2, (10, 10))))
    assert not torch.equal(raw(images), raw(images.flatten(2)[:, :, order].unflatten(2, (10, 10))))
    assert not torch.equal(colour(images), colour(images.flip(1)))


def test_files_have_no_name_and_live_as_long_as_their_tensor(tmp_path):
    file = mapped((3, 4), torch.float16, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not file.any()
    file[1] = 2.5
    part = file[1:]
    del file
    assert torch.equal(part, torch.tensor([[2.5] * 4, [0.0] * 4], dtype=torch.float16))


def test_images_that_cannot_be_read_leave_no_rows(tmp_path):
    batches = list(KnownData(images=30).batches("validation", 30, 10))
    found = extract(KnownModel(), iter(batches[:1] + batches[2:]), 30, tmp_path)
    assert [len(part) for part in (*found.inputs.values(), found.labels, found.factors)] == [20] * 5


class Nan(KnownModel):
    def encode(self, images):
        return super().encode(images).masked_fill(torch.arange(48) == 7, torch.nan)


def test_what_cannot_be_measured_is_told(tmp_path):
    data = KnownData(images=12)
    with pytest.raises(ValueError, match="not finite numbers; has training diverged"):
        extract(Nan(), data.batches("validation", 12, 4), 12, tmp_path)
    with pytest.raises(ValueError, match="none of the images could be read"):
        extract(KnownModel(), iter(()), 12, tmp_path)


def test_images_without_a_class_are_left_out():
    data = KnownData(images=12)
    (batch,) = data.batches("validation", 12, 12)
    labels = torch.tensor([-1] * 4 + [0, 1, 2, -1] * 2)
    batches = [batch._replace(labels=labels).take(slice(start, start + 4)) for start in (0, 4, 8)]
    known = Labelled(batches, 3)
    kept = list(known)
    assert known.others == 6
    assert left_out(6, 6) == "; 6 of 12 validation images have no class that training knows, and are left out"
    assert left_out(0, 6) == ""
    assert torch.cat([part.labels for part in kept]).tolist() == [0, 1, 2] * 2
    assert torch.equal(torch.cat([part.images for part in kept]), batch.images[labels >= 0])
    with pytest.raises(NotApplicable, match="no image of this data has a class"):
        list(Labelled(batches[:1], 3))
    with pytest.raises(ValueError, match="has the class 2, and this data names 2 classes"):
        list(Labelled(batches, 2))


def test_a_tenth_is_held_out_at_random():
    held = held_out(1000, 0)
    assert int(held.sum()) == 100
    assert int(held_out(19, 0).sum()) == 1
    assert 20 < int(held[:500].sum()) < 80, "of both halves"
    assert len({int(place) % 10 for place in held.nonzero()[:, 0]}) == 10
    assert torch.equal(held, held_out(1000, 0))
    assert not torch.equal(held, held_out(1000, 1))
    with pytest.raises(NotApplicable, match="at least 10 training images, and there are 9"):
        held_out(9, 0)


IMAGES, WIDTH = 6000, 1600
MEMORY = f"""
import sys, threading, torch
from pathlib import Path
from iwm_devkit.known_model import KnownData, KnownModel, quiet
from iwm_evals.attentive import AttentiveProbe
from iwm_evals.probe import Probe

class Wide(KnownModel):
    def encode(self, images):
        return super().encode(images).repeat(1, 1, {WIDTH} // 48 + 1)[:, :, :{WIDTH}]

peak, measured = [0, 0], threading.Event()
def watch():
    while not measured.wait(0.002):
        lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        peak[:] = [max(old, int(lines[name].split()[0]) / 1024) for old, name in zip(peak, ("RssAnon", "RssFile"))]

grid = dict(lrs=[0.1], epochs=1, chunk=100)
torch.set_num_threads(1)
threading.Thread(target=watch).start()
for evaluator in Probe(weight_decays=[0.0], **grid), AttentiveProbe(head="linear", train_images=0, **grid):
    for images in {IMAGES} // 2, {IMAGES}:
        peak[:] = [0, 0]
        with torch.no_grad():
            evaluator.evaluate(Wide(), KnownData(train=images, images=20), Path(sys.argv[1]), quiet)
        print(*peak)
measured.set()
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data(tmp_path):
    """Twice the images: the files grow by all that is written, the memory that only this process has by less than a third of it."""
    freed = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}  # goes back to the system at once
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **freed}
    command = [sys.executable, "-c", MEMORY, str(tmp_path)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    sizes = [tuple(map(float, line.split())) for line in out.splitlines()]
    for (small, small_files), (large, large_files), each in zip(sizes[::2], sizes[1::2], (4, 4 * 2), strict=True):
        grown = 0.5 * IMAGES * WIDTH * each / 2**20  # the mean of four tokens, four bytes a number; or all four, two bytes a number
        assert large_files - small_files > 0.9 * grown, "the features were in the files"
        assert large - small < grown / 3
