"""The component: its fields, its errors, its hook."""

import iwm_scenes
import pytest
import torch
from iwm_scenes.source import Scenes


def test_the_hook_returns_the_component() -> None:
    assert [each.name for each in iwm_scenes.iwm_data_sources()] == ["scenes", "scenes_relit"]


def test_splits_have_the_asked_lengths_and_say_what_they_hold() -> None:
    source = Scenes(train=30, validation=20)
    train, validation = source.open("train"), source.open("validation")
    assert (len(train), len(validation)) == (30, 20)
    assert len(train.classes) == 10
    assert len(train.factors) == train.factor(0).numel() == 16
    assert train.factor(0).dtype == torch.float32
    assert train.describe(3) == f"scenes/train/3 ({train.classes[train.label(3)]})"
    for index in (-1, 20):
        with pytest.raises(IndexError, match="0 to 19"):
            validation.image(index)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 4}, "scenes.size must be at least 8"),
        ({"train": 0}, "scenes.train must be at least 1"),
        ({"objects": [3, 1]}, "fewest and most"),
        ({"objects": [2]}, "fewest and most"),
        ({"objects": [1, 10]}, "scenes.objects must be at most 9"),
        ({"seed": -1}, "scenes.seed must be at least 0"),
    ],
)
def test_a_mistaken_field_is_named(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scenes(**fields)


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(ValueError, match="train and validation, not 'test'"):
        Scenes().open("test")
