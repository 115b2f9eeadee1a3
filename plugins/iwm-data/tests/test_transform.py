"""`iwm_data.transform`: whatever a person has for an image becomes what evaluation makes of its file."""

import inspect
import pickle

import datasets
import iwm_data
import numpy as np
import pytest
import torch
from iwm_data.folder import Folder
from iwm_data.preparing import Prepared, Transform
from iwm_evals.measuring.squares import Squares
from PIL import Image
from torch.utils.data import DataLoader, TensorDataset
from torchvision.datasets import ImageFolder

from iwm_core.data.reading import Reader
from iwm_core.interfaces import CorruptImage

SIZE = 16


@pytest.fixture
def files(image_folder):
    """Sixteen files, and what evaluation makes of them."""
    images = Folder(path=str(image_folder)).open("train")
    paths = [images.file(index) for index in range(16)]
    return paths, Squares(Reader(images), SIZE)(torch.arange(16))[0].images.float() / 255


def kinds(path):
    """All that a file may be for a person."""
    image = Image.open(path)
    array = np.asarray(image)
    tensor = torch.from_numpy(array.copy()).permute(2, 0, 1)
    return {"path": path, "Pillow": image, "array": array, "bytes": tensor, "floats": tensor / 255, "doubles": array / 255}


def test_all_kinds_of_an_image_become_what_evaluation_makes_of_its_file(files):
    transform = iwm_data.transform(SIZE)
    for path, expected in zip(*files, strict=True):
        for kind, given in kinds(path).items():
            made = transform(given)
            assert torch.equal(made, expected), kind
            assert torch.equal(transform(made), made), "once is enough"


def test_several_images_become_a_batch(files):
    paths, expected = files
    transform = iwm_data.transform(SIZE)
    arrays = np.stack([np.asarray(Image.open(path)) for path in paths])
    for given in (paths, tuple(paths), arrays, torch.from_numpy(arrays).permute(0, 3, 1, 2), [kinds(path)["Pillow"] for path in paths]):
        assert torch.equal(transform(given), expected)
    assert transform([]).shape == (0, 3, SIZE, SIZE)


def test_it_is_a_transform_for_torchvision_for_datasets_and_for_datasets_of_torch(files, image_folder):
    paths, expected = files
    transform = pickle.loads(pickle.dumps(iwm_data.transform(SIZE)))  # as workers are given it
    images, labels = next(iter(DataLoader(ImageFolder(image_folder / "train", transform=transform), batch_size=16)))
    assert torch.equal(images, expected)
    assert labels.tolist() == [0] * 16
    table = datasets.Dataset.from_dict({"image": paths, "label": list(range(16))}).cast_column("image", datasets.Image())
    assert torch.equal(torch.stack(list(table.with_transform(transform)[:4]["image"])), expected[:4])
    for dataset in (table, [{"image": path, "label": 5} for path in paths]):
        rows = transform(dataset) if dataset is table else Prepared(dataset, transform)
        assert torch.equal(rows[2]["image"], expected[2])
        assert len(rows) == 16
    pixels = torch.stack([kinds(path)["bytes"] for path in paths])
    images, labels = next(iter(DataLoader(transform(TensorDataset(pixels, torch.arange(16))), batch_size=16)))
    assert torch.equal(images, expected)
    assert labels.tolist() == list(range(16))
    assert torch.equal(Prepared(list(pixels), transform)[3], expected[3])


def test_an_image_of_a_phone_is_upright_and_grey_has_three_channels(tmp_path):
    wide = np.zeros((20, 40, 3), dtype=np.uint8)
    wide[:, 10:20] = 255
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(wide).save(tmp_path / "a.png", exif=turned)
    transform = iwm_data.transform(20)
    made = transform(Image.open(tmp_path / "a.png"))
    assert torch.equal(made, transform(np.rot90(wide, -1)))
    assert made[:, :10].mean() > 0.9
    assert made[:, 10:].mean() < 0.1
    grey = torch.arange(16, dtype=torch.uint8).reshape(4, 4)
    for given in (grey, grey[None], grey.numpy(), grey.numpy()[..., None], Image.fromarray(grey.numpy())):
        assert torch.equal(iwm_data.transform(4)(given), grey.expand(3, 4, 4) / 255)


def test_deep_colours_have_the_white_of_the_models_data(tmp_path):
    deep = (np.arange(16, dtype=np.uint16) * 100).reshape(4, 4)
    Image.fromarray(deep).save(tmp_path / "a.png")
    made = Transform(4, white=2000)(str(tmp_path / "a.png"))
    torch.testing.assert_close(made[0], torch.from_numpy(deep / 2000).float(), rtol=0, atol=0.002)


PIXELS = np.zeros((4, 5, 3), dtype=np.uint8)
WRONG = {
    "normalised": (torch.full((3, 4, 4), -1.5), "undo its normalisation"),
    "of 255": (torch.full((3, 4, 4), 200.0), "divide by 255"),
    "not a number": (torch.full((3, 4, 4), torch.nan), r"lies in \[0, 1\]"),
    "a tensor with channels last": (torch.from_numpy(PIXELS), r"permute\(2, 0, 1\)"),
    "an array with channels first": (PIXELS.transpose(2, 0, 1), r"transpose\(1, 2, 0\)"),
    "four channels": (torch.zeros(4, 4, 4, dtype=torch.uint8), r"\[3, h, w\].* got \[4, 4, 4\]"),
    "whole numbers": (PIXELS.astype(np.int64), "got int64"),
    "no pixels": (np.zeros((0, 4, 3), dtype=np.uint8), "no pixels"),
    "a number": (3, "got a int"),
    "a row without an image": ({"label": 1}, "call it image"),
    "not there": ("nowhere.png", "nowhere.png cannot be read"),
    "no image": (__file__, "test_transform.py not an image"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_image_is_refused_in_one_line(wrong):
    given, words = WRONG[wrong]
    with pytest.raises((ValueError, CorruptImage), match=words) as told:
        iwm_data.transform(8)(given)
    assert len(str(told.value).splitlines()) == 1
    assert len(str(told.value)) <= 400


@pytest.mark.parametrize("model", [None, "run", 0, True, object()])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(ValueError, match="as iwm_core.load returns it"):
        inspect.unwrap(iwm_data.transform)(model)
