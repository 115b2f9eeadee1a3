"""Pairs under two lights: they differ in light alone, and the observed action says how."""

import pytest
import torch
from iwm_devkit import check_data_source
from iwm_scenes.relit import RelitScenes
from iwm_scenes.scene import FACTORS
from iwm_scenes.source import Scenes

SIDE = 32
AZIMUTH, STRENGTH = ([factor.name for factor in FACTORS].index(name) for name in ("light_azimuth", "light_strength"))


def pairs(count=64, **fields):
    images = RelitScenes(size=SIDE, train=count, validation=count, **fields).open("train")
    index = torch.arange(count)
    return images, images.images(index).float(), images.targets(index).float(), torch.stack([images.action(i) for i in range(count)])


def test_contract():
    check_data_source(RelitScenes(size=SIDE, train=80, validation=40, objects=[1, 3]))


def slopes(images):
    """The brightness of images, to the right and up, less on the other side, in units of their sum."""
    right, up = torch.linspace(-1, 1, SIDE), torch.linspace(1, -1, SIDE)[:, None]
    grey = images.mean(1)
    return torch.stack([(grey * side).sum((1, 2)) / grey.sum((1, 2)) for side in (right, up)], 1)


def test_the_action_says_where_the_light_has_gone():
    """Measured on the pixels: where an image became brighter on the right, the light moved to the right; likewise up."""
    _, before, after, action = pairs(256)
    moved = slopes(after) - slopes(before)
    for number in range(2):
        assert torch.corrcoef(torch.stack([moved[:, number], action[:, number]]))[0, 1] > 0.9
        assert torch.corrcoef(torch.stack([moved[:, number], action[:, 1 - number]]))[0, 1].abs() < 0.25


def test_in_a_mirror_the_first_number_changes_its_sign():
    _, before, after, _ = pairs(256)
    moved, flipped = slopes(after) - slopes(before), slopes(after.flip(-1)) - slopes(before.flip(-1))
    signs = torch.tensor(RelitScenes().observed.mirror)
    torch.testing.assert_close(flipped, moved * signs, atol=1e-4, rtol=0)
    assert signs.tolist() == [-1, 1]


def test_nothing_but_light_differs():
    """The ratio of both sides is one plane of light where nothing is drawn over it, the same in all channels; and no object moves."""
    images, before, after, _ = pairs(32, strength=[0.3, 0.5])
    for index in range(32):
        bright = (before[index] > 60) & (after[index] > 60) & (before[index] < 250) & (after[index] < 250)
        bright &= images.mask(index) == 0
        ratio = torch.where(bright, after[index] / before[index], torch.nan)
        spread = (ratio - ratio.nanmean(0, keepdim=True)).abs()
        assert spread[bright].nanmean() < 0.02, "channels are lit alike"


def test_the_scenes_are_those_of_scenes_but_for_their_light():
    images = RelitScenes(size=SIDE, train=40).open("train")
    plain = Scenes(size=SIDE, train=40).open("train")
    for index in range(40):
        assert images.label(index) == plain.label(index)
        ours, theirs = images.factor(index), plain.factor(index)
        others = [place for place in range(len(FACTORS)) if place not in (AZIMUTH, STRENGTH)]
        assert torch.equal(ours[others], theirs[others])
        assert 0.6 <= ours[STRENGTH] <= 1
        assert torch.equal(images.mask(index), plain.mask(index))


def test_the_numbers_are_the_difference_of_two_lights():
    """No strength can change between lights of one strength: then actions lie within a circle, and reach its edge."""
    _, _, _, action = pairs(512, strength=[0.8, 0.8])
    length = action.norm(dim=1)
    assert length.max() <= 1 + 1e-6
    assert length.max() > 0.99
    assert action.mean(0).abs().max() < 0.1


def test_a_range_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"scenes_relit.strength must be two numbers, weakest and strongest, as in \[0.6, 1\]"):
        RelitScenes(strength=[0.9, 0.2])
    with pytest.raises(ValueError, match="scenes_relit has the splits train and validation"):
        RelitScenes().open("test")
