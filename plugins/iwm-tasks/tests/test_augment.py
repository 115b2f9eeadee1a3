"""RandAugment and mixing: what timm draws depends on the run's own numbers alone, and mixing does what its papers define."""

import random

import numpy as np
import pytest
import torch
from iwm_tasks.tuning.augment import Mixer, check_augment, rand_augment
from iwm_tasks.tuning.recipe import Augment
from known_tasks import Label, Mask

from iwm_core.interfaces import Draws
from iwm_core.interfaces.errors import UserError

NAME = "rand-m9-mstd0.5-inc1"


def pictures(count=6, size=24):
    return Draws(1, 0, torch.arange(count)).integers(256, 3 * size * size).to(torch.uint8).reshape(count, 3, size, size)


def draws(index, epoch=0, seed=0):
    return Draws(seed, epoch, torch.tensor(index))


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def test_rand_augment_is_a_function_of_seed_epoch_and_index():
    augment, images = rand_augment(NAME, 24), pictures(1).expand(40, -1, -1, -1)
    before = states()
    whole = augment(images, draws(range(40)))
    assert states() == before
    assert (whole.shape, whole.dtype) == (images.shape, torch.uint8)
    random.seed(77)
    np.random.seed(77)  # noqa: NPY002
    some = augment(images[:3], draws([7, 30, 0]))
    assert torch.equal(some, whole[[7, 30, 0]])
    assert torch.equal(augment(images[:1], draws([7])), whole[[7]])
    for other in (draws(range(40), epoch=1), draws(range(40), seed=1)):
        assert not torch.equal(augment(images, other), whole)


def test_rand_augment_changes_most_images_in_many_ways_and_leaves_its_input():
    """Two operations, each left out with probability one half: a quarter of the images stay; 5 standard deviations of 200 are 31."""
    image = pictures(1)
    images = image.expand(200, -1, -1, -1).clone()
    changed = rand_augment("rand-m9-inc1", 24)(images, draws(range(200)))
    assert torch.equal(images, image.expand_as(images))
    same = sum(torch.equal(one, image[0]) for one in changed)
    assert same < 50 + 31
    assert len({one.numpy().tobytes() for one in changed}) > 30


def test_what_operations_leave_empty_has_the_mean_colour_of_imagenet():
    """A white image that is moved shows the colour at its edge."""
    white = torch.full((200, 3, 24, 24), 255, dtype=torch.uint8)
    changed = rand_augment("rand-m9-p1-n1-inc1", 24)(white, draws(range(200)))
    found = {tuple(pixel) for image in changed for pixel in image.flatten(1).T.tolist()}
    assert (124, 116, 104) in found


@pytest.mark.parametrize(
    "name", ["rand-m10-p1-inc1", "rand-m0-p1-inc0", "rand-m9-mstd101-inc1", "rand-m12-mmax16-p1-n4-inc1", "rand-m5-t3aw"]
)
def test_extreme_magnitudes_do_not_fail(name):
    """timm asks Pillow for images of no bits at the ends of its scale, which Pillow refuses."""
    assert rand_augment(name, 24)(pictures(1).expand(100, -1, -1, -1), draws(range(100))).shape == (100, 3, 24, 24)


@pytest.mark.parametrize("name", ["randaugment", "rand_m9", "rand-x5", "rand-m", "rand-m9-", "augmix-m3", "rand-tnothing", "rand-mstd."])
def test_an_unknown_name_is_one_line(name):
    with pytest.raises(ValueError, match=f"^augment.randaugment={name} is not a RandAugment of timm; write it as rand-m9"):
        rand_augment(name, 24)
    with pytest.raises(UserError, match="is not a RandAugment"):
        check_augment(Augment(randaugment=name), {}, 24)


def test_no_name_is_no_rand_augment():
    assert rand_augment("", 24) is None


def test_masks_and_rand_augment_exclude_each_other():
    check_augment(Augment(randaugment=NAME), {"a": Label()}, 24)
    check_augment(Augment(mixup=0.8), {"a": Label(), "b": Mask()}, 24)
    with pytest.raises(UserError, match="but not the masks of the task b: set augment.randaugment to ''"):
        check_augment(Augment(randaugment=NAME), {"a": Label(), "b": Mask()}, 24)


CLASSES = 5


def batch(size=16):
    """Images without two equal pixels, so that it can be told where each comes from; classes, some of them equal to their partner's."""
    images = Draws(2, 0, torch.arange(6)).uniform(3 * size * size).reshape(6, 3, size, size)
    return images, torch.tensor([0, 3, 1, 1, 4, 2])


