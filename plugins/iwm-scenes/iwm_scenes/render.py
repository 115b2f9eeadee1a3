"""From a scene to pixels and to a mask.

Decisions:
- One image at a time in float32: each object costs its own rectangle and its own formulas, where a batch would compute every shape for
  every pixel; and an image cannot depend on what else is in a batch, not even in its last bit.
- The edge of an object is about one pixel wide: a pixel is covered by half less the signed distance of its centre, in pixels.
- Light falls off evenly across the image, over background and objects alike, and a little more across each object.
- No shadows and no outlines: their length would tell the shape to a probe that sees colours only.
"""

import math

import numpy as np
from jaxtyping import Float32, UInt8

from iwm_scenes.scene import SHAPE_NAMES, TEXTURE_NAMES, Scene, Thing, rgb
from iwm_scenes.shapes import REACH, SHAPES
from iwm_scenes.textures import natural_noise, texture

TONE = 0.3
"""How much a texture lightens and darkens an object's colour."""
SHADE = 0.35
"""How much stronger the light falls off across an object than across the image."""
COMPANION = 0.14
"""Turns of hue between the two colours that the background blends."""

Plane = Float32[np.ndarray, "h w"]


def render(scene: Scene, phases: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "3 h w"]:
    """The image of a scene; ``phases`` (256ths of a turn) make the background's noise."""
    size = phases.shape[0]
    brightness, blend = natural_noise(phases)
    image = background(scene, brightness, blend)
    for thing in scene.things:
        paint(image, thing, scene, blend)
    image *= light(scene, size) * 255
    image += 0.5
    return np.clip(image, 0, 255).astype(np.uint8)


def segment(scene: Scene, size: int) -> UInt8[np.ndarray, "h w"]:
    """The mask of a scene: 0 where the background is, 1 + class where the centre of the pixel lies on an object."""
    mask = np.zeros((size, size), np.uint8)
    for thing in scene.things:
        window, x, y, _ = frame(thing, size)
        mask[window][SHAPES[SHAPE_NAMES[thing.shape]](x, y) <= 0] = 1 + thing.shape
    return mask


def background(scene: Scene, brightness: Plane, blend: Plane) -> Float32[np.ndarray, "3 h w"]:
    """Two neighbouring hues, blended by one field and lightened by the other: natural images vary most in brightness."""
    hue, saturation, value = scene.background_hue, scene.background_saturation, scene.background_value
    first, second = rgb(hue - COMPANION / 2, saturation, value), rgb(hue + COMPANION / 2, saturation, value)
    return ((first + second) / 2 + (second - first) / 3 * blend) * (1 + scene.background_contrast * brightness)


def paint(image: Float32[np.ndarray, "3 h w"], thing: Thing, scene: Scene, noise: Plane) -> None:
    """Draw an object into ``image``."""
    window, x, y, side = frame(thing, image.shape[1])
    cover = np.clip(0.5 - side * SHAPES[SHAPE_NAMES[thing.shape]](x, y), 0, 1)
    tone = 1 + TONE * texture(TEXTURE_NAMES[thing.texture], x, y, thing.phase, side, noise[window])
    # The light's direction in the object's frame, so that the fall-off is a sum of coordinates already at hand.
    angle = 2 * math.pi * (scene.light_azimuth - thing.rotation)
    tone *= 1 + SHADE * scene.light_strength * (math.cos(angle) * x + math.sin(angle) * y)
    patch = image[:, *window]
    patch += cover * (rgb(thing.hue, thing.saturation, thing.value) * tone - patch)


def frame(thing: Thing, size: int) -> tuple[tuple[slice, slice], Plane, Plane, float]:
    """An object's rectangle in the image, the coordinates of its pixels in the object's frame, and the pixels of their unit."""
    side = thing.size * size
    reach = REACH * side + 1
    rows, columns = (slice(max(0, int(c * size - reach)), math.ceil(c * size + reach)) for c in (thing.y, thing.x))
    centres = np.arange(size, dtype=np.float32) + 0.5
    right, up = (centres[columns] - thing.x * size) / side, (thing.y * size - centres[rows]) / side
    cos, sin = math.cos(2 * math.pi * thing.rotation), math.sin(2 * math.pi * thing.rotation)
    x = (right * cos)[None, :] + (up * sin)[:, None]
    y = (up * cos)[:, None] - (right * sin)[None, :]
    return (rows, columns), x, y, side


def light(scene: Scene, size: int) -> Plane:
    """Brightness of the light: 1 less half its strength at the centre; along a diagonal it falls from 1 by the whole strength."""
    angle = 2 * math.pi * scene.light_azimuth
    place = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    toward = (place * math.cos(angle))[None, :] - (place * math.sin(angle))[:, None]
    return (1 - scene.light_strength / 2) + scene.light_strength * math.sqrt(0.5) * toward
