"""Draws ``imagined.png``, the README's first picture: ``python docs/make_imagined.py RUN``, of a run that `imagination` has measured.

Decision: it is made of the tiles that lie in the run, so that it shows what everybody's run shows, and needs no model.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from iwm_report.gallery import draw_gallery, write_picture
from PIL import Image
from torch import Tensor

import iwm_core
from iwm_core.interfaces import Gallery, Row

PICTURE = Path(__file__).resolve().parent / "imagined.png"
STRIP = "imagined_jitter_hue"


def main(run: str) -> None:
    """Draw the first image's strip."""
    found = {name: gallery for one in iwm_core.measured(run) for name, gallery in one.galleries.items()}
    if STRIP not in found:
        raise SystemExit(f"{run} has no {STRIP}: iwm eval {run} evaluators=[imagination]")
    rows = tuple(loaded(row) for row in found[STRIP].rows[:3])
    gallery = Gallery(
        name="imagined",
        title="What the world model imagines",
        subtitle="The model is told how to change a held-out image, and predicts the tokens of the result. A decoder, trained afterwards "
        "and no part of the model, draws them.",
        headings=("",) * len(rows[0].images),
        rows=rows,
        about=found[STRIP].about,
    )
    write_picture(draw_gallery(gallery), PICTURE)
    print(f"wrote {PICTURE}")


def loaded(row: Row) -> Row:
    """A row with its images in the place of their files."""
    return row._replace(images=tuple(pixels(path) for path in row.images))


def pixels(path: Tensor | Path) -> Tensor:
    """An image file as values in [0, 1], [3, h, w]."""
    assert isinstance(path, Path)
    with Image.open(path) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("say which run: python docs/make_imagined.py RUN")
    main(sys.argv[1])
