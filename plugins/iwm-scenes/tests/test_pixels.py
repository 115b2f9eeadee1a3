"""The pixels: pure functions of seed and index, in agreement with factors and masks, on natural backgrounds."""

import colorsys
import pickle

import numpy as np
import pytest
import torch
from iwm_scenes.render import render, segment
from iwm_scenes.source import Scenes
from jaxtyping import Bool
from torch.nn.functional import max_pool2d


def grown(mask: np.ndarray) -> Bool[np.ndarray, "h w"]:
    """The mask and the two pixels next to it: the soft edge is one pixel wide, but reaches further at a sharp tip."""
    return max_pool2d(torch.from_numpy(mask > 0).float()[None], 5, stride=1, padding=2)[0].numpy() > 0


@pytest.mark.parametrize("size", [16, 33, 64, 224])
def test_a_batch_is_bitwise_its_images_in_any_order(size: int) -> None:
    data = Scenes(size=size, objects=[1, 3]).open("train")
    indices = torch.tensor([300, 0, 5, 8191, 5, *range(30)])
    batch = data.images(indices)
    assert batch.shape == (35, 3, size, size)
    assert batch.dtype == torch.uint8
    for place, index in enumerate(indices.tolist()):
        assert torch.equal(data.image(index), batch[place])
        assert data.mask(index).shape == (size, size)
    assert data.images(indices[:0]).shape == (0, 3, size, size)


def test_an_image_depends_on_seed_split_and_index_only() -> None:
    data = Scenes(size=24).open("train")
    longer = Scenes(size=24, train=10**9).open("train")
    copy = pickle.loads(pickle.dumps(data))
    for index in (0, 17, 8000):
        for other in (data, longer, copy):
            assert torch.equal(other.image(index), data.image(index))
            assert torch.equal(other.mask(index), data.mask(index))
            assert torch.equal(other.factor(index), data.factor(index))
    assert not torch.equal(Scenes(size=24, seed=1).open("train").image(0), data.image(0))
    assert longer.image(10**9 - 1).float().std() > 1


def test_no_image_occurs_twice_within_or_across_splits_and_seeds() -> None:
    images = [Scenes(size=16, seed=seed).open(split).images(torch.arange(500)) for seed in (0, 1) for split in ("train", "validation")]
    assert len({image.numpy().tobytes() for image in torch.cat(images)}) == 2000


def test_an_object_changes_the_pixels_of_its_mask_only() -> None:
    data = Scenes(size=64, objects=[1, 3]).open("train")
    everywhere = torch.arange(40)
    for index, phases in zip(everywhere.tolist(), data.phases(everywhere), strict=True):
        scene, mask = data.scene(index), data.mask(index).numpy()
        thing = scene.things[0]
        recoloured = scene._replace(things=(thing._replace(hue=thing.hue + 0.5), *scene.things[1:]))
        changed = (render(scene, phases) != render(recoloured, phases)).any(0)
        # Objects of the same class share a number in the mask: only the main object's own surroundings count.
        rows, columns = np.mgrid[:64, :64]
        near = np.hypot(columns + 0.5 - 64 * thing.x, rows + 0.5 - 64 * thing.y) < 64 * 0.9 * thing.size
        own = (mask == 1 + thing.shape) & near
        assert not (changed & ~grown(own)).any()
        assert changed[own].mean() > 0.98
        without = scene._replace(things=())
        assert not ((render(scene, phases) != render(without, phases)).any(0) & ~grown(mask)).any()


def test_place_and_hue_can_be_read_from_the_masked_pixels() -> None:
    data = Scenes(size=64).open("train")
    hue_errors = []
    for index in range(300):
        image, mask = data.image(index).numpy(), data.mask(index).numpy()
        factor = dict(zip((f.name for f in data.factors), data.factor(index).tolist(), strict=True))
        assert set(np.unique(mask)) == {0, 1 + data.label(index)}
        rows, columns = np.nonzero(mask)
        assert (columns.mean() + 0.5) / 64 == pytest.approx(factor["x"], abs=0.5 / 64)
        assert (rows.mean() + 0.5) / 64 == pytest.approx(factor["y"], abs=0.5 / 64)
        assert np.sqrt(mask.astype(bool).mean()) == pytest.approx(factor["size"], abs=0.01)
        hue = colorsys.rgb_to_hsv(*(image[:, mask > 0].mean(1) / 255).tolist())[0]
        hue_errors.append(abs((hue - factor["hue"] + 0.5) % 1 - 0.5))
    assert max(hue_errors) < 0.02


def test_rotation_and_light_turn_counter_clockwise() -> None:
    data = Scenes(size=64).open("train")
    scene, phases = data.scene(0), data.phases(torch.tensor([0]))[0]
    arrow = scene.things[0]._replace(shape=data.classes.index("arrow"), x=0.5, y=0.5, size=0.5, texture=0)
    plain = scene._replace(light_strength=0.6, light_azimuth=0.25, background_contrast=0.0, things=())
    lit = render(plain, phases).mean((0, 2))
    assert lit[:8].mean() > 1.2 * lit[-8:].mean()  # from above
    left = segment(plain._replace(things=(arrow._replace(rotation=0.25),)), 64)
    heights = (left > 0).sum(0)
    assert heights[:32].max() > 1.5 * heights[40:].max()  # the head, wider than the shaft, points left


def test_background_power_falls_as_one_over_frequency_squared() -> None:
    size, count = 64, 200
    data = Scenes(size=size).open("train")
    indices = torch.arange(count)
    power = np.zeros((size, size))
    for index, phases in zip(indices.tolist(), data.phases(indices), strict=True):
        grey = render(data.scene(index)._replace(things=(), light_strength=0.0), phases).mean(0)
        power += abs(np.fft.fft2(grey - grey.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size)))
    band = (frequency > 1.5 / size) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-2, abs=0.1)


def test_golden_channel_means() -> None:
    images = Scenes(size=64, objects=[1, 3], seed=7).open("train").images(torch.arange(4))
    torch.testing.assert_close(images.float().mean((2, 3)), torch.tensor(GOLDEN_MEANS), rtol=0, atol=1.0)


GOLDEN_MEANS = [[75.557, 106.869, 57.384], [86.663, 77.833, 57.024], [94.147, 56.919, 111.597], [88.264, 30.319, 63.756]]
