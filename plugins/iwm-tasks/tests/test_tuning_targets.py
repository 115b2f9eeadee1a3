"""Parts of a split, kept images, and what is looked at before a run begins."""

import math
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from iwm_data.cache import Cache
from iwm_evals.statistics.bootstrap import bootstrap
from iwm_tasks.comparison.interval import interval_over
from iwm_tasks.tasks.classify import Classify
from iwm_tasks.tasks.segment import Segment
from iwm_tasks.tuning.batches import check_targets, part_of
from iwm_tasks.tuning.tune import task_in_words
from iwm_tasks.tuning.tuned import Tuned
from known_tasks import COUNT, BadMasks, Label, Mask, Patches, Shown

from iwm_core.data.reading import Reader
from iwm_core.interfaces import CorruptImage
from iwm_core.interfaces.errors import UserError
from iwm_core.run.directory import Run


def test_a_part_is_spread_evenly_and_is_its_images():
    images = Patches(corrupt=[5])
    for count in 0, COUNT, COUNT + 1:
        assert part_of(images, count) is images
    for count in 1, 5, 7, 23:
        part = part_of(images, count)
        chosen = [part.label(i) for i in range(len(part))]
        assert len(chosen) == count
        assert chosen == sorted(set(chosen))
        assert max(b - a for a, b in pairwise([*chosen, COUNT])) <= -(-COUNT // count)
        for i, whole in enumerate(chosen):
            assert part.describe(i) == images.describe(whole)
            assert torch.equal(part.mask(i), images.mask(whole))
            assert torch.equal(part.labels(i), images.labels(whole))
            assert torch.equal(part.factor(i), images.factor(whole))
            if whole != 5:
                assert torch.equal(part.image(i), images.image(whole))
        assert [isinstance(one, CorruptImage) for one in part.images(torch.arange(count))] == [i == 5 for i in chosen]
        assert (part.classes, part.factors, part.mask_classes) == (images.classes, images.factors, images.mask_classes)


@pytest.mark.parametrize("workers", [0, 2])
def test_kept_images_are_the_same_and_read_once(workers):
    images = part_of(Patches(corrupt=[6, 12]), 20)
    kept = Cache(Reader(images), workers, lambda items, label, total: items)
    expected = list(images.images(torch.arange(20)))
    images.whole.corrupt.update(range(COUNT))
    found = list(kept.images(torch.arange(20)))
    for one, two in zip(found, expected, strict=True):
        assert str(one) == str(two) if isinstance(two, CorruptImage) else torch.equal(one, two)
    assert [c.index for c in kept.corrupt] == [i for i, one in enumerate(expected) if isinstance(one, CorruptImage)] != []
    assert torch.equal(kept.image(3), expected[3])


def test_kept_images_that_do_not_fit_into_memory(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=50_000))
    with pytest.raises(UserError, match=r"data.cache needs 0.0 GB, but 0.0 GB of memory are free; use data.cache=none"):
        Cache(Reader(Patches()), 0, lambda items, label, total: items)


NAMES = {"l": Patches.classes, "m": Patches.mask_classes, "s": Patches.classes}


def test_targets_without_a_fault():
    images, tasks = Patches(corrupt=[3], no_mask=[0]), {"l": Label(), "m": Mask()}
    assert check_targets(images, tasks, NAMES, "train") == []


def test_classes_without_an_image():
    images = part_of(Patches(), 23)
    assert check_targets(images, {"l": Label()}, NAMES, "train") == ["class 'c23' has no training image: it cannot be learned"]
    assert check_targets(images, {"l": Label()}, NAMES, "validation") == []
    (line,) = check_targets(images, {"s": Shown()}, NAMES, "train")
    assert line == "4 classes have no training image ('c4', 'c9', 'c14', …): they cannot be learned"


def test_faulty_targets_are_counted():
    with pytest.raises(UserError, match="^image 7 has no label: give it one$"):
        check_targets(Patches(unlabelled=[7]), {"l": Label()}, NAMES, "train")
    with pytest.raises(UserError, match=r"^image 7 has no label: give it one \(3 of 24 training images are so\)$"):
        check_targets(Patches(unlabelled=[7, 9, 21]), {"l": Label()}, NAMES, "train")
    with pytest.raises(UserError, match=r"pixels, but its image 32 x 32: .* \(4 of 16 validation images looked at are so\)$"):
        check_targets(AllBadMasks(), {"m": Mask()}, NAMES, "validation")


class AllBadMasks(BadMasks):
    def mask(self, index):
        return Patches.mask(self, index)[:, 1:] if index % 6 == 3 else Patches.mask(self, index)


def test_classes_that_the_model_does_not_know():
    few = {"l": Patches.classes[:20], "m": ("dark",)}
    with pytest.raises(
        UserError, match=r"^image 20 has the class 20, and the task l knows 0 to 19: .* \(4 of 24 validation images are so\)$"
    ):
        check_targets(Patches(), {"l": Label()}, few, "validation")
    with pytest.raises(UserError, match=r"^image 0 has the class 1, and the task m knows 0 to 0: "):
        check_targets(Patches(), {"m": Mask()}, few, "train")


class NoPixelCounts(Patches):
    def mask(self, index):
        return torch.full_like(Patches.mask(self, index), 255)


class OneClass(Patches):
    def mask(self, index):
        return Patches.mask(self, index).zero_()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_masks_of_which_no_pixel_counts_are_refused(split):
    with pytest.raises(UserError, match=r"^no pixel of the masks of 16 \w+ images looked at counts for the task m, .*data.mask_ignore$"):
        check_targets(NoPixelCounts(), {"m": Mask()}, NAMES, split)
    assert check_targets(NoPixelCounts(corrupt=range(COUNT)), {"m": Mask()}, NAMES, split) == [], "corrupt images are told otherwise"


def test_classes_without_a_mask_are_told_where_all_masks_are_looked_at():
    warning = ["class 'light' has no training image: it cannot be learned"]
    assert check_targets(part_of(OneClass(), 16), {"m": Mask()}, NAMES, "train") == warning
    assert check_targets(OneClass(), {"m": Mask()}, NAMES, "train") == [], "another mask may show it"


def test_an_image_of_an_unknown_class_is_told_as_such():
    class Unknown(Patches):
        def label(self, index):
            return -1

        def why_unlabelled(self, index):
            return "training has no class u, but a, b"

    for images, name in (Unknown(), "image 0"), (part_of(Unknown(), 5), "image 0"):
        with pytest.raises(ValueError, match=rf"^{name} has no label \(training has no class u, but a, b\); label it or take it out"):
            Classify().target(images, 0)


def test_a_task_that_is_not_available_is_said_to_be(tmp_path):
    rows = torch.zeros(4, 6)
    metrics = bootstrap(Segment().metrics, rows, 0, 20, Segment.possible)
    assert all(math.isnan(number) for metric in metrics.values() for number in metric[:3])
    model, run = Tuned.__new__(Tuned), Run.__new__(Run)
    vars(model)["tasks"], vars(run)["path"] = {"segment": Segment()}, tmp_path
    assert task_in_words("segment", model, metrics, run) == "segment: miou not available on 4 images"
    over = interval_over([rows, rows], lambda part: Segment().metrics(part)["miou"], 20, 0, 1)
    assert all(math.isnan(number) for number in over[:3])
