"""What surfaces look like: textures of objects, and noise whose power falls as in photographs.

Decisions:
- A texture is a tone in [-1, 1] about 0, so that an object's mean brightness does not depend on its texture.
- Edges inside a texture are about one pixel wide; patterns finer than the pixels fade out instead of aliasing.
- The background is a Gaussian field whose amplitude falls as 1/f, so its power as 1/f², the mean of natural images (Field, "Relations
  between the statistics of natural images and the response properties of cortical cells", JOSA A 1987). One complex inverse
  transform gives two independent real fields. 256 phases are enough: a phase is one random byte, and no sine is computed.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex64, Float, Float32, UInt8

CYCLES = 3.5
"""Periods of a pattern along the side of a square as large as the object."""

Plane = Float[np.ndarray, "h w"]


class Surface(NamedTuple):
    """What a texture is made of, at the pixels around an object.

    Attributes:
        across, along: sine waves along the two axes of the object.
        sharpness: factor that makes the zero crossings of a wave one pixel wide; less than 1 for waves finer than the pixels.
        noise: a natural field of unit variance.
    """

    across: Plane
    along: Plane
    sharpness: float
    noise: Plane


def plain(surface: Surface) -> Plane:
    return np.zeros_like(surface.noise)


def stripes(surface: Surface) -> Plane:
    return np.clip(surface.across * surface.sharpness, -1, 1)


def checks(surface: Surface) -> Plane:
    return stripes(surface) * np.clip(surface.along * surface.sharpness, -1, 1)


def dots(surface: Surface) -> Plane:
    """Spots where the sum of the waves is above 0.5: 31 % of the surface, hence the offset that makes the mean 0."""
    return np.clip((surface.across + surface.along - 0.5) * surface.sharpness, -1, 1) * 0.72 + 0.28


def marble(surface: Surface) -> Plane:
    return np.clip(surface.noise, -1, 1)


TEXTURES: dict[str, Callable[[Surface], Plane]] = {"plain": plain, "stripes": stripes, "checks": checks, "dots": dots, "marble": marble}


def texture(kind: str, x: Plane, y: Plane, phase: float, side: float, noise: Plane) -> Plane:
    """Tone of an object's surface, in [-1, 1].

    Args:
        kind: a name in `TEXTURES`.
        x, y: coordinates in the object's frame, where its area is 1.
        phase: where the pattern begins, in periods.
        side: pixels a unit of ``x``.
        noise: a field of unit variance at these pixels.
    """
    scale, start = 2 * math.pi * CYCLES, 2 * math.pi * phase
    return TEXTURES[kind](Surface(np.sin(x * scale + start), np.sin(y * scale + start), side / CYCLES / math.pi, noise))


@lru_cache(maxsize=8)
def falling_amplitude(size: int) -> Float32[np.ndarray, "h w"]:
    """1/f on the grid of a Fourier transform, zero at f = 0, scaled to fields of unit variance."""
    frequency = np.fft.fftfreq(size)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    radius[0, 0] = np.inf
    amplitude = 1 / radius
    return (amplitude * math.sqrt(2 / np.square(amplitude).sum())).astype(np.float32)


@lru_cache(maxsize=1)
def unit_circle() -> Complex64[np.ndarray, "256"]:
    return np.exp(2j * np.pi * np.arange(256) / 256).astype(np.complex64)


def natural_noise(phases: UInt8[np.ndarray, "h w"]) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Two independent fields of mean 0 and expected variance 1 whose power falls as 1/f²; a byte is a phase in 256ths of a turn."""
    field = np.fft.ifft2(unit_circle()[phases] * falling_amplitude(phases.shape[0]), norm="forward").astype(np.complex64, copy=False)
    return field.real, field.imag
