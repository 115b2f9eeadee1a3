"""The MRR on worlds whose truth is known."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import scipy.stats
import torch
from flat_metrics import flat
from iwm_devkit.known_model import KnownData, KnownModel, quiet
from iwm_evals.mrr import Mrr
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, NotApplicable

PIXELS, GRID, WIDTH = 8, 2, 6


@dataclass(kw_only=True)
class Shade(Action):
    """Gain on all channels, then a tint of the red one; not applied to a third of the images."""

    name = "shade"
    labels = ("gain", "tint")
    identity = torch.tensor([1.0, 0.0])

    def sample(self, draws: Draws) -> ActionParams:
        applied = draws.bernoulli(2 / 3)
        values = torch.cat([draws.uniform(1, 0.8, 1.5), draws.uniform(1, -0.15, 0.15)], 1)
        target = torch.where(applied, values, self.identity)
        return ActionParams(self.identity.expand_as(target), target)

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        gain, tint = params[:, 0, None, None, None], params[:, 1, None, None, None]
        return images * gain + tint * torch.tensor([1.0, 0.0, 0.0])[:, None, None]

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return target - source


MIX = Draws(0, 0, torch.arange(3), "mix").normal(WIDTH)  # [3, d]: channels to tokens


def perfect(tokens: Tensor, actions: Tensor) -> Tensor:
    gain, tint = actions[..., 0, None, None], actions[..., 1, None, None]
    return tokens[:, None] * (1 + gain) + tint * MIX[0]


def noisy(tokens: Tensor, actions: Tensor) -> Tensor:
    waves = torch.sin(20 * actions[..., :1] + 11 * actions[..., 1:] + torch.arange(WIDTH))
    return perfect(tokens, actions) + 0.4 * waves[:, :, None]


def blind(tokens: Tensor, actions: Tensor) -> Tensor:
    return (1.1 * tokens)[:, None].expand(-1, actions.shape[1], -1, -1)


def tells_gain(tokens: Tensor, actions: Tensor) -> Tensor:
    return tokens[:, None] * (1 + actions[..., 0, None, None])


class World(KnownModel):
    """Tokens are a linear map of the mean colours of patches, so an action's effect on them is known."""

    def __init__(self, answer: Callable[[Tensor, Tensor], Tensor], constant: bool = False) -> None:
        self.answer, self.constant = answer, constant
        self.actions, self.names = Shade(), ("shade", "shade")
        self.parts = {"shade": self.actions}
        self.grid, self.image_size, self.device = (GRID, GRID), PIXELS, torch.device("cpu")

    def encode(self, images: Tensor) -> Tensor:
        if self.constant:
            return torch.full((len(images), GRID * GRID, WIDTH), 0.1)
        return torch.nn.functional.adaptive_avg_pool2d(images, GRID).flatten(2).mT @ MIX

    def reinitialised(self, seed: int) -> "World":
        return World(lambda tokens, actions: torch.sin(9 * actions.sum(-1))[..., None, None] + 0 * tokens[:, None], self.constant)


def measure(model, tmp_path: Path, seed: int = 0, available: int = 100, **fields):
    return flat(Mrr(**fields).evaluate(model, KnownData(seed, available), tmp_path, quiet))


def harmonic(k: int) -> float:
    return sum(1 / j for j in range(1, k + 1))


@pytest.mark.parametrize("pooling", ["none", "mean"])
def test_a_perfect_predictor_is_always_right_and_its_controls_are_at_chance(pooling, tmp_path):
    metrics = measure(World(perfect), tmp_path, images=40, bank=32, part_images=8, pooling=pooling).metrics
    for name in ("mrr.shade.gain", "mrr.shade.tint"):  # few enough that no two values lie closer than distances are told apart
        assert (metrics[name].value, metrics[name].high, metrics[name].n) == (pytest.approx(1), 1, 8)
        assert metrics[f"{name}_shuffled"].value == pytest.approx((harmonic(32) - 1) / 31, abs=0.03)
    for name in ("mrr", "h1", "h5", "h10"):
        assert metrics[name] == pytest.approx((1.0, 1 / (1 + scipy.stats.t.ppf(0.975, 39) ** 2 / 40), 1.0, 40), abs=1e-9)
    assert metrics["mrr_random"].n == 8
    assert metrics["mrr_random"].high < 0.5, "a predictor that has not been trained is told apart"
    # The truth is never first when another is asked for and found: the mean of 1/2 ... 1/k.
    assert metrics["mrr_shuffled"].value == pytest.approx((harmonic(32) - 1) / 31, abs=0.015)
    assert metrics["mrr_shuffled"].low < metrics["mrr_shuffled"].value < metrics["mrr_shuffled"].high
    assert metrics["mrr_null"].value == metrics["mrr_identity"].value == pytest.approx(harmonic(32) / 32, abs=1e-9)


@pytest.mark.parametrize("model", [World(blind), World(perfect, constant=True)], ids=["blind predictor", "constant encoder"])
@pytest.mark.parametrize("bank", [8, 33])
def test_knowing_nothing_gives_exactly_chance(model, bank, tmp_path):
    metrics = measure(model, tmp_path, images=5, bank=bank, chunk=7).metrics
    answers = ("", "_shuffled", "_null", "_identity", "_chance")
    parts = [f"mrr.shade.{label}{answer}" for label in ("gain", "tint") for answer in ("", "_shuffled", "_chance")]
    for name in (*(f"mrr{answer}" for answer in answers), *parts):
        assert metrics[name].value == pytest.approx(harmonic(bank) / bank, abs=1e-9)
        # Chance, null and identity are so for all images; that images show chance is an estimate, if one without a spread.
        exact = name.endswith(("_null", "_identity", "_chance"))
        assert (metrics[name].exact, metrics[name].high - metrics[name].low) == (exact, pytest.approx(0, abs=1e-3))
    for k in (1, 5, 10):
        for answer in answers:
            if k < bank:
                assert metrics[f"h{k}{answer}"].value == pytest.approx(k / bank, abs=1e-9)
            else:
                assert f"h{k}{answer}" not in metrics, "every answer is a hit"
    assert metrics["h1_chance"].value == 1 / bank


