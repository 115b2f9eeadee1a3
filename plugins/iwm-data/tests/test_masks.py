"""Masks from folders and tables: values as they are, and one clear line for whatever is wrong with them."""

import io
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import Dataset, Features
from iwm_data.folder import Folder
from iwm_data.hub import Hub
from iwm_data.masks import decode_mask
from PIL import ExifTags, Image

from iwm_core.interfaces import CorruptImage

VALUES = np.array([[0, 1, 2, 255], [2, 2, 0, 1], [255, 0, 1, 1]], dtype=np.uint8)
CLASSES = ["sky", "sea", "land"]


def png(image: Image.Image, **more) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **more)
    return file.getvalue()


def grey(values=VALUES) -> bytes:
    return png(Image.fromarray(values))


def palette() -> bytes:
    image = Image.frombytes("P", (4, 3), VALUES.tobytes())
    image.putpalette([i * 7 % 256 for i in range(768)])
    return png(image)


@pytest.mark.parametrize("data", [grey(), grey(VALUES.astype(np.uint16)), palette()], ids=["grey", "16 bits", "palette"])
def test_values_are_taken_as_they_are(data):
    mask = decode_mask(data, CLASSES, "it")
    assert mask.numpy().dtype == np.uint8
    assert np.array_equal(mask.numpy(), VALUES)


def test_black_and_white_are_two_classes():
    assert np.array_equal(decode_mask(png(Image.fromarray(VALUES == 1)), CLASSES, "it").numpy(), VALUES == 1)


def test_a_mask_is_turned_as_an_image_is():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be shown a quarter turn clockwise
    mask = decode_mask(png(Image.fromarray(VALUES), exif=exif.tobytes()), CLASSES, "it")
    assert np.array_equal(mask.numpy(), np.rot90(VALUES, -1))


def test_masks_that_are_mistakes():
    colours = png(Image.fromarray(np.stack([VALUES] * 3, axis=-1)))
    with pytest.raises(ValueError, match=r"^the mask a.png has colours \(RGB\): write masks as images of one channel"):
        decode_mask(colours, CLASSES, "the mask a.png")
    line = r"^the mask a.png has the value 2, and data.mask_classes names 2 \(0 to 1\): name them all, or add those that do not count to"
    with pytest.raises(ValueError, match=line):
        decode_mask(grey(), CLASSES[:2], "the mask a.png")
    with pytest.raises(ValueError, match="has the value 256, and"):
        decode_mask(grey(VALUES.astype(np.uint16) + 1), CLASSES, "it")


