"""Each operation against torchvision's, image by image, on random and extreme images and parameters; the colour arithmetic's own laws."""

import colorsys

import pytest
import torch
from iwm_photometric.blur import Blur
from iwm_photometric.colour import shift_hue
from iwm_photometric.grayscale import Grayscale
from iwm_photometric.jitter import Jitter
from iwm_photometric.solarize import Solarize
from torch import Tensor
from torchvision.transforms.v2 import functional as reference


def pictures(b: int, height: int = 17, width: int = 23) -> Tensor:
    """Noise, and among it the images that trip colour arithmetic: grey, black, white, pure colours, near-greys, 8-bit values."""
    generator = torch.Generator().manual_seed(5)
    images = torch.rand(b, 3, height, width, generator=generator)
    images[1] = images[1, :1]
    images[2], images[3] = 0.0, 1.0
    images[4] = (images[4] > 0.5).float()
    images[5] = (0.5 + 1e-6 * images[5]).clamp(0, 1)
    images[6] = (images[6] * 255).round() / 255
    images[7] = images[7] ** 8
    return images


def numbers(*values: float, b: int, low: float, high: float) -> list[float]:
    """The given extreme values again and again, each followed by a random one."""
    drawn = torch.rand(b, generator=torch.Generator().manual_seed(9)) * (high - low) + low
    return [values[i // 2 % len(values)] if i % 2 else float(drawn[i]) for i in range(b)]


def check(found: Tensor, images: Tensor, expected: list[Tensor]) -> None:
    assert found.shape == images.shape
    torch.testing.assert_close(found, torch.stack(expected), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("number", "operation"), [(0, "adjust_brightness"), (1, "adjust_contrast"), (2, "adjust_saturation"), (3, "adjust_hue")]
)
def test_each_operation_of_jitter(number: int, operation: str) -> None:
    # Sixteen pictures five times over, so that every kind of picture meets random and extreme values.
    images = pictures(16).repeat(5, 1, 1, 1).roll(1, dims=0)
    extremes = (0.0, 1.0, 2.0, 0.5, 1e-3) if number < 3 else (0.5, -0.5, 0.0, 1 / 3, -1e-4)
    values = numbers(*extremes, b=80, low=0.0 if number < 3 else -0.5, high=2.0 if number < 3 else 0.5)
    params = Jitter.identity.repeat(80, 1)
    params[:, number] = torch.tensor(values)
    adjust = getattr(reference, operation)
    check(Jitter().apply(images, params), images, [adjust(image, value) for image, value in zip(images, values, strict=True)])


def test_the_order_of_jitter() -> None:
    images = pictures(32)
    params = torch.rand(32, 4, generator=torch.Generator().manual_seed(3)) * torch.tensor([2.0, 2.0, 2.0, 1.0]) - torch.tensor(
        [0, 0, 0, 0.5]
    )
    expected = []
    for image, (brightness, contrast, saturation, hue) in zip(images, params.tolist(), strict=True):
        image = reference.adjust_contrast(reference.adjust_brightness(image, brightness), contrast)
        expected.append(reference.adjust_hue(reference.adjust_saturation(image, saturation), hue))
    check(Jitter().apply(images, params), images, expected)


def test_grayscale() -> None:
    images = pictures(16)
    expected = [reference.rgb_to_grayscale(image, num_output_channels=3) if i % 2 else image for i, image in enumerate(images)]
    check(Grayscale().apply(images, torch.tensor([[0.0], [1.0]]).repeat(8, 1)), images, expected)


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.0])
def test_solarize(threshold: float) -> None:
    images = pictures(16)
    expected = [reference.solarize(image, threshold) if i % 2 else image for i, image in enumerate(images)]
    check(Solarize(threshold=threshold).apply(images, torch.tensor([[0.0], [1.0]]).repeat(8, 1)), images, expected)


@pytest.mark.parametrize(("high", "kernel"), [(2.0, 13), (0.9, 7), (3.0, 19)])
def test_blur(high: float, kernel: int) -> None:
    images = pictures(16)
    sigmas = numbers(0.1, high, 0.5, b=16, low=0.1, high=high)
    expected = [reference.gaussian_blur(image, [kernel, kernel], [sigma, sigma]) for image, sigma in zip(images, sigmas, strict=True)]
    check(Blur(sigma=[0.1, high]).apply(images, torch.tensor(sigmas)[:, None]), images, expected)


def test_a_shift_of_hue_is_a_turn_of_hsv() -> None:
    images = pictures(8, 3, 4).double()
    turns = torch.linspace(-0.5, 0.5, 8, dtype=torch.float64)
    found = shift_hue(images, turns[:, None, None, None])
    for b in range(8):
        for y in range(3):
            for x in range(4):
                hue, saturation, value = colorsys.rgb_to_hsv(*images[b, :, y, x].tolist())
                expected = colorsys.hsv_to_rgb((hue + float(turns[b])) % 1.0, saturation, value)
                torch.testing.assert_close(found[b, :, y, x], torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=0)


def test_shifts_of_hue_add_up_and_a_third_of_a_turn_passes_channels_on() -> None:
    images = pictures(16)
    once, twice = torch.full((16, 1, 1, 1), 0.13), torch.full((16, 1, 1, 1), 0.26)
    torch.testing.assert_close(shift_hue(shift_hue(images, once), once), shift_hue(images, twice), atol=1e-5, rtol=0)
    torch.testing.assert_close(shift_hue(images, torch.full((16, 1, 1, 1), 1 / 3)), images.roll(1, dims=1), atol=1e-5, rtol=0)
