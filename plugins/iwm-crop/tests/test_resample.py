"""`crop_resize` against crop-then-interpolate, against PIL for fractional boxes, and its algebraic properties; `flip`."""

import math

import jaxtyping
import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_crop.resample import crop_resize, flip
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


@st.composite
def whole_boxes(draw: st.DrawFn) -> tuple[int, int, tuple[int, int], list[tuple[int, int, int, int]]]:
    """Height and width of the images, size of the output, and boxes on pixel edges."""
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    size = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    boxes = []
    for _ in range(draw(st.integers(1, 4))):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        boxes.append((top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left))))
    return height, width, size, boxes


@settings(deadline=None, derandomize=True, max_examples=150)
@given(whole_boxes())
def test_equals_crop_then_antialiased_interpolation(case) -> None:
    height, width, (rows, columns), boxes = case
    size = rows, max(2, columns)  # torch on the CPU repeats one row where the output is one pixel wide; PIL is the judge there, below
    images = noise(len(boxes), 3, height, width)
    crops = [image[None, :, t : t + h, x : x + w] for image, (t, x, h, w) in zip(images, boxes, strict=True)]
    expected = torch.cat([interpolate(crop, size=size, mode="bicubic", antialias=True) for crop in crops])
    found = crop_resize(images, torch.tensor(boxes, dtype=torch.float32), size)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def pil_resize(image: Tensor, size: tuple[int, int], box: tuple[float, float, float, float]) -> Tensor:
    """PIL's bicubic resize of one channel [h w]; ``box`` is top, left, height, width."""
    top, left, height, width = box
    resized = Image.fromarray(image.numpy()).resize(size[::-1], Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    return torch.from_numpy(numpy.array(resized))


@settings(deadline=None, derandomize=True, max_examples=50)
@given(whole_boxes())
def test_equals_crop_then_pil(case) -> None:
    height, width, size, boxes = case
    image, (top, left, rows, columns) = noise(height, width), boxes[0]
    crop = image[top : top + rows, left : left + columns].contiguous()
    found = crop_resize(image[None, None], torch.tensor(boxes[:1], dtype=torch.float32), size)[0, 0]
    torch.testing.assert_close(found, pil_resize(crop, size, (0, 0, rows, columns)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [10, 37, 90])
def test_fractional_boxes_equal_pil_away_from_the_edges_of_the_box(size: int) -> None:
    box = 7.3, 12.8, 41.9, 33.4
    image = noise(64, 60)
    found = crop_resize(image[None, None], torch.tensor([box]), size)[0, 0]
    # PIL looks beyond the box; outputs whose kernel (2 pixels of input or output, the wider) meets whole pixels only must agree.
    growth = size / box[3]
    margin = math.ceil(2 * max(1, growth) + growth)
    assert 2 * margin < size
    inner = slice(margin, size - margin)
    torch.testing.assert_close(found[inner, inner], pil_resize(image, (size, size), box)[inner, inner], atol=1e-4, rtol=0)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(st.lists(st.floats(0, 0.9), min_size=2, max_size=2), st.lists(st.floats(0.01, 1), min_size=2, max_size=2), st.integers(1, 50))
def test_a_constant_image_stays_constant_in_any_box(corner, share, size: int) -> None:
    top, left = corner[0] * 24, corner[1] * 30
    box = torch.tensor([[top, left, share[0] * (24 - top), share[1] * (30 - left)]])
    torch.testing.assert_close(
        crop_resize(torch.full((1, 1, 24, 30), 0.7), box, size), torch.full((1, 1, size, size), 0.7), atol=1e-5, rtol=0
    )


def test_pixels_outside_the_box_do_not_leak_in() -> None:
    images = noise(1, 3, 20, 20)
    blackened = torch.zeros_like(images)
    blackened[..., 4:14, 5:17] = images[..., 4:14, 5:17]
    box = torch.tensor([[4.0, 5.0, 10.0, 12.0]])
    assert torch.equal(crop_resize(images, box, (15, 7)), crop_resize(blackened, box, (15, 7)))


def test_beyond_the_image_its_edge_is_repeated() -> None:
    images, box = noise(1, 3, 12, 10), torch.tensor([[-3.5, 4.25, 11.0, 8.5]])
    padded = torch.nn.functional.pad(images, (4, 4, 4, 4), mode="replicate")
    shifted = box + torch.tensor([4.0, 4.0, 0.0, 0.0])
    torch.testing.assert_close(crop_resize(images, box, 9), crop_resize(padded, shifted, 9), atol=1e-5, rtol=0)


def test_a_small_move_of_the_box_moves_the_image_a_little() -> None:
    images = noise(1, 1, 16, 16).expand(400, -1, -1, -1)
    top = torch.linspace(2, 6, 400)
    boxes = torch.stack([top, torch.full_like(top, 3), torch.full_like(top, 7.5), torch.full_like(top, 9)], dim=1)
    steps = crop_resize(images, boxes, 12).diff(dim=0).abs()
    assert steps.max() < 0.04
    assert steps.mean() > 1e-4


def test_the_whole_box_at_the_same_size_is_the_image_bit_for_bit() -> None:
    images = noise(2, 3, 33, 18)
    assert torch.equal(crop_resize(images, torch.tensor([[0.0, 0.0, 33.0, 18.0]]).expand(2, -1), (33, 18)), images)


def test_each_image_has_a_box_of_its_own() -> None:
    images, boxes = noise(4, 3, 20, 24), torch.tensor([[0.0, 0, 20, 24], [1.5, 2, 6, 9], [10, 4.25, 10, 20], [3, 3, 1, 1]])
    alone = torch.cat([crop_resize(images[i : i + 1], boxes[i : i + 1], 11) for i in range(4)])
    torch.testing.assert_close(crop_resize(images, boxes, 11), alone, atol=1e-6, rtol=0)


def test_gradients_reach_images_and_boxes() -> None:
    images = noise(2, 1, 9, 8).double().requires_grad_()
    boxes = torch.tensor([[1.3, 0.6, 6.2, 5.1], [0.4, 2.2, 3.3, 4.7]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda i, b: crop_resize(i, b, (5, 7)), (images, boxes))


def test_compiles_as_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the shape checks of a test run cannot be compiled
    images, boxes = noise(2, 3, 20, 24), torch.tensor([[0.0, 0, 20, 24], [1.5, 2, 6, 9]])
    compiled = torch.compile(crop_resize, fullgraph=True, backend="eager")
    assert torch.equal(compiled(images, boxes, 16), crop_resize(images, boxes, 16))


def test_flip_mirrors_the_flagged_images_only() -> None:
    images = noise(3, 3, 4, 5)
    flipped = flip(images, torch.tensor([True, False, True]))
    assert torch.equal(flipped[1], images[1])
    for i in (0, 2):
        for column in range(5):
            assert torch.equal(flipped[i, :, :, column], images[i, :, :, 4 - column])
