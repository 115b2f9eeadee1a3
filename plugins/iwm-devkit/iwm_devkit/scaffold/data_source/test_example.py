"""What every data source must keep to, and what is in these images."""

import torch

from iwm_devkit import check_data_source
from iwm_devkit.scaffold.data_source.example import Example


def test_contract() -> None:
    check_data_source(Example())


def test_stripes_run_as_the_label_says_and_are_as_many_as_the_factor_says() -> None:
    images = Example().open("train")
    for index in range(20):
        image = images.image(index)
        image = image if images.classes[images.label(index)] == "rows" else image.transpose(1, 2)
        assert torch.equal(image, image[:, :, :1].expand_as(image))
        edges = (image[:, 1:, 0] != image[:, :-1, 0]).any(dim=0).sum()
        assert edges + 1 == images.factor(index)


def test_no_image_is_in_both_splits() -> None:
    train, validation = (Example().open(split) for split in ("train", "validation"))
    assert not any(torch.equal(train.image(index), validation.image(index)) for index in range(20))
