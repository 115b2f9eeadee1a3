"""The flip action: contract, pixels, statistics, and the flip as its own inverse."""

import jaxtyping
import pytest
import torch
from iwm_crop import iwm_actions
from iwm_crop.flip import Flip
from iwm_devkit import check_action

from iwm_core.interfaces import Draws

FLAGS = torch.tensor([[0.0], [1.0], [0.0], [1.0]]), torch.tensor([[0.0], [0.0], [1.0], [1.0]])


def noise(b: int) -> torch.Tensor:
    return torch.rand(b, 3, 6, 9, generator=torch.Generator().manual_seed(1))


def test_names_of_the_components() -> None:
    assert [action.name for action in iwm_actions()] == ["crop", "flip"]


def test_keeps_the_contract_of_an_action() -> None:
    check_action(Flip())


def test_the_encoded_action_leads_from_source_to_target() -> None:
    images = noise(4)
    source, target = (Flip().apply(images, side) for side in FLAGS)
    assert torch.equal(Flip().apply(source, Flip().encode(*FLAGS)), target)
    assert torch.equal(Flip().encode(*FLAGS), torch.tensor([[0.0], [1.0], [1.0], [0.0]]))


def test_flipped_pixels() -> None:
    images = noise(2)
    flipped = Flip().apply(images, torch.tensor([[0.0], [1.0]]))
    assert torch.equal(flipped[0], images[0])
    assert torch.equal(flipped[1], images[1][:, :, torch.arange(8, -1, -1)])


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 1.0])
def test_both_sides_are_flipped_alike_and_independently(p: float) -> None:
    b = 20_000
    five_sigma = 5 * 0.5 / b**0.5 if 0 < p < 1 else 1e-9  # significance below 1e-6
    source, target = Flip(p=p).sample(Draws(3, 1, torch.arange(b)))
    for share, expected in ((source, p), (target, p), (source * target, p * p)):
        assert abs(share.mean().item() - expected) < five_sigma


def test_parameters_are_made_on_the_device_of_the_draws() -> None:
    params = Flip().sample(Draws(3, 1, torch.arange(3, device="meta")))
    assert params.source.device.type == params.target.device.type == "meta"
    assert Flip().apply(noise(3).to("meta"), params.source).device.type == "meta"


def test_compiles_as_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the shape checks of a test run cannot be compiled
    compiled = torch.compile(Flip().apply, fullgraph=True, backend="eager")
    assert torch.equal(compiled(noise(4), FLAGS[0]), Flip().apply(noise(4), FLAGS[0]))
