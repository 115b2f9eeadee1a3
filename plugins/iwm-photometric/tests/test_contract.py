"""What every action of this plugin promises, and the statistics of what each draws."""

import jaxtyping
import pytest
import torch
from iwm_devkit import check_action
from iwm_photometric import iwm_actions
from iwm_photometric.blur import Blur
from iwm_photometric.grayscale import Grayscale
from iwm_photometric.jitter import Jitter
from iwm_photometric.solarize import Solarize
from torch import Tensor

from iwm_core.interfaces import Action, Draws

DESTRUCTIVE = [Grayscale(), Blur(sigma=[0.5, 2.0]), Solarize()]  # below a sigma of 0.2 or so no float changes
ACTIONS = [Jitter(), *DESTRUCTIVE]
each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
each_destructive = pytest.mark.parametrize("action", DESTRUCTIVE, ids=lambda action: action.name)


def draws(b: int) -> Draws:
    return Draws(7, 0, torch.arange(b), "actions")


def noise(b: int, side: int = 20) -> Tensor:
    return torch.rand(b, 3, side, side + 4, generator=torch.Generator().manual_seed(1))


def test_names_of_the_components() -> None:
    assert [action.name for action in iwm_actions()] == ["jitter", "grayscale", "blur", "solarize"]
    assert sum(len(action.labels) for action in iwm_actions()) == 7  # PAPER §4


@each_action
def test_keeps_the_contract_of_an_action(action: Action) -> None:
    check_action(action)


@each_action
def test_the_identity_gives_back_the_very_bits(action: Action) -> None:
    images = noise(4)
    assert torch.equal(action.apply(images, action.identity.expand(4, -1)), images)


@each_action
def test_equal_sides_are_told_as_zeros(action: Action) -> None:
    params = action.sample(draws(50)).source
    assert torch.equal(action.encode(params, params), torch.zeros(50, len(action.labels)))


@each_action
def test_values_stay_in_range(action: Action) -> None:
    images = torch.cat([noise(98), torch.zeros(1, 3, 20, 24), torch.ones(1, 3, 20, 24)])
    params = action.sample(draws(100))
    transformed = action.apply(images, params.source)
    assert transformed.min() >= 0
    assert transformed.max() <= 1
    assert action.encode(*params).abs().max() <= 1 + 1e-6


@each_action
def test_an_applied_action_changes_the_image_and_its_inputs_stay(action: Action) -> None:
    images, params = noise(40), action.sample(draws(40)).source
    images_before, params_before = images.clone(), params.clone()
    changed = (action.apply(images, params) != images).flatten(1).any(1)
    assert torch.equal(changed, (params != action.identity).any(1))
    assert 0 < changed.sum() < 40
    assert torch.equal(images, images_before)
    assert torch.equal(params, params_before)


@each_action
def test_parameters_are_made_on_the_device_of_the_draws(action: Action) -> None:
    params = action.sample(Draws(7, 0, torch.arange(3, device="meta")))
    assert params.source.device.type == params.target.device.type == "meta"
    assert action.encode(*params).device.type == "meta"
    assert action.apply(noise(3).to("meta"), params.source).device.type == "meta"


