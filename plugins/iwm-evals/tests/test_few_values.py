"""Actions of few values: a perfect model gets all of it, its controls what can be worked out, an answer that knows nothing chance."""

from dataclasses import dataclass

import pytest
import torch
from flat_metrics import flat
from iwm_crop.flip import Flip
from iwm_devkit.known_model import GRID, PAIRED, PATCH, PIXELS, KnownData, KnownModel, KnownPairs, perfect, quiet
from iwm_evals.error import Error
from iwm_evals.inverse import Inverse
from iwm_evals.mrr import Mrr
from iwm_evals.scores.ranking import MEASURES, gains, mean_chances, stand
from iwm_photometric.grayscale import Grayscale
from iwm_photometric.solarize import Solarize
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, NotApplicable


def on_targets(component: type[Action]) -> Action:
    """An operation of sources, on targets: so that a bank can ask for it."""

    @dataclass(kw_only=True)
    class Turned(component):
        changes_target = True

        def sample(self, draws: Draws) -> ActionParams:
            source, target = super().sample(draws)
            return ActionParams(target, source)

    return Turned(p=0.5)


@dataclass(kw_only=True)
class Steps(Action):
    """Adds one of three numbers."""

    name = "steps"
    labels = ("step",)
    identity = torch.zeros(1)

    def sample(self, draws: Draws) -> ActionParams:
        step = (draws.integers(3) - 1).float()
        return ActionParams(torch.zeros_like(step), step)

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return images + 0.1 * params[:, :, None, None]

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return target - source


class Rounded(Steps):
    """The same, told numbers that it rounds only when it adds them."""

    def sample(self, draws: Draws) -> ActionParams:
        source, step = super().sample(draws)
        return ActionParams(source, step + draws.uniform(1, -0.2, 0.2))

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        return super().apply(images, params.round())


class Pixels(KnownModel):
    """Knows what each action does: draws targets until it has seen all values, and applies the one that it is told."""

    def __init__(self, knows: bool, **parts: Action) -> None:
        super().__init__(parts=parts)
        self.knows = knows
        number = torch.arange(200)
        self.params = self.actions.sample(Draws(1, number, number, "pixels")).target.unique(dim=0)
        self.told = self.actions.encode(torch.zeros_like(self.params) + self.actions.identity, self.params)

    def predict(self, tokens: Tensor, actions: Tensor) -> Tensor:
        if not self.knows:
            return tokens[:, None].expand(-1, actions.shape[1], -1, -1)
        patches = (tokens + 0.5).unflatten(1, (GRID, GRID)).unflatten(3, (3, PATCH, PATCH))
        images = patches.permute(0, 3, 1, 4, 2, 5).reshape(-1, 3, PIXELS, PIXELS)
        which = (actions[:, :, None] - self.told).abs().sum(3).argmin(2)
        return torch.stack([self.encode(self.actions.apply(images, self.params[chosen])) for chosen in which.T], 1)

    def reinitialised(self, seed: int) -> KnownModel:
        return Pixels(False, **self.parts)


ACTIONS = {
    "flip": (lambda: {"flip": Flip()}, 2),
    "grayscale": (lambda: {"grayscale": on_targets(Grayscale)}, 2),
    "solarize": (lambda: {"solarize": on_targets(Solarize)}, 2),
    "three values": (lambda: {"steps": Steps()}, 3),
    "three looks": (lambda: {"steps": Rounded()}, 3),
    "several": (lambda: {"flip": Flip(), "steps": Steps()}, 6),
}


def harmonic(k: int) -> float:
    return sum(1 / j for j in range(1, k + 1))


def measure(model, tmp_path, images=12, bank=64):
    return flat(Mrr(images=images, bank=bank, part_images=images).evaluate(model, KnownData(0, images), tmp_path, quiet))


@pytest.mark.parametrize("name", ACTIONS)
def test_a_perfect_model_has_an_mrr_of_one_and_the_chance_of_as_many(name, tmp_path):
    make, values = ACTIONS[name]
    found = measure(Pixels(True, **make()), tmp_path).metrics
    assert found["mrr"].value == found["h1"].value == 1
    assert found["mrr_chance"].value == pytest.approx(harmonic(values) / values)
    assert found["h1_chance"].value == pytest.approx(1 / values)
    assert ("h5" in found, "h10" in found) == (values > 5, False), "among as many as there are, every answer is a hit"
    assert not any(name.startswith("h5") for name in found) or found["h5_chance"].value == pytest.approx(5 / values)
    assert found["mrr_null"].value == found["mrr_identity"].value == pytest.approx(harmonic(values) / values)
    # The truth is never first when another is asked for: with two values it is second, with more any of the places from there.
    among_others = (harmonic(values) - 1) / (values - 1)
    assert found["mrr_shuffled"].value == pytest.approx(among_others, abs=0 if values == 2 else 0.08)
    assert found["h1_shuffled"].value == 0
    parts = {name: metric for name, metric in found.items() if "." in name and "_" not in name}
    assert all(metric.value == 1 for metric in parts.values())
    assert len(parts) == (2 if name == "several" else 1)