def smoothed(target, smoothing):
    """The definition: the class keeps 1 - s, and s is spread evenly over all classes, its own too."""
    return torch.tensor([[(1 - smoothing) * (c == t) + smoothing / CLASSES for c in range(CLASSES)] for t in target.tolist()])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_mixup_by_its_definition(smoothing):
    """Zhang et al. 2018: x = a x_i + (1 - a) x_j, y = a y_i + (1 - a) y_j, with a from Beta(alpha, alpha)."""
    images, target = batch()
    known = smoothed(target, smoothing)
    mixer = Mixer(Augment(mixup=0.8, label_smoothing=smoothing), CLASSES, 3)
    shares = []
    for step in range(30):
        mixed, wanted = mixer(images, target, step)
        share = float((wanted[0, 0] - known[5, 0]) / (known[0, 0] - known[5, 0]))  # image 0 alone of the pair (0, 5) is of class 0
        shares.append(share)
        for i in range(6):
            assert torch.allclose(mixed[i], share * images[i] + (1 - share) * images[5 - i], atol=1e-5)
            assert torch.allclose(wanted[i], share * known[i] + (1 - share) * known[5 - i], atol=1e-5)
        assert torch.allclose(wanted.sum(1), torch.ones(6))
    assert all(0 <= share <= 1 for share in shares)
    assert len({round(share, 4) for share in shares}) > 20
    # Beta(0.8, 0.8) has mean 1/2 and variance 1 / (4 * 2.6): 4 standard errors of 30 draws.
    assert abs(np.mean(shares) - 0.5) < 4 * (1 / (4 * 2.6) / 30) ** 0.5


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cutmix_by_its_definition(smoothing):
    """Yun et al. 2019: a box of each image is its partner's, and the share of classes is the share of pixels."""
    images, target = batch()
    known = smoothed(target, smoothing)
    mixer = Mixer(Augment(cutmix=1.0, label_smoothing=smoothing), CLASSES, 3)
    boxes = set()
    for step in range(30):
        mixed, wanted = mixer(images, target, step)
        own = (mixed == images).all(1)
        for i in range(6):
            assert torch.equal(own[i], own[0]), "one box for the batch"
            assert torch.equal(mixed[i][:, ~own[i]], images[5 - i][:, ~own[i]])
            share = own[i].float().mean()
            assert torch.allclose(wanted[i], share * known[i] + (1 - share) * known[5 - i], atol=1e-5)
        rows, columns = (~own[0]).any(1), (~own[0]).any(0)
        assert torch.equal(~own[0], rows[:, None] & columns[None, :]), "what is replaced is a box"
        if rows.any():
            boxes.add((int(rows.int().argmax()), int(columns.int().argmax()), int(rows.sum()), int(columns.sum())))
    assert len(boxes) > 15
    assert all(abs(height - width) <= 8 for _, _, height, width in boxes), "a square, cut off at the image's edge: at most half is lost"


def test_with_both_each_step_takes_one():
    images, target = batch()
    mixer = Mixer(Augment(mixup=0.8, cutmix=1.0), CLASSES, 3)
    cut = 0
    for step in range(60):
        mixed, _ = mixer(images, target, step)
        pixels = ((mixed == images) | (mixed == images.flip(0))).float().mean()
        assert pixels == 1 or pixels < 0.05
        cut += bool(pixels == 1)
    assert 30 - 16 < cut < 30 + 16  # 4 standard deviations of 60 coins


@pytest.mark.parametrize("augment", [Augment(mixup=0.8), Augment(cutmix=1.0, label_smoothing=0.1), Augment(mixup=0.8, cutmix=1.0)])
def test_mixing_depends_on_seed_and_step_alone_and_leaves_its_input(augment):
    images, target = batch()
    kept, before = images.clone(), states()
    first = Mixer(augment, CLASSES, 3)(images, target, 8)
    assert states() == before
    assert torch.equal(images, kept)
    np.random.seed(1)  # noqa: NPY002
    again = Mixer(augment, CLASSES, 3)(images, target, 8)
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    for other in Mixer(augment, CLASSES, 4)(images, target, 8), Mixer(augment, CLASSES, 3)(images, target, 9):
        assert not torch.equal(other[0], first[0])


def test_smoothing_alone_weighs_as_its_loss_does():
    """The cross entropy of the smoothed classes is PyTorch's own smoothed cross entropy."""
    images, target = batch()
    same, wanted = Mixer(Augment(label_smoothing=0.2), CLASSES, 0)(images[:5], target[:5], 0)
    assert same is not None
    assert torch.equal(same, images[:5])
    assert torch.allclose(wanted, smoothed(target[:5], 0.2))
    output = Draws(5, 0, torch.arange(5)).normal(CLASSES)
    expected = torch.nn.functional.cross_entropy(output, target[:5], label_smoothing=0.2)
    assert torch.allclose(torch.nn.functional.cross_entropy(output, wanted), expected)
    assert torch.equal(Mixer(Augment(), CLASSES, 0)(images, target, 0)[1], smoothed(target, 0.0))


def test_an_odd_number_of_images_is_one_line():
    images, target = batch()
    with pytest.raises(UserError, match="in pairs, and 5 are mixed at once: make train.batch_size .* even"):
        Mixer(Augment(mixup=0.8), CLASSES, 0)(images[:5], target[:5], 0)