def test_a_model_that_knows_one_parameter_knows_that_part_alone(tmp_path):
    found = measure(World(tells_gain), tmp_path, images=6, bank=16, part_images=4)
    assert (found.metrics["mrr.shade.gain"].value, found.metrics["mrr.shade.gain"].n) == (pytest.approx(1), 4)
    assert found.metrics["mrr.shade.tint"].value == pytest.approx(harmonic(16) / 16, abs=1e-9)
    assert harmonic(16) / 16 < found.metrics["mrr"].value < 0.99
    (chart,) = found.charts
    assert (chart.kind, chart.levels) == ("bars", {"chance": pytest.approx(harmonic(16) / 16)})
    (bars,) = chart.series
    assert bars.x == ["all", "shade.gain", "shade.tint"]
    assert bars.y == [found.metrics[name].value for name in ("mrr", "mrr.shade.gain", "mrr.shade.tint")]
    assert bars.low[0] < bars.y[0] < bars.high[0]
    assert "shade.gain 1.000 is recognised best and shade.tint 0.211 worst" in found.summary


def test_parts_can_be_left_out_and_change_nothing_else(tmp_path):
    without = measure(World(noisy), tmp_path, images=6, bank=16, part_images=0)
    found = measure(World(noisy), tmp_path, images=6, bank=16, part_images=3)
    assert not without.charts
    assert without.metrics == {name: metric for name, metric in found.metrics.items() if "." not in name and name != "mrr_random"}
    assert {name: metric.n for name, metric in found.metrics.items() if "." in name} == {
        f"mrr.shade.{label}{answer}": 3 for label in ("gain", "tint") for answer in ("", "_chance", "_shuffled")
    }
    assert set(found.about) == {"mrr", "h1", "h5", "h10"}


def test_a_second_run_gives_the_same_numbers_and_picture(tmp_path):
    first = measure(World(noisy), tmp_path / "first", seed=3, images=6, bank=16)
    second = measure(World(noisy), tmp_path / "second", seed=3, images=6, bank=16)
    other = measure(World(noisy), tmp_path / "other", seed=4, images=6, bank=16)
    assert first.metrics == second.metrics != other.metrics
    rows = [[image for row in found.galleries[0].rows for image in row.images] for found in (first, second)]
    assert len(rows[0]) == 18
    assert all(torch.equal(a, b) for a, b in zip(*rows, strict=True))


def test_fewer_images_than_asked_are_all_measured(tmp_path):
    found = measure(World(noisy), tmp_path, available=5, images=50, bank=8)
    assert found.settings["images"] == 5
    assert found.settings["distinct"] == found.settings["bank"] == 8
    assert found.metrics["mrr"].n == 5
    assert len(found.galleries[0].rows) == 5


def test_the_clean_image_and_the_identity_source_are_what_the_predictor_gets(tmp_path):
    seen = []

    def remember(tokens: Tensor, actions: Tensor) -> Tensor:
        seen.append((tokens, actions))
        return perfect(tokens, actions)

    model = World(remember)
    measure(model, tmp_path, images=1, bank=6, chunk=4, part_images=0)
    image = next(KnownData(0, 1).batches("validation", 1, 1)).images
    assert [actions.shape for _, actions in seen] == [(1, 4, 2), (1, 3, 2)]  # six elements and the null action, four at a time
    assert all(torch.equal(tokens, model.encode(image)) for tokens, _ in seen)
    assert torch.equal(seen[-1][1][0, -1], torch.zeros(2))


def test_progress_covers_every_bank(tmp_path):
    steps = []

    def track(items, label, count):
        for item in items:
            steps.append((label, count))
            yield item

    Mrr(images=20, bank=4, part_images=5).evaluate(World(perfect), KnownData(0, 18), tmp_path, track)
    assert steps == [("mrr", 18 + 5 * 2)] * (18 + 5 * 2)


def test_no_action_on_the_target(tmp_path):
    model = World(perfect)
    model.actions.changes_target = False
    with pytest.raises(NotApplicable, match="no action of this recipe changes a target"):
        measure(model, tmp_path)


def test_no_images(tmp_path):
    with pytest.raises(ValueError, match="validation images, and this data has none"):
        measure(World(perfect), tmp_path, available=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_model_is_not_given_a_number(bad, tmp_path):
    def broken(tokens: Tensor, actions: Tensor) -> Tensor:
        answer = perfect(tokens, actions).clone()
        answer[:, -1] = bad
        return answer

    with pytest.raises(ValueError, match="not finite"):
        measure(World(broken), tmp_path, images=2, bank=8)


@pytest.mark.parametrize("fields", [{"bank": 1}, {"images": 0}, {"chunk": 0}, {"pooling": "max"}])
def test_fields_out_of_range(fields):
    with pytest.raises(ValueError, match=r"^mrr\.(bank|images|chunk|pooling) must be"):
        Mrr(**fields)
