"""The masks of ``iwm predict``: they lie over their images, in colours that the field knows, under names that do not clash."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from iwm_tasks.prediction.answers import Names
from iwm_tasks.prediction.mask_pictures import colour, make_mask
from PIL import Image
from predicting import BLUE, GREEN, RED, asker, picture, table

from iwm_core.interfaces import NOT_COUNTED


@pytest.fixture
def ask(here, monkeypatch, capfd):
    return asker(monkeypatch, capfd)


def test_masks_lie_over_their_images(ask):
    """Left half red, right half blue in the centre square of a wide image; green beside it, which the model does not see."""
    pixels = np.full((40, 70, 3), GREEN, np.uint8)
    pixels[:, 15:35], pixels[:, 35:55] = RED, BLUE
    Path("in").mkdir()
    Image.fromarray(pixels).save("in/wide.png")
    status, _, told = ask("run", "in", tasks=("map", "colour"))
    assert (status, told) == (0, "")
    (row,) = table()
    assert (row["map.mask"], row["map.confidence"]) == ("map/wide.png", "map/wide_confidence.png")
    assert "colour.red" in row, "the other tasks' columns are there too"
    with Image.open(f"run/predictions/{row['map.mask']}") as image:
        assert (image.mode, image.size) == ("P", (70, 40))
        mask, shown = np.array(image), np.array(image.convert("RGB"))
    expected = np.full((40, 70), NOT_COUNTED)
    expected[:, 15:35], expected[:, 35:55] = 0, 2
    assert (mask == expected).all()
    assert (shown[0, 40] == colour(2)).all()
    with Image.open(f"run/predictions/{row['map.confidence']}") as image:
        assert (image.mode, image.size) == ("L", (70, 40))
        sure = np.array(image)
    assert (sure[expected == NOT_COUNTED] == 0).all()
    assert (sure[:, 16:20] == 255).all()
    assert (sure[:, 34:36] < 200).all(), "at the edge both are likely"
    legend = list(csv.reader(Path("run/predictions/map/classes.csv").read_text(encoding="utf-8").splitlines()))
    assert legend[:3] == [["value", "class", "colour"], ["0", "red", "#000000"], ["1", "green", "#800000"]]
    assert legend[-1][0] == str(NOT_COUNTED)


@pytest.mark.parametrize("size", [(37, 52), (64, 64), (9, 5)])
def test_a_mask_is_the_likeliest_class_of_the_resized_probabilities(size):
    probabilities = torch.rand(5, 12, 12, generator=torch.Generator().manual_seed(3)).softmax(0)
    side, (top, left) = min(size), ((size[0] - min(size)) // 2, (size[1] - min(size)) // 2)
    resized = np.stack([np.array(Image.fromarray(p.numpy()).resize((side, side), Image.Resampling.BILINEAR)) for p in probabilities])
    mask = make_mask(probabilities, size)
    assert mask.classes.shape == mask.confidence.shape == size
    inside = mask.classes[top : top + side, left : left + side].numpy()
    clear = np.diff(np.sort(resized, axis=0)[-2:], axis=0)[0] > 1e-5
    assert clear.mean() > 0.9
    assert (inside == resized.argmax(0))[clear].all()
    assert np.abs(mask.confidence[top : top + side, left : left + side].numpy() - 255 * resized.max(0)).max() < 0.51
    assert (mask.classes == NOT_COUNTED).sum() == size[0] * size[1] - side * side


def test_colours_are_distinct_and_those_of_pascal_voc():
    assert len({colour(value) for value in range(256)}) == 256
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {value: colour(value) for value in known} == known


def test_equal_names_of_images_stay_apart(ask):
    files = ["a/x.png", "b/x.png", "b/X.bmp", "c/x_confidence.png", "c/x-2.png", "d/y_confidence.png", "e/y.png"]
    colours = [RED, GREEN, BLUE, GREEN, RED, BLUE, RED]
    for file, c in zip(files, colours, strict=True):
        picture(file, c)
    assert ask("run", *files, tasks=("map",))[0] == 0
    rows = table()
    written = [path for row in rows for path in (row["map.mask"], row["map.confidence"])]
    assert len({path.lower() for path in written}) == 2 * len(files)
    for row, c in zip(rows, colours, strict=True):
        with Image.open(f"run/predictions/{row['map.mask']}") as image:
            assert (np.array(image) == c.index(255)).all(), row
    assert rows[0]["map.mask"] == "map/x.png"


def test_many_equal_names_cost_little():
    names = Names()
    given = [names.new("image") for _ in range(20_000)]
    assert len(set(given)) == 20_000
    assert given[-1] == "image-20000"
