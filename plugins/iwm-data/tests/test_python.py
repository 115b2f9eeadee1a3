"""The data source `python`: datasets of every sort, their labels and classes, and what is held out."""

import datasets
import numpy as np
import pytest
import torch
from iwm_data import python
from iwm_data.python import Python, class_names, holding, number_of
from iwm_devkit import check_data_source
from PIL import Image
from torch.utils.data import Subset, TensorDataset
from torchvision.datasets import ImageFolder

from iwm_core.interfaces import CorruptImage, UserError

BYTES = torch.randint(0, 256, (40, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(40) % 3


class Named(list):
    classes = ("red", "green", "blue")


def pairs():
    return Named(zip(BYTES, LABELS.tolist(), strict=True))


def opened(dataset, split="train", holdout=0.0):
    with Python.take(dataset):
        return Python(holdout=holdout).open(split)


@pytest.mark.parametrize("given", [pairs(), {"train": pairs(), "val": TensorDataset(BYTES[:5])}, list(BYTES)])
def test_it_keeps_to_the_contract_of_data_sources(given):
    with Python.take(given):
        check_data_source(Python())
    assert python.here == {}


def test_images_and_labels_are_those_of_the_items():
    images = opened(pairs())
    assert images.classes == ("red", "green", "blue")
    for index in range(40):
        assert torch.equal(images.image(index), BYTES[index])
        assert images.label(index) == LABELS[index]
    assert images.describe(7) == "data[7]"


class Counted(list):
    classes = ("a", "b", "c")
    asked = 0

    def __getitem__(self, index):
        Counted.asked += 1
        return super().__getitem__(index)


def test_an_item_is_asked_for_once_for_its_image_and_its_label():
    images = opened(Counted(pairs()))
    Counted.asked = 0
    for index in range(40):
        images.image(index)
        images.label(index)
    assert Counted.asked == 40


def test_what_is_held_out_is_apart_and_further_images_move_no_other():
    splits = {}
    for count in (30, 40):
        data = [(image, None) for image in BYTES[:count]]
        parts = [opened(data, split, holdout=0.3) for split in ("train", "validation")]
        splits[count] = [set(images.rows.tolist()) for images in parts]
        assert splits[count][0] | splits[count][1] == set(range(count))
        assert not splits[count][0] & splits[count][1]
    assert splits[30][1] == {row for row in splits[40][1] if row < 30}
    assert 5 <= len(splits[40][1]) <= 20
    with pytest.raises(ValueError, match="holdout=0 leaves no image for validation"):
        opened(list(BYTES), "validation")
    own = opened({"train": list(BYTES), "valid": list(BYTES[:4])}, "validation")
    assert (len(own), own.describe(2)) == (4, "validation[2]")


def test_classes_are_those_that_a_dataset_names_or_tells_all_labels_of(image_folder):
    assert class_names(ImageFolder(image_folder / "train")) == ("a", "b")
    assert class_names(Subset(Subset(pairs(), range(9)), range(3))) == Named.classes
    assert class_names(TensorDataset(BYTES, LABELS)) == ("0", "1", "2")
    assert class_names(TensorDataset(BYTES, LABELS / 2)) == ()
    assert class_names(TensorDataset(BYTES)) == ()
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["no", "yes"])})
    table = datasets.Dataset.from_dict({"img": [Image.fromarray(np.zeros((4, 4, 3), np.uint8))] * 2, "label": [1, 0]}, features=features)
    assert class_names(table) == ("no", "yes")
    images = opened(table)
    assert [images.label(index) for index in range(2)] == [1, 0]
    assert images.image(0).shape == (3, 4, 4)


@pytest.mark.parametrize(
    ("label", "number"),
    [
        (3, 3),
        (np.int64(2), 2),
        (torch.tensor(1), 1),
        (np.array(0), 0),
        (-1, None),
        (None, None),
        (True, None),
        ("3", None),
        (2.0, None),
        ([1], None),
    ],
)
def test_a_label_is_a_whole_number(label, number):
    assert number_of(label) == number


def test_labels_that_are_left_out_are_told():
    assert "names no classes" in opened([(image, 1) for image in BYTES]).notes[0]
    assert "labels of the type str" in opened([(image, "cat") for image in BYTES]).notes[0]
    for unlabelled in (list(BYTES), [(image, None) for image in BYTES], pairs()):
        assert opened(unlabelled).notes == ()


class Broken(Named):
    def __getitem__(self, index):
        if index == 2:
            raise OSError("truncated file")
        if index == 3:
            return np.full((4, 4, 3), 7.0), 0
        return super().__getitem__(index)


def test_a_broken_item_is_corrupt_or_named_in_one_line():
    images = opened(Broken(pairs()))
    with pytest.raises(CorruptImage, match="cannot be read: truncated file"):
        images.image(2)
    with pytest.raises(UserError, match=r"data\[3\]: an image of floats lies in \[0, 1\], got values from 7 to 7; divide by 255"):
        images.image(3)
    with pytest.raises(UserError, match=r"data\[0\] has the label 5, and there are 3 classes"):
        opened(Named([(BYTES[0], 5)])).label(0)


def test_one_training_at_a_time_has_data_of_its_own():
    with Python.take(pairs()), pytest.raises(UserError, match="under way"), holding({"train": pairs()}):
        pass
    assert python.here == {}
