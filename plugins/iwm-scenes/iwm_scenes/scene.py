"""What is in an image: from random numbers to objects, light and colours.

Decisions:
- A scene is a pure function of its row of uniform numbers; every choice reads numbers of its own, so all choices are independent.
  Above all, an object's shape tells nothing of its colour, texture, size, place or light, nor of the background.
- Hue, rotation and light direction are uniform over the full turn (rotation over the part of it that is asked for); the other numbers
  are uniform between the bounds in `RANGES`.
- Objects never overlap and never leave the image, so their visible area does not tell their shape: ``count`` objects stand in cells
  of the smallest square grid with as many cells, each uniform over the places in its cell where any shape of its size fits.
- Object 0 is the main object, the largest of the image: its class is the label and its numbers are the factors. The others
  have 0.55 to 0.9 of its size.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from iwm_core.interfaces import Factor
from iwm_scenes.shapes import REACH, SHAPES
from iwm_scenes.textures import TEXTURES

MOST_OBJECTS = 9
RANGES = {
    "saturation": (0.45, 0.95),
    "value": (0.5, 0.9),
    "size": (0.34, 0.54),
    "light_strength": (0.0, 0.6),
    "background_saturation": (0.2, 0.9),
    "background_value": (0.25, 0.9),
    "background_contrast": (0.1, 0.35),
}
SHAPE_NAMES, TEXTURE_NAMES = tuple(SHAPES), tuple(TEXTURES)


class Thing(NamedTuple):
    """One object.

    Attributes:
        shape, texture: positions in `SHAPE_NAMES` and `TEXTURE_NAMES`.
        hue, saturation, value: the colour before light and texture; hue in turns.
        x, y: centre of area from the left and from the top, as shares of the image's side.
        size: side of a square of the same area, as a share of the image's side.
        rotation: counter-clockwise, in turns.
        phase: where the texture's pattern begins, in periods.
    """

    shape: int
    texture: int
    hue: float
    saturation: float
    value: float
    x: float
    y: float
    size: float
    rotation: float
    phase: float


class Scene(NamedTuple):
    """All objects, and what surrounds them; ``light_azimuth`` is where the light comes from, in turns counter-clockwise from the right."""

    things: tuple[Thing, ...]
    light_azimuth: float
    light_strength: float
    background_hue: float
    background_saturation: float
    background_value: float
    background_contrast: float


THING_NUMBERS, SCENE_NUMBERS = len(Thing._fields), 7 + MOST_OBJECTS
FACTORS = (
    Factor("shape", "class", SHAPE_NAMES),
    Factor("texture", "class", TEXTURE_NAMES),
    Factor("hue", "turn"),
    *(Factor(name) for name in ("saturation", "value", "x", "y", "size")),
    Factor("rotation", "turn"),
    Factor("light_azimuth", "turn"),
    Factor("light_strength"),
    Factor("background_hue", "turn"),
    *(Factor(name) for name in ("background_saturation", "background_value", "background_contrast", "objects")),
)


def between(unit: float, name: str) -> float:
    low, high = RANGES[name]
    return low + unit * (high - low)


def make_scene(uniforms: Float32[np.ndarray, "numbers"], fewest: int, most: int, rotation: float = 1.0) -> Scene:
    """The scene of a row of `SCENE_NUMBERS` + ``most`` · `THING_NUMBERS` numbers in [0, 1); objects rotate by up to ``rotation`` turns."""
    row: list[float] = uniforms.tolist()
    how_many, azimuth, strength, hue, saturation, value, contrast = row[:7]
    count = fewest + int(how_many * (most - fewest + 1))
    grid = next(side for side in range(1, MOST_OBJECTS + 1) if side * side >= count)
    cells = sorted(range(grid * grid), key=row[7:SCENE_NUMBERS].__getitem__)
    main_size = between(row[SCENE_NUMBERS], "size") / grid
    things = []
    for number in range(count):
        size, *rest = row[SCENE_NUMBERS + number * THING_NUMBERS :][:THING_NUMBERS]
        size = main_size if number == 0 else main_size * (0.55 + 0.35 * size)
        things.append(make_thing(rest, size, divmod(cells[number], grid), grid, rotation))
    return Scene(
        things=tuple(things),
        light_azimuth=azimuth,
        light_strength=between(strength, "light_strength"),
        background_hue=hue,
        background_saturation=between(saturation, "background_saturation"),
        background_value=between(value, "background_value"),
        background_contrast=between(contrast, "background_contrast"),
    )


def make_thing(units: list[float], size: float, cell: tuple[int, int], grid: int, rotation: float) -> Thing:
    """The object of nine numbers in [0, 1), of a given size, in the cell (row, column) of the grid."""
    shape, texture, hue, saturation, value, x, y, turn, phase = units
    row, column = cell
    room = 0.5 / grid - REACH * size
    return Thing(
        shape=int(shape * len(SHAPE_NAMES)),
        texture=int(texture * len(TEXTURE_NAMES)),
        hue=hue,
        saturation=between(saturation, "saturation"),
        value=between(value, "value"),
        x=(column + 0.5) / grid + (2 * x - 1) * room,
        y=(row + 0.5) / grid + (2 * y - 1) * room,
        size=size,
        rotation=turn * rotation,
        phase=phase,
    )


def factors_of(scene: Scene) -> list[float]:
    """The numbers of the main object and its surroundings, in the order of `FACTORS`."""
    known = scene.things[0]._asdict() | scene._asdict() | {"objects": len(scene.things)}
    return [float(known[factor.name]) for factor in FACTORS]


def rgb(hue: float, saturation: float, value: float) -> Float32[np.ndarray, "3 1 1"]:
    """A colour given as hue (turns), saturation and value, ready to be spread over pixels."""
    sectors = ((start + 6 * hue) % 6 for start in (5, 3, 1))
    channels = [value * (1 - saturation * min(max(min(sector, 4 - sector), 0), 1)) for sector in sectors]
    return np.array(channels, np.float32).reshape(3, 1, 1)
