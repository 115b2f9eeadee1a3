"""The crop action: contract, pixels against torch and PIL, the laws of the relative box, and the statistics of the boxes."""

import itertools
import math

import jaxtyping
import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_crop.crop import Crop
from iwm_devkit import check_action
from PIL import Image
from torch import Tensor

from iwm_core.interfaces import Draws

B = 20_000
FIVE_SIGMA = 5 * 0.5 / B**0.5  # of any share of B samples: significance below 1e-6 for each comparison

FIELDS = [
    Crop(),
    Crop(scale=[0.05, 0.4], ratio=[0.5, 1.5]),
    Crop(scale=[0.5, 1.0], ratio=[0.2, 5.0]),
    Crop(scale=[0.2, 0.2], ratio=[1.0, 1.0]),
    Crop(scale=[1.0, 1.0], ratio=[0.75, 4 / 3]),
    Crop(scale=[0.01, 0.5], ratio=[1.5, 2.0]),
]
each_crop = pytest.mark.parametrize("action", FIELDS, ids=lambda action: f"{action.scale}-{action.ratio}")


def draws(b: int) -> Draws:
    return Draws(11, 2, torch.arange(b), "crop")


def noise(b: int, height: int = 24, width: int = 24) -> Tensor:
    return torch.rand(b, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [None, 16, 40])
def test_keeps_the_contract_of_an_action(size: int | None) -> None:
    check_action(Crop(size=size))


# ---------------------------------------------------------------------------------------------------------------- pixels


def test_the_identity_gives_back_the_very_bits() -> None:
    assert torch.equal(Crop().apply(noise(3, 30, 21), Crop.identity.expand(3, -1)), noise(3, 30, 21))


@pytest.mark.parametrize("size", [None, 10, 50])
def test_pixels_equal_pil_on_the_crop(size: int | None) -> None:
    images = noise(4, 32, 40)
    boxes = [(0, 0, 32, 40), (4, 10, 20, 15), (12, 25, 20, 15), (1, 0, 8, 36)]
    params = torch.tensor(boxes) / torch.tensor([32, 40, 32, 40])
    found = Crop(size=size).apply(images, params)
    rows, columns = (size, size) if size else (32, 40)
    assert found.shape == (4, 3, rows, columns)
    for image, (top, left, height, width), crop in zip(images, boxes, found, strict=True):
        for channel, result in zip(image[:, top : top + height, left : left + width], crop, strict=True):
            resized = Image.fromarray(channel.contiguous().numpy()).resize((columns, rows), Image.Resampling.BICUBIC)
            expected = torch.from_numpy(numpy.array(resized)).clamp(0, 1)
            torch.testing.assert_close(result, expected, atol=1e-4, rtol=0)