@pytest.mark.parametrize("name", ACTIONS)
def test_knowing_nothing_is_chance(name, tmp_path):
    make, values = ACTIONS[name]
    found = measure(Pixels(False, **make()), tmp_path, images=4).metrics
    for answer in ("", "_shuffled", "_null", "_random"):
        assert found[f"mrr{answer}"].value == pytest.approx(harmonic(values) / values, abs=1e-9)


def test_chance_is_what_random_distances_get():
    sizes, generator = [2, 2, 3, 7, 64], torch.Generator().manual_seed(0)
    drawn = torch.zeros(len(MEASURES), dtype=torch.float64)
    for size in sizes:
        rows = torch.rand(20_000, size, generator=generator)
        drawn += gains(stand(rows, torch.zeros(20_000, dtype=torch.int64))).mean(1) / len(sizes)
    assert drawn.tolist() == pytest.approx(mean_chances(sizes), abs=0.005)


def test_parts_of_few_values_have_a_chance_of_their_own(tmp_path):
    @dataclass(kw_only=True)
    class Shift(Steps):
        name = "shift"

        def sample(self, draws: Draws) -> ActionParams:
            step = draws.uniform(1, -1, 1)
            return ActionParams(torch.zeros_like(step), step)

    class Both(Pixels):
        def predict(self, tokens: Tensor, actions: Tensor) -> Tensor:
            mirrored = Pixels.predict(self, tokens, torch.cat([actions[..., :1], 0 * actions[..., 1:]], -1))
            return mirrored + 0.1 * actions[..., 1:, None]

    model = Both(True, flip=Flip(), shift=Shift())
    model.told = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    model.params = model.told.clone()
    found = measure(model, tmp_path, images=4, bank=16)
    assert (found.metrics["mrr_chance"].value, found.metrics["mrr.flip.mirror_chance"].value) == pytest.approx((harmonic(16) / 16, 0.75))
    (chart,) = found.charts
    assert [one.label for one in chart.series] == ["MRR", "chance"]
    assert chart.series[1].y == [found.metrics[f"mrr{part}_chance"].value for part in ("", ".flip.mirror", ".shift.step")]
    assert not chart.levels


def test_a_bank_of_one_asks_nothing(tmp_path):
    @dataclass(kw_only=True)
    class Rare(Flip):
        def sample(self, draws: Draws) -> ActionParams:
            never = torch.zeros(len(draws), 1)
            return ActionParams(never, never + (draws.uniform(1) < 0.004))

    model = Pixels(True, flip=Rare())
    model.params = model.told = torch.tensor([[0.0], [1.0]])
    found = measure(model, tmp_path, images=40, bank=16).metrics  # of 64 draws, three in four hold no flip
    assert 0 < found["mrr"].n < 25
    assert (found["mrr"].value, found["mrr_chance"].value) == pytest.approx((1, 0.75))
    with pytest.raises(NotApplicable, match="all the same"):
        measure(model, tmp_path, images=1, bank=2)


def test_the_error_of_a_shuffled_action_is_that_of_another(tmp_path):
    model = Pixels(True, flip=Flip())
    found = flat(Error(images=30, draws=2).evaluate(model, KnownData(0, 30), tmp_path, quiet)).metrics
    assert found["error"].value == pytest.approx(0, abs=1e-9)
    # Told the other of two values, half of the pairs are flipped for nothing, and half are left: both as far off as a flip leads.
    assert found["error_shuffled"].value == pytest.approx(2, rel=0.35)


@pytest.mark.parametrize("steps", [Steps(), Rounded()], ids=["three values", "three looks"])
def test_the_error_of_a_shuffled_action_is_that_of_another_image(steps, tmp_path):
    """Two of -1, 0, 1 that differ are 2 apart, in squares, where one is 2/3 from none: 3 times. Drawn with their own, it is twice."""
    found = flat(Error(images=60, draws=4).evaluate(Pixels(True, steps=steps), KnownData(0, 60), tmp_path, quiet)).metrics
    assert found["error"].value == pytest.approx(0, abs=1e-9)
    assert found["error_shuffled"].value == pytest.approx(3, abs=0.3)


def test_observed_actions_of_few_values(tmp_path):
    class Few(KnownPairs):
        def shown(self, split: str, index: Tensor) -> Tensor:
            return super().shown(split, index).sign() / 4

    model = KnownModel(perfect, parts=PAIRED)
    found = flat(Inverse(images=20, part_images=20).evaluate(model, Few(0, 20), tmp_path, quiet)).metrics
    assert found["inverse"].value == 1
    assert found["inverse_chance"].value == pytest.approx(harmonic(4) / 4)
    assert found["inverse.move.rows"].value == 1
    assert found["inverse.move.rows_chance"].value == pytest.approx(0.75)
    assert found["inverse.move.rows_shuffled"].value == 0.5
