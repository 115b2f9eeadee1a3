"""What colours tell: nothing of the shape, much of the hue. The probe sees the mean, the spread and the histogram of RGB."""

import math

import pytest
import torch
from iwm_scenes.source import Scenes
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

FIT, TEST = 2500, 2500


def colour_features(images: Tensor) -> Float[Tensor, "b f"]:
    """Mean and standard deviation of each channel and of brightness, and a 5×5×5 histogram."""
    pixels = images.flatten(2).float() / 255
    grey = pixels.mean(1, keepdim=True)
    bins = (pixels * 4.999).long()
    code = (bins[:, 0] * 5 + bins[:, 1]) * 5 + bins[:, 2]
    histogram = torch.zeros(len(images), 125).scatter_add_(1, code, torch.ones_like(code, dtype=torch.float32)).sqrt()
    return torch.cat([pixels.mean(2), pixels.std(2), grey.mean(2), grey.std(2), histogram], 1)


def probe_accuracy(features: Float[Tensor, "b f"], labels: Int[Tensor, "b"]) -> float:
    """Held-out accuracy of softmax regression fitted on the first half of the samples."""
    half = len(features) // 2
    weight = torch.zeros(features.shape[1] + 1, int(labels.max()) + 1, requires_grad=True)
    padded = torch.cat([features, torch.ones(len(features), 1)], 1)
    optimizer = torch.optim.LBFGS([weight], max_iter=60)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = cross_entropy(padded[:half] @ weight, labels[:half]) + 1e-3 * weight.square().sum()
        value.backward()
        return value.detach()

    optimizer.step(loss)
    return ((padded[half:] @ weight).argmax(1) == labels[half:]).float().mean().item()


def features_and_factors(count: int) -> tuple[Tensor, Tensor]:
    data = Scenes(size=48, train=count).open("train")
    features = torch.cat([colour_features(data.images(part)) for part in torch.arange(count).split(200)])
    features = (features - features.mean(0)) / (features.std(0) + 1e-6)
    return features, torch.stack([data.factor(index) for index in range(count)])


@pytest.mark.slow
def test_colours_tell_nothing_of_the_shape() -> None:
    features, factors = features_and_factors(FIT + TEST)
    shape = factors[:, [f.name for f in Scenes().open("train").factors].index("shape")].long()
    error = math.sqrt(0.1 * 0.9 / TEST)
    assert probe_accuracy(features, shape) < 0.1 + 3 * error
    nearest = torch.cdist(features[FIT:], features[:FIT]).argmin(1)
    assert (shape[nearest] == shape[FIT:]).float().mean() < 0.1 + 3 * error


def test_colours_tell_the_hue() -> None:
    features, factors = features_and_factors(1600)
    sextant = (factors[:, [f.name for f in Scenes().open("train").factors].index("hue")] * 6).long()
    assert probe_accuracy(features, sextant) > 0.5