def test_overshoot_is_clamped() -> None:
    board = (torch.arange(24)[:, None] // 6 + torch.arange(24) // 6).remainder(2).float().expand(50, 3, -1, -1)
    found = Crop(size=40).apply(board, Crop().sample(draws(50)).source)
    assert found.min() == 0
    assert found.max() == 1


def test_a_crop_of_a_crop_is_the_crop_of_the_relative_box() -> None:
    """On a smooth image, going through the source's frame with the encoded action gives the target."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 128), torch.linspace(0, 1, 128), indexing="ij")
    canvas = torch.stack([y, x, 0.5 + 0.25 * torch.sin(3 * x + 2 * y)])[None]
    source, target = torch.tensor([[0.1, 0.05, 0.8, 0.9]]), torch.tensor([[0.3, 0.2, 0.5, 0.6]])
    relative = placed(Crop.identity[None], Crop().encode(source, target), Crop())
    through_source = Crop().apply(Crop().apply(canvas, source), relative)
    torch.testing.assert_close(through_source, Crop().apply(canvas, target), atol=0.01, rtol=0)


# ---------------------------------------------------------------------------------------------------------- relative box


def placed(source: Tensor, code: Tensor, action: Crop) -> Tensor:
    """The target's box from the source's box and the encoded action."""
    down, right, taller, wider = (code * torch.tensor(action.reach)).unbind(1)
    top, left, height, width = source.unbind(1)
    height2, width2 = height * taller.exp(), width * wider.exp()
    centre_y, centre_x = top + height / 2 + down * height, left + width / 2 + right * width
    return torch.stack([centre_y - height2 / 2, centre_x - width2 / 2, height2, width2], dim=1)


@each_crop
def test_the_encoded_action_in_the_frame_of_the_source_recovers_the_target(action: Crop) -> None:
    params = action.sample(draws(500))
    torch.testing.assert_close(placed(params.source, action.encode(*params), action), params.target, atol=1e-5, rtol=0)


@each_crop
def test_equal_boxes_are_the_null_action(action: Crop) -> None:
    boxes = action.sample(draws(100)).source
    assert torch.equal(action.encode(boxes, boxes), torch.zeros(100, 4))


@settings(deadline=None, derandomize=True)
@given(st.floats(0.2, 1), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_moving_and_zooming_the_canvas_leaves_the_relation_as_it_is(zoom: float, down: float, right: float) -> None:
    params = Crop().sample(draws(20))
    moved = [side * zoom + torch.tensor([down, right, 0.0, 0.0]) for side in params]
    torch.testing.assert_close(Crop().encode(*moved), Crop().encode(*params), atol=1e-4, rtol=0)


def test_signs_of_the_encoded_numbers() -> None:
    source = torch.tensor([[0.2, 0.2, 0.5, 0.5]])
    for number, target in enumerate([[0.3, 0.2, 0.5, 0.5], [0.2, 0.3, 0.5, 0.5], [0.15, 0.2, 0.6, 0.5], [0.2, 0.15, 0.5, 0.6]]):
        code = Crop().encode(source, torch.tensor([target]))[0]
        assert code[number] > 0
        assert torch.cat([code[:number], code[number + 1 :]]).abs().max() < 1e-6


@each_crop
def test_reach_is_the_largest_value_of_any_pair_of_boxes(action: Crop) -> None:
    """Brute force over the extreme boxes: areas and ratios on a grid, those that fit, each in the corners of the canvas."""
    areas = torch.linspace(*action.scale, 41).tolist()
    ratios = torch.linspace(*(math.log(r) for r in action.ratio), 201).exp().tolist()
    sides = [(math.sqrt(a / r), math.sqrt(a * r)) for a, r in itertools.product(areas, ratios)]
    sides = torch.tensor([(h, w) for h, w in sides if h <= 1 + 1e-6 and w <= 1 + 1e-6])
    extremes = torch.cat([sides[i][None] for column in (0, 1) for i in (sides[:, column].argmin(), sides[:, column].argmax())])
    boxes = torch.cat(
        [torch.cat([down * (1 - extremes[:, :1]), right * (1 - extremes[:, 1:]), extremes], 1) for down in (0, 1) for right in (0, 1)]
    )
    source, target = (pair.flatten(0, 1) for pair in (boxes[:, None].expand(-1, 16, -1), boxes[None].expand(16, -1, -1)))
    largest = action.encode(source, target).abs().amax(0)
    can_change = torch.tensor([side.max() - side.min() > 1e-6 for side in boxes.unbind(1)])
    torch.testing.assert_close(largest[can_change], torch.ones(int(can_change.sum())), atol=0.03, rtol=0)
    assert largest[~can_change].abs().sum() < 1e-5
    assert action.encode(*action.sample(draws(B))).abs().max() <= 1 + 1e-5


# ------------------------------------------------------------------------------------------------------------ statistics


@each_crop
def test_boxes_lie_in_the_canvas_and_keep_area_and_ratio(action: Crop) -> None:
    for top, left, height, width in (side.unbind(1) for side in action.sample(draws(B))):
        assert min(top.min(), left.min()) >= 0
        assert max((top + height).max(), (left + width).max()) <= 1 + 1e-6
        assert action.scale[0] - 1e-5 <= (height * width).min()
        assert (height * width).max() <= action.scale[1] + 1e-5
        assert action.ratio[0] - 1e-4 <= (width / height).min()
        assert (width / height).max() <= action.ratio[1] + 1e-4


def test_areas_are_uniform() -> None:
    box = Crop(scale=[0.2, 0.8]).sample(draws(B)).target
    unit = (box[:, 2] * box[:, 3] - 0.2) / 0.6
    for quantile in (0.1, 0.5, 0.9):
        assert abs((unit < quantile).float().mean().item() - quantile) < FIVE_SIGMA


def test_ratios_are_log_uniform_where_they_fit_and_places_uniform() -> None:
    top, left, height, width = Crop(scale=[0.1, 0.4], ratio=[0.5, 2.0]).sample(draws(B)).source.unbind(1)
    units = [((width / height).log() / math.log(2) + 1) / 2, top / (1 - height), left / (1 - width)]
    for unit, quantile in itertools.product(units, (0.1, 0.5, 0.9)):
        assert abs((unit < quantile).float().mean().item() - quantile) < FIVE_SIGMA
    correlation = torch.corrcoef(torch.stack([*units, height * width])) - torch.eye(4)
    assert correlation.abs().max() < 5 / B**0.5


def test_sides_are_independent() -> None:
    correlation = torch.corrcoef(torch.cat([*Crop().sample(draws(B))], dim=1).T)
    assert correlation[:4, 4:].abs().max() < 5 / B**0.5


# ------------------------------------------------------------------------------------------------------ device and errors


def test_parameters_are_made_on_the_device_of_the_draws() -> None:
    params = Crop().sample(Draws(7, 0, torch.arange(3, device="meta")))
    assert params.source.device.type == params.target.device.type == "meta"
    assert Crop().encode(*params).device.type == "meta"
    assert Crop(size=8).apply(noise(3).to("meta"), params.source).shape == (3, 3, 8, 8)


def test_compiles_as_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the shape checks of a test run cannot be compiled
    action, params = Crop(size=16), Crop().sample(draws(4))

    def step(images: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return action.apply(images, source), action.encode(source, target)

    compiled = torch.compile(step, fullgraph=True, backend="eager")
    for found, expected in zip(compiled(noise(4), *params), step(noise(4), *params), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": [0.5]}, r"crop.scale must be \[low, high\]"),
        ({"ratio": [2.0, 1.0]}, r"crop.ratio must be \[low, high\]"),
        ({"scale": [0.0, 1.0]}, "crop.scale must be at least 0.01"),
        ({"ratio": [2.0, 3.0]}, "let crop.ratio include 1"),
        ({"ratio": [0.5, 0.8]}, "let crop.ratio include 1"),
        ({"size": 0}, "crop.size must be at least 1"),
    ],
)
def test_fields_that_cannot_be(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Crop(**fields)
