"""Invariance against loops over pairs, and where it has a formula."""

from dataclasses import dataclass

import pytest
import torch
from flat_metrics import flat
from iwm_devkit.known_model import SLIDE, KnownData, KnownModel, checkers, quiet
from iwm_evals.equivariance import Equivariance
from iwm_evals.scores.invariance import Similarity
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws


def test_similarity_agrees_with_loops():
    generator = torch.Generator().manual_seed(0)
    views, counts = torch.randn(23, 2, 2, 4, generator=generator), torch.rand(23, 2, generator=generator) < 0.7
    centre = torch.tensor([0.1, 0.2, 0.3, 0.4])
    sums = Similarity(centre, 2)
    for part in (slice(0, 9), slice(9, 10), slice(10, 23)):
        sums.add(views[part], counts[part])
    found = sums.invariance()
    same, other = [], []
    for version in range(2):
        unit = views[:, version].double() - centre
        unit = unit / unit.norm(dim=2, keepdim=True)
        used = [image for image in range(23) if counts[image, version]]
        for i in used:
            for j in used:
                (same if i == j else other).append(float(unit[i, 0] @ unit[j, 1]))
    same, other = sum(same) / len(same), sum(other) / len(other)
    assert found is not None
    assert found.value == pytest.approx((same - other) / (1 - other), rel=1e-9)
    assert found.low < found.value < found.high
    assert found.n == int(counts.any(1).sum())


@dataclass(kw_only=True)
class Push(Action):
    """One step along the columns for the source and as much back for the target, or the other way round, always or half of the time."""

    name = "push"
    labels = ("columns",)
    identity = torch.zeros(1)

    p: float = 1.0

    def sample(self, draws: Draws) -> ActionParams:
        forth = 1 - 2 * (draws.index % 4 // 2).float()[:, None]
        step = forth * draws.bernoulli(self.p)
        return ActionParams(step, -step)

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return images + SLIDE * params[:, :, None, None] * checkers()[0]

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return (target - source) / 2


class Mirrored(KnownData):
    """Images forth and back along one direction, ``size`` of a push."""

    size = 1.0

    def batches(self, split, count, size):
        for batch in super().batches(split, count, size):
            sign = 1 - 2 * (batch.index % 2).float()
            step = SLIDE * self.size * sign[:, None, None, None] * checkers()[1]
            yield batch._replace(images=0.5 + step)


@pytest.mark.parametrize("p", [1.0, 0.5])
@pytest.mark.parametrize("size", [0.5, 1.0, 3.0])
def test_invariance_of_a_push_beside_steps_of_known_size(size, p, tmp_path, monkeypatch):
    """Images ±a, views ±b at right angles: same = (a² - b²) / (a² + b²); other = (b² - a²) / (m - 1) / (a² + b²) over m images."""
    monkeypatch.setattr(Mirrored, "size", size)
    found = flat(Equivariance(draws=1).evaluate(KnownModel(parts={"push": Push(p=p)}), Mirrored(), tmp_path, quiet)).metrics
    same = (size**2 - 1) / (size**2 + 1)
    if p == 1:
        other = -same / 99
        for name in ("invariance", "invariance.push", "invariance_raw"):
            assert found[name].value == pytest.approx((same - other) / (1 - other), abs=1e-5)
            assert found[name].n == 100
    else:  # what is not pushed does not count: nearly the same number, where it would be near (same + 1) / 2
        assert 30 < found["invariance"].n < 70
        assert found["invariance"].value == pytest.approx(same, abs=0.1)
