"""Ten shapes as signed distances: negative inside, zero on the outline, growing by 1 a unit length near it.

Decisions:
- Every shape has **area 1 and its centre of area at the origin**, so that neither the amount of an object's colour nor its
  position tells its class. No point of any shape lies further out than `REACH`.
- Distances need be exact at the outline only: a pixel is covered by how far the outline is from its centre. So corners are
  intersections (max) and unions (min) of simpler distances.
- ``x`` points right, ``y`` up; an unrotated shape stands upright.
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

REACH = 0.88
"""Radius of the circle about the origin that holds every shape."""

Plane = Float[np.ndarray, "h w"]
ROOT_HALF = math.sqrt(0.5)


def circle(x: Plane, y: Plane, radius: float) -> Plane:
    return np.sqrt(x * x + y * y) - radius


def box(x: Plane, y: Plane, half_width: float, half_height: float) -> Plane:
    return np.maximum(abs(x) - half_width, abs(y) - half_height)


def disc(x: Plane, y: Plane) -> Plane:
    return circle(x, y, 1 / math.sqrt(math.pi))


def square(x: Plane, y: Plane) -> Plane:
    return box(x, y, 0.5, 0.5)


def triangle(x: Plane, y: Plane) -> Plane:
    """Equilateral: its area is 3√3 times the square of the inner circle's radius."""
    return np.maximum(abs(x) * math.cos(math.pi / 6) + y * 0.5, -y) - (27**-0.25)


def star(x: Plane, y: Plane) -> Plane:
    """Five points; the notches lie at half the radius of the tips. Mirrored until one half of one point remains."""
    mirror_x, mirror_y = math.sin(0.3 * math.pi), -math.cos(0.3 * math.pi)  # normal of the ray through the first notch, at 54°
    x = abs(x)
    for _ in range(2):
        beyond = 2 * np.maximum(x * mirror_x + y * mirror_y, 0)
        x, y = abs(x - beyond * mirror_x), y - beyond * mirror_y
    tip = 1 / math.sqrt(2.5 * math.sin(0.2 * math.pi))
    notch_x, notch_y = 0.5 * tip * math.cos(0.3 * math.pi), 0.5 * tip * math.sin(0.3 * math.pi)
    length = math.hypot(notch_x, tip - notch_y)
    return x * ((tip - notch_y) / length) + (y - tip) * (notch_x / length)


def cross(x: Plane, y: Plane) -> Plane:
    """Two bars, 0.35 as wide as long; with half length L the area is 4·0.35·(2 - 0.35)·L²."""
    long = 1 / math.sqrt(4 * 0.35 * 1.65)
    return np.minimum(box(x, y, long, 0.35 * long), box(x, y, 0.35 * long, long))


def ring(x: Plane, y: Plane) -> Plane:
    """The band's half width is 0.3 of its middle radius R; the area is 4π·0.3·R²."""
    middle = 1 / math.sqrt(4 * math.pi * 0.3)
    return abs(circle(x, y, middle)) - 0.3 * middle


def heart(x: Plane, y: Plane) -> Plane:
    """A square on its corner, of side 2a, and a disc of radius a on the middle of each upper side: area (4 + π)·a²."""
    a = 1 / math.sqrt(4 + math.pi)
    y = y + a * (math.pi + 4 / 3) * ROOT_HALF / (4 + math.pi)  # the discs' halves draw the centre of area up by this much
    right, left = (y + x) * ROOT_HALF, (y - x) * ROOT_HALF
    return np.minimum(box(right, left, a, a), np.minimum(circle(right - a, left, a), circle(right, left - a, a)))


def crescent(x: Plane, y: Plane) -> Plane:
    """A disc of radius R less a disc of radius 0.7·R whose centre lies 0.65·R to the right; the numbers give area 1, centred."""
    radius = 0.7059183
    x = x - 0.2797842 * radius
    return np.maximum(circle(x, y, radius), -circle(x - 0.65 * radius, y, 0.7 * radius))


def bar(x: Plane, y: Plane) -> Plane:
    """A bar with round ends of radius r = 0.32: area 4·r·h + π·r², half length h + r."""
    radius = 0.32
    half = (1 - math.pi * radius**2) / (4 * radius)
    return circle(np.maximum(abs(x) - half, 0), y, radius)


def arrow(x: Plane, y: Plane) -> Plane:
    """A head h high and 2·h wide on a shaft h long and 0.8·h wide: area 1.8·h²."""
    h = 1 / math.sqrt(1.8)
    y = y - h / 27  # the centre of area lies h / 27 below the foot of the head
    x = abs(x)
    head = np.maximum((x + y - h) * ROOT_HALF, -y)
    return np.minimum(head, box(x, y + 0.3 * h, 0.4 * h, 0.7 * h))  # the shaft runs on inside the head, so that no seam shows


SHAPES: dict[str, Callable[[Plane, Plane], Plane]] = {
    "disc": disc,
    "square": square,
    "triangle": triangle,
    "star": star,
    "cross": cross,
    "ring": ring,
    "heart": heart,
    "crescent": crescent,
    "bar": bar,
    "arrow": arrow,
}
