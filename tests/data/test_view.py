"""The shared view: crops distributed as torchvision's, pixels as torchvision's and Pillow's, flips at their rate."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest, ks_2samp
from torchvision.transforms import InterpolationMode, RandomResizedCrop
from torchvision.transforms.v2.functional import resized_crop

from iwm_core.data.view import centre_boxes, cut, random_boxes
from iwm_core.interfaces import Draws
from iwm_core.recipe.config import View

N, ALPHA = 5000, 1e-3


def boxes_of(height, width, view=None, n=N, seed=0):
    sizes = torch.tensor([[height, width]]).expand(n, 2)
    return random_boxes(Draws(seed, 0, torch.arange(n)), sizes, view or View())


def torchvision_boxes(height, width, scale, ratio):
    image = torch.empty(3, height, width)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return torch.tensor([RandomResizedCrop.get_params(image, list(scale), list(ratio)) for _ in range(N)])


def shape_and_place(boxes, height, width):
    """Area share, aspect and, where there is room to move, the relative place of each box."""
    top, left, h, w = boxes.double().unbind(1)
    down, right = height - h > 0, width - w > 0
    return {
        "area": h * w / (height * width),
        "aspect": (w / h).log(),
        "top": (top / (height - h))[down],
        "left": (left / (width - w))[right],
        "free rows": height - h,
        "free columns": width - w,
    }


@pytest.mark.parametrize(
    ("height", "width", "scale", "ratio"),
    [
        (224, 224, [0.3, 1.0], [3 / 4, 4 / 3]),
        (375, 500, [0.3, 1.0], [3 / 4, 4 / 3]),
        (320, 240, [0.3, 1.0], [3 / 4, 4 / 3]),
        (300, 400, [0.08, 0.5], [0.5, 2.0]),
    ],
)
def test_boxes_are_distributed_as_torchvision_draws_them(height, width, scale, ratio):
    """Two-sample Kolmogorov-Smirnov at 1e-3 for each quantity."""
    boxes, _ = boxes_of(height, width, View(scale=scale, ratio=ratio))
    ours = shape_and_place(boxes, height, width)
    theirs = shape_and_place(torchvision_boxes(height, width, scale, ratio), height, width)
    p = {name: ks_2samp(ours[name].numpy(), theirs[name].numpy()).pvalue for name in ours}
    assert min(p.values()) > ALPHA, p


def test_a_crop_reaches_every_edge():
    """The last row and column are reached like the first ones: no exclusive bound cuts them off."""
    boxes, _ = boxes_of(8, 8, View(scale=[0.3, 0.5]))
    top, left, h, w = boxes.unbind(1)
    for start, length in ((top, h), (left, w)):
        room = length == 5  # places 0, 1, 2, 3
        counts = start[room].bincount(minlength=4)
        assert len(counts) == 4
        assert counts.min() > 0.8 * room.sum() / 4, "each place is as likely"


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 1), (2, 3), (30, 300), (300, 30), (224, 224)])
def test_boxes_lie_inside_the_image(height, width):
    boxes, _ = boxes_of(height, width, View(scale=[0.01, 1.0], ratio=[0.1, 10.0]), n=2000)
    top, left, h, w = boxes.unbind(1)
    assert boxes.dtype == torch.int64
    assert min(h.min(), w.min()) >= 1
    assert min(top.min(), left.min()) >= 0
    assert (top + h).max() <= height
    assert (left + w).max() <= width


def test_whole_image_where_nothing_is_left_to_chance():
    boxes, flips = boxes_of(40, 40, View(scale=[1.0, 1.0], ratio=[1.0, 1.0], flip=0.0), n=50)
    assert (boxes == torch.tensor([0, 0, 40, 40])).all()
    assert not flips.any()


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 1.0])
def test_flips_at_their_rate_and_apart_from_the_crop(rate):
    boxes, flips = boxes_of(64, 64, View(flip=rate))
    count = int(flips.sum())
    assert binomtest(count, N, rate).pvalue > ALPHA if 0 < rate < 1 else count == rate * N
    unflipped, _ = boxes_of(64, 64, View(flip=0.0))
    assert torch.equal(boxes, unflipped)
    if 0 < rate < 1:
        area = (boxes[:, 2] * boxes[:, 3]).double()
        assert ks_2samp(area[flips].numpy(), area[~flips].numpy()).pvalue > ALPHA


def test_a_box_belongs_to_its_sample_alone():
    sizes = torch.tensor([[30, 40], [50, 20], [64, 64], [9, 90]])
    index = torch.tensor([7, 3, 12, 2**33])
    together, flips = random_boxes(Draws(5, 2, index), sizes, View())
    for i in range(4):
        alone, flip = random_boxes(Draws(5, 2, index[i : i + 1]), sizes[i : i + 1], View())
        assert torch.equal(alone[0], together[i])
        assert flip[0] == flips[i]
    assert not torch.equal(random_boxes(Draws(5, 3, index), sizes, View())[0], together), "another epoch, another crop"
    assert not torch.equal(random_boxes(Draws(6, 2, index), sizes, View())[0], together), "another seed, another crop"


def test_centre_boxes():
    sizes = torch.tensor([[10, 10], [7, 10], [10, 7], [1, 5], [4, 9]])
    assert centre_boxes(sizes).tolist() == [[0, 0, 10, 10], [0, 1, 7, 7], [1, 0, 7, 7], [0, 2, 1, 1], [0, 2, 4, 4]]


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((0, 0, 37, 53), 16),
        ((5, 7, 30, 22), 16),
        ((3, 2, 11, 9), 32),
        ((10, 20, 24, 24), 24),
        ((36, 52, 1, 1), 8),
        ((0, 13, 37, 1), 5),
    ],
)
def test_pixels_are_those_of_torchvision_and_pillow(box, size):
    """On noise and on an edge, the hardest images for a resampling filter: within one level of both.

    Pillow is asked for columns and rows in two calls: in one, it may take the rows first, and where the first pass overshoots 255 the order
    is seen (up to 6 levels on noise).
    """
    noise = Draws(0, 0, torch.tensor([0])).integers(256, 3 * 37 * 53).reshape(3, 37, 53).to(torch.uint8)
    edge = torch.zeros(3, 37, 53, dtype=torch.uint8)
    edge[:, :, 26:], edge[:, 12:15, 20:28] = 255, 255
    top, left, height, width = box
    for image in (noise, edge):
        before = image.clone()
        ours = cut(image, torch.tensor(box), size)
        assert torch.equal(image, before)
        assert ours.dtype == torch.uint8
        assert ours.shape == (3, size, size)
        theirs = resized_crop(image, top, left, height, width, [size, size], interpolation=InterpolationMode.BICUBIC, antialias=True)
        assert (ours.int() - theirs.int()).abs().max() <= 1
        part = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((left, top, left + width, top + height))
        columns = part.resize((size, height), Image.Resampling.BICUBIC)
        pillow = np.array(columns.resize((size, size), Image.Resampling.BICUBIC)).transpose(2, 0, 1)
        assert np.abs(ours.numpy().astype(int) - pillow).max() <= 1


def test_a_box_of_the_right_size_is_copied():
    image = Draws(0, 0, torch.tensor([1])).integers(256, 3 * 20 * 30).reshape(3, 20, 30).to(torch.uint8)
    part = cut(image, torch.tensor([4, 9, 12, 12]), 12)
    assert torch.equal(part, image[:, 4:16, 9:21])
    assert part.is_contiguous(), "what a worker sends must own no more than itself"


@pytest.mark.parametrize("box", [(0, 0, 40, 30), (3, 0, 20, 30), (4, 9, 12, 12), (5, 2, 11, 17)], ids=str)
def test_how_an_image_lies_in_memory_changes_no_bit_of_its_crops(box):
    image = Draws(0, 0, torch.tensor([1])).integers(256, 3 * 40 * 30).reshape(3, 40, 30).to(torch.uint8)
    beside = image.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    part = cut(beside, torch.tensor(box), 12)
    assert torch.equal(part, cut(image, torch.tensor(box), 12))
    assert part.is_contiguous(), "of batches that lie otherwise, the model's sums are others"
