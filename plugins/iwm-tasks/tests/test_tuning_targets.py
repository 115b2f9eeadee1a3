"""Parts of a split, kept images, and what is looked at before a run begins."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from iwm_tasks.tuning.data import check_targets, part_of
from known_tasks import COUNT, BadMasks, Label, Mask, Patches, Shown

from iwm_core.data.cache import Cache
from iwm_core.data.reading import Reader
from iwm_core.interfaces import CorruptImage
from iwm_core.interfaces.errors import UserError


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
