"""Other libraries do the work of our actions: the same strengths, the same share of images."""

import pytest
import torch
from iwm_bench.peers import LIBRARIES, peers
from iwm_crop.flip import Flip
from iwm_photometric.blur import Blur
from iwm_photometric.grayscale import Grayscale
from iwm_photometric.jitter import Jitter
from iwm_photometric.solarize import Solarize
from tiny_parts import Gain

IMAGES = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=LIBRARIES)
def act(request):
    """Source and target of images by another library, with some actions."""

    def acted(*actions):
        found, why = peers({action.name: action for action in actions}, IMAGES)
        assert not [reason for reason in why if request.param in reason]
        torch.manual_seed(0)
        return found[request.param]()

    return acted


@pytest.mark.parametrize(
    ("never", "always"),
    [
        (Jitter(p=0), Jitter(p=1)),
        (Grayscale(p=0), Grayscale(p=1)),
        (Blur(p=0, sigma=[1, 1]), Blur(p=1, sigma=[1, 1])),
        (Solarize(p=0), Solarize(p=1)),
    ],
    ids=lambda action: action.name,
)
def test_probabilities_and_sides(act, never, always):
    assert all(torch.allclose(side, IMAGES, atol=1e-5) for side in act(never))
    source, target = act(always)
    assert source.shape == target.shape == IMAGES.shape
    changed = [(side - IMAGES).abs().amax((1, 2, 3)) > 1e-3 for side in (source, target)]
    assert changed[0].float().mean() > 0.95
    assert changed[1].any() == always.changes_target


@pytest.mark.parametrize(
    "action", [Grayscale(p=1), Blur(p=1, sigma=[1.5, 1.5]), Solarize(p=1, threshold=0.3)], ids=lambda action: action.name
)
def test_a_transformation_without_chance_is_ours(act, action):
    params = torch.full((len(IMAGES), 1), 1.5 if action.name == "blur" else 1.0)
    atol = 1.1e-4  # kornia's grey weighs red by 0.299, ours and torchvision's by 0.2989
    torch.testing.assert_close(act(action)[0], action.apply(IMAGES, params), atol=atol, rtol=0)


def test_a_share_of_images(act):
    source, _ = act(Solarize(p=0.5))
    assert 16 < (source != IMAGES).flatten(1).any(1).sum() < 48


def test_what_has_no_counterpart_leaves_a_library_out():
    found, why = peers({"mine": Gain(), "flip": Flip()}, IMAGES)
    assert not found
    assert "torchvision is left out: it has no counterpart of mine" in why
