"""Evaluators see what training shows: where an action crops from a canvas larger than the images, they crop from that canvas, too.

Images are chequered, pixel by pixel: seen whole at the model's size they are even grey, and only a crop of the canvas shows the chequers.
"""

import numpy as np
import pytest
import torch
from iwm_evals.measuring.run_data import RunData
from iwm_vit.encoder import ViTEncoder
from PIL import Image

from iwm_core.cli.main import dispatch
from iwm_core.data.reading import Reader
from iwm_core.data.view import random_views
from iwm_core.interfaces.draws import Draws
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw

CANVAS, SIZE = 32, 16
CROPPED = [
    "actions=[crop,gain]",
    f"actions.crop.size={SIZE}",
    "actions.crop.scale=[0.25,0.25]",
    "actions.crop.ratio=[1,1]",
    "actions.gain.strength=0.1",
    f"view.canvas={CANVAS}",
    "view.scale=[1,1]",
    "view.ratio=[1,1]",
    "view.flip=0",
    "data=folder",
]
SMALL = {
    "error": ["images=4"],
    "mrr": ["images=2", "bank=8", "part_images=0"],
    "health": ["images=4"],
    "planning": ["images=4", "candidates=8", "searches=[bank]"],
    "equivariance": ["images=4", "train=10"],
}
"""Evaluators that draw views, and what keeps them quick."""
CLEAR, EVEN = 0.1, 0.05  # standard deviation over an image's pixels of chequers that are seen, and of grey


@pytest.fixture
def folder(tmp_path):
    chequers = np.indices((CANVAS, CANVAS)).sum(0) % 2
    for split in ("train", "validation"):
        (tmp_path / "images" / split / "a").mkdir(parents=True)
        for number in range(12):
            light = (chequers * (255 - number)).astype(np.uint8)
            Image.fromarray(light).convert("RGB").save(tmp_path / "images" / split / "a" / f"{number:02}.png")
    return tmp_path / "images"


@pytest.fixture
def seen(monkeypatch):
    """The contrast of each image that an encoder is given."""
    contrasts = []
    forward = ViTEncoder.forward

    def watched(self, images, keep=None):
        assert images.shape[2:] == (SIZE, SIZE)
        contrasts.extend(images.mean(1).std((1, 2)).tolist() if not images.is_meta else [])
        return forward(self, images, keep)

    monkeypatch.setattr(ViTEncoder, "forward", watched)
    return contrasts


@pytest.mark.slow
def test_evaluators_crop_from_the_canvas_that_training_crops_from(tiny, folder, seen):
    assert dispatch(["train", "recipe=tiny", *CROPPED, f"data.path={folder}", "train.steps=2", "train.lr.warmup=0", "run=r"]) == 0
    shown = max(seen)
    assert shown > CLEAR
    for evaluator, options in SMALL.items():
        seen.clear()
        assert dispatch(["eval", "r", f"evaluators=[{evaluator}]", *(f"evaluators.{evaluator}.{option}" for option in options)]) == 0
        assert CLEAR < max(seen) < shown + EVEN, f"{evaluator} shows the model other crops than training does"


def test_an_image_seen_whole_is_the_canvas_at_the_size_of_the_model(tiny, folder, seen):
    """What is neither source nor target, as features of a probe: grey, since the model's size cannot show the chequers."""
    assert dispatch(["train", "recipe=tiny", *CROPPED, f"data.path={folder}", "train.steps=2", "train.lr.warmup=0", "run=r"]) == 0
    seen.clear()
    assert dispatch(["eval", "r", "evaluators=[mrr]", *(f"evaluators.mrr.{option}" for option in SMALL["mrr"])]) == 0
    assert min(seen) < EVEN


@pytest.mark.parametrize("canvas", [16, 24, 32, 40])
def test_the_canvas_is_the_view_of_training_where_that_shows_the_whole_square(tiny, folder, canvas):
    config, _ = compose("tiny", [*CROPPED, f"data.path={folder}", f"view.canvas={canvas}"])
    recipe = thaw(config)
    (batch,) = RunData(recipe, torch.device("cpu")).batches("train", 12, 12)
    images = recipe.data.open("train")
    trained, _, _ = random_views(list(Reader(images).samples(torch.arange(12))), Draws(0, 0, torch.arange(12)), recipe.view, canvas)
    assert batch.images.shape == (12, 3, canvas, canvas)
    assert torch.equal(batch.images, torch.stack([view.image for view in trained]) / 255)