@each_action
def test_compiles_as_one_graph(action: Action, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the shape checks of a test run cannot be compiled

    def step(images: Tensor, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return action.apply(images, source), action.encode(source, target)

    params = action.sample(draws(6))
    compiled = torch.compile(step, fullgraph=True, backend="eager")
    for found, expected in zip(compiled(noise(6), *params), step(noise(6), *params), strict=True):
        assert torch.equal(found, expected)


@each_destructive
def test_destruction_hits_the_source_alone_and_is_told_by_a_flag(action: Action) -> None:
    assert not action.changes_target
    params = action.sample(draws(2000))
    assert torch.equal(params.target, torch.zeros_like(params.target))
    assert torch.equal(action.encode(*params), (params.source > 0).float())


B = 20_000
FIVE_SIGMA = 5 * 0.5 / B**0.5  # of any share of B samples: significance below 1e-6 for each comparison


@pytest.mark.parametrize("p", [0.0, 0.2, 0.7, 1.0])
@pytest.mark.parametrize("kind", [Grayscale, Blur, Solarize])
def test_share_of_destroyed_sources(kind: type[Action], p: float) -> None:
    share = (kind(p=p).sample(draws(B)).source > 0).float().mean().item()  # pyright: ignore[reportCallIssue]
    assert abs(share - p) < (FIVE_SIGMA if 0 < p < 1 else 1e-9)


def test_sigma_is_uniform_between_its_bounds() -> None:
    sigma = Blur(p=1.0, sigma=[0.5, 1.5]).sample(draws(B)).source
    assert 0.5 <= sigma.min() < 0.51
    assert 1.49 < sigma.max() <= 1.5
    for bound in (0.75, 1.0, 1.25):
        assert abs((sigma < bound).float().mean().item() - (bound - 0.5)) < FIVE_SIGMA


def test_jitter_draws_both_sides_alike_and_independently() -> None:
    params = Jitter().sample(draws(B))
    source, target = ((side != Jitter.identity).any(1).float() for side in params)
    assert abs(source.mean().item() - 0.8) < FIVE_SIGMA
    assert abs(target.mean().item() - 0.8) < FIVE_SIGMA
    assert abs((source * target).mean().item() - 0.64) < FIVE_SIGMA
    jittered = torch.cat([*params], dim=1)[(source * target) > 0]
    correlation = torch.corrcoef(jittered.T) - torch.eye(8)
    assert correlation.abs().max() < 5 / len(jittered) ** 0.5


def test_jitter_draws_uniformly_over_each_range() -> None:
    drawn = Jitter(p=1.0, brightness=0.3, contrast=1.5, saturation=0.2, hue=0.05).sample(draws(B)).target
    low, high = torch.tensor([0.7, 0.0, 0.8, -0.05]), torch.tensor([1.3, 2.5, 1.2, 0.05])
    unit = (drawn - low) / (high - low)
    assert unit.min() >= -1e-5
    assert unit.max() <= 1 + 1e-5
    for quantile in (0.01, 0.25, 0.5, 0.75, 0.99):
        assert ((unit < quantile).float().mean(0) - quantile).abs().max() < FIVE_SIGMA


def test_jitter_tells_target_less_source_in_units_of_the_widest_difference() -> None:
    action = Jitter(brightness=0.4, contrast=0.5, saturation=0.2, hue=0.1)
    source, target = torch.tensor([[0.6, 1.5, 1.0, 0.0]]), torch.tensor([[1.4, 0.5, 1.1, -0.05]])
    torch.testing.assert_close(action.encode(source, target), torch.tensor([[1.0, -1.0, 0.25, -0.25]]))


def test_an_operation_of_strength_zero_is_never_drawn_and_told_as_zero() -> None:
    action = Jitter(p=1.0, brightness=0.0, hue=0.0)
    params = action.sample(draws(100))
    assert torch.equal(params.source[:, [0, 3]], Jitter.identity[[0, 3]].expand(100, -1))
    assert torch.equal(action.encode(*params)[:, [0, 3]], torch.zeros(100, 2))


def test_blur_refuses_images_smaller_than_its_kernel() -> None:
    with pytest.raises(ValueError, match=r"blur.sigma of 2 needs images larger than 6 pixels, got 6 x 9: lower blur.sigma"):
        Blur().apply(torch.zeros(1, 3, 6, 9), torch.ones(1, 1))
    assert Blur().apply(torch.zeros(1, 3, 7, 9), torch.ones(1, 1)).shape == (1, 3, 7, 9)


def test_blurring_some_images_is_blurring_all() -> None:
    """The host leaves out what has no sigma, a device blurs it by a kernel of a single 1."""
    images, params = noise(40), Blur().sample(draws(40)).source
    assert 0 < (params > 0).sum() < 40
    for part in (params, torch.zeros_like(params), torch.ones_like(params)):
        assert torch.equal(Blur().apply(images, part), Blur().blurred(images, part, 6))


@pytest.mark.parametrize("sigma", [[2.0, 0.1], [1.0], [0.1, 1.0, 2.0]])
def test_blur_refuses_bounds_that_are_none(sigma: list[float]) -> None:
    with pytest.raises(ValueError, match=r"blur.sigma must be two numbers, low and high"):
        Blur(sigma=sigma)


@pytest.mark.parametrize(("kind", "option"), [(Jitter, "hue"), (Grayscale, "p"), (Solarize, "threshold"), (Blur, "p")])
def test_options_outside_their_range_are_refused(kind: type[Action], option: str) -> None:
    with pytest.raises(ValueError, match=rf"{kind.name}.{option} must be at most"):
        kind(**{option: 1.5})


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@each_action
@pytest.mark.parametrize("over", [(0, 0), (None, 0), (0, None)], ids=["both", "params", "images"])
def test_vmap_is_a_loop(action: Action, over: tuple[int | None, int | None]) -> None:
    """A third party may ask for many parameters of one image at once; whether an image changes is not known then."""
    draw = torch.Generator().manual_seed(3)
    images = torch.rand(3, 4, 3, 20, 20, generator=draw)
    params = torch.rand(3, 4, len(action.identity), generator=draw) * (torch.rand(3, 4, 1, generator=draw) > 0.4)
    given = [every if axis == 0 else every[0] for every, axis in zip((images, params), over, strict=True)]
    alone = [action.apply(*(one[turn] if axis == 0 else one for one, axis in zip(given, over, strict=True))) for turn in range(3)]
    torch.testing.assert_close(torch.func.vmap(action.apply, in_dims=over)(*given), torch.stack(alone))