@pytest.mark.parametrize("data", [b"", b"no image", grey()[:50]], ids=["empty", "text", "cut short"])
def test_masks_that_are_broken(data):
    with pytest.raises(CorruptImage, match="^the mask a.png: ."):
        decode_mask(data, CLASSES, "the mask a.png")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two training images and a validation image, with masks in a folder beside."""
    for i, name in enumerate(["train/cat/a.jpg", "train/b.c.png", "val/cat/d.png"]):
        for path in tmp_path / "data" / name, (tmp_path / "masks" / name).with_suffix(".png"):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), (i, 0, 0)).save(tmp_path / "data" / name)
        (tmp_path / "masks" / name).with_suffix(".png").write_bytes(grey(np.roll(VALUES, i)))
    return tmp_path


def opened(folder, split="train", **more):
    return Folder(path=str(folder / "data"), masks=str(folder / "masks"), mask_classes=CLASSES, **more).open(split)


def refusal(*args, **more):
    with pytest.raises(ValueError, match=r"\S") as caught:
        opened(*args, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_masks_of_a_folder(folder):
    train, validation = opened(folder), opened(folder, "validation")
    assert train.mask_classes == validation.mask_classes == ("sky", "sea", "land")
    assert [train.describe(i) for i in range(2)] == ["train/b.c.png", "train/cat/a.jpg"]
    for images, place, roll in (train, 1, 0), (train, 0, 1), (validation, 0, 2):
        assert np.array_equal(images.mask(place).numpy(), np.roll(VALUES, roll))
    without = Folder(path=str(folder / "data")).open("train")
    assert (without.mask(0), without.mask_classes) == (None, ())


def test_an_image_without_a_mask(folder):
    late = opened(folder)
    (folder / "masks/train/b.c.png").unlink()
    file = f"there is no file {folder}/masks/train/b.c.png"
    assert refusal(folder) == f"no mask for train/b.c.png: {file}; add it, or check data.masks"
    with pytest.raises(ValueError, match=f"^the mask of train/b.c.png is missing: {file}$"):
        late.mask(0)
    (folder / "masks/train/cat/a.png").unlink()
    assert refusal(folder) == f"2 of 2 images have no mask, such as train/b.c.png: {file}; add it, or check data.masks"
    opened(folder, "validation")


def test_a_mask_that_is_a_folder_cannot_be_read(folder):
    images = opened(folder)
    (folder / "masks/train/b.c.png").unlink()
    (folder / "masks/train/b.c.png").mkdir()
    with pytest.raises(CorruptImage, match=f"^the mask {folder}/masks/train/b.c.png cannot be read: Is a directory$"):
        images.mask(0)


def test_masks_among_the_images(folder):
    (folder / "masks").rename(folder / "data/train/masks")
    with pytest.raises(ValueError, match=r"data.masks=.*/data/train/masks lies among the images of .*/data/train: move it out of there"):
        Folder(path=str(folder / "data"), masks=str(folder / "data/train/masks"), mask_classes=CLASSES).open("train")


def test_masks_and_names_come_together():
    with pytest.raises(ValueError, match="data.masks needs data.mask_classes: name what the values"):
        Folder(path="x", masks="y")
    with pytest.raises(ValueError, match="data.mask_classes needs data.masks: say where the masks are"):
        Folder(path="x", mask_classes=CLASSES)
    with pytest.raises(ValueError, match="data.mask_column needs data.mask_classes"):
        Hub(path="x", mask_column="y")
    with pytest.raises(ValueError, match="has 256 names; masks have at most 255 classes, 0 to 254"):
        Folder(path="x", masks="y", mask_classes=[str(i) for i in range(256)])


@pytest.fixture
def table(tmp_path, monkeypatch) -> Path:
    """A table whose masks come first and look like images; the third row has none, the fourth a broken one."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    masks = [grey(), palette(), None, b"no image"]
    cells = {
        "mask": [mask and {"bytes": mask, "path": None} for mask in masks],
        "photo": [{"bytes": png(Image.new("RGB", (4, 3), (i, 0, 0))), "path": None} for i in range(4)],
    }
    Dataset.from_dict(cells, features=Features({name: datasets.Image() for name in cells})).to_parquet(tmp_path / "a.parquet")
    return tmp_path / "a.parquet"


def test_masks_of_a_table(table):
    images = Hub(path=str(table), holdout=0.0, mask_column="mask", mask_classes=CLASSES).open("train")
    assert [int(images.image(i)[0].max()) for i in range(4)] == [0, 1, 2, 3], "the images are the other column"
    assert images.mask_classes == ("sky", "sea", "land")
    for i in 0, 1:
        assert np.array_equal(images.mask(i).numpy(), VALUES)
    with pytest.raises(
        ValueError, match="^the mask of a row 2 is missing: the column mask is empty there; give it one, or take the row out"
    ):
        images.mask(2)
    with pytest.raises(CorruptImage, match="^the mask of a row 3: not an image"):
        images.mask(3)
    assert Hub(path=str(table), holdout=0.0, image_column="photo").open("train").mask(0) is None


def test_a_mask_column_that_is_not_there(table):
    with pytest.raises(ValueError, match="there is no column masks: set data.mask_column to one of mask, photo"):
        Hub(path=str(table), mask_column="masks", mask_classes=CLASSES).open("train")
