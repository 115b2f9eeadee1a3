"""Draws the pictures of the gallery of plugins, ``gallery-data.png``, ``-actions`` and ``-masks``: ``python docs/make_gallery.py``.

Decision: they are drawn by the components themselves, with fixed numbers, so that the same code gives the same pictures.
"""

from pathlib import Path

import torch
from iwm_crop.crop import Crop
from iwm_crop.flip import Flip
from iwm_masking.ijepa import IJepa
from iwm_masking.multiblock import MultiBlock
from iwm_masking.random_patches import RandomPatches
from iwm_photometric.blur import Blur
from iwm_photometric.grayscale import Grayscale
from iwm_photometric.jitter import Jitter
from iwm_photometric.solarize import Solarize
from iwm_report.gallery import draw_gallery, write_picture
from iwm_scenes.source import Scenes
from jaxtyping import Float
from torch import Tensor

from iwm_core.interfaces import Action, Draws, Gallery, Row, TargetSelector

DOCS = Path(__file__).resolve().parent
SIZE, GRID, COLUMNS = 96, 14, 6
SCENE = 1
"""The image that is acted on, and masked."""
APPLIED: dict[str, tuple[Action, list[float]]] = {
    "brightness ×1.4": (Jitter(), [1.4, 1, 1, 0]),
    "contrast ×0.5": (Jitter(), [1, 0.5, 1, 0]),
    "saturation ×0.2": (Jitter(), [1, 1, 0.2, 0]),
    "hue +0.3 turns": (Jitter(), [1, 1, 1, 0.3]),
    "grayscale": (Grayscale(), [1]),
    "blur, 2 pixels": (Blur(), [2]),
    "solarize": (Solarize(), [1]),
    "crop": (Crop(), [0.3, 0.1, 0.6, 0.7]),
    "flip": (Flip(), [1]),
}
PALE, CONTEXT, TARGET = (0.88, 0.88, 0.88), (0.0, 0.45, 0.70), (0.84, 0.37, 0.0)  # blue and vermilion of Okabe and Ito


def main() -> None:
    """Draw all pictures."""
    images = Scenes(size=SIZE, objects=[1, 3]).open("train").images(torch.arange(24)).float() / 255
    write("data", "Scenes of iwm-scenes", "Images made by code, with labels, masks and every factor known.", [("", images[:COLUMNS])])
    source = images[SCENE : SCENE + 1]
    done = {"source": source[0]} | {name: action.apply(source, torch.tensor([p]))[0] for name, (action, p) in APPLIED.items()}
    rows = [dict(list(done.items())[start : start + COLUMNS - 1]) for start in range(0, len(done), COLUMNS - 1)]
    write("actions", "Actions of iwm-photometric and iwm-crop", "What each makes of one image.", [("", row) for row in rows])
    selectors = [MultiBlock(), IJepa(), RandomPatches()]
    masks = [(selector.name, masked(selector)) for selector in selectors]
    about = "Blue: patches that the student sees. Vermilion: those that the predictor predicts. Six draws of each."
    write("masks", "Target selectors of iwm-masking", about, masks)


def masked(selector: TargetSelector) -> Float[Tensor, "n 3 h w"]:
    """What a selector chooses, a picture for each of a few draws."""
    targets = selector.select(Draws(0, 0, torch.arange(COLUMNS), "gallery"), (GRID, GRID))
    pictures = torch.tensor(PALE).repeat(COLUMNS, GRID * GRID, 1)
    for picture, context, target in zip(pictures, targets.context, targets.target, strict=True):
        picture[context] = torch.tensor(CONTEXT)
        picture[target.flatten()] = torch.tensor(TARGET)
    return pictures.unflatten(1, (GRID, GRID)).permute(0, 3, 1, 2)


def write(name: str, title: str, about: str, rows: list[tuple[str, dict[str, Tensor] | Tensor]]) -> None:
    """Draw a picture, with a row for each title and its images, which may have names."""
    made = []
    for heading, images in rows:
        named = images if isinstance(images, dict) else {str(place): image for place, image in enumerate(images)}
        captions = tuple(named) if isinstance(images, dict) else ()
        made.append(Row(images=tuple(named.values()), numbers={}, verdict="", right=None, title=heading, captions=captions))
    columns = max(len(row.images) for row in made)
    picture = draw_gallery(Gallery(name=name, title=title, subtitle=about, headings=("",) * columns, rows=tuple(made), about=""))
    write_picture(picture, DOCS / f"gallery-{name}.png")


if __name__ == "__main__":
    main()
