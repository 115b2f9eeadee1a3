"""The scorecard on worlds whose truth is known, and against an independent implementation of PAPER §6."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from iwm_evals.mrr import Mrr
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, EvaluationData, ImageBatch, NotApplicable, WorldModel

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


class World(WorldModel):
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

    student = encode

    def targets(self, images: Tensor) -> Tensor:
        return self.encode(images)

    def predict(self, tokens: Tensor, actions: Tensor) -> Tensor:
        return self.answer(tokens, actions)


class Data(EvaluationData):
    classes = ()

    def __init__(self, seed: int, images: int) -> None:
        self.seed, self.images = seed, images

    def count(self, split: str) -> int:
        assert split == "validation"
        return self.images

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        assert split == "validation"
        for index in torch.arange(min(count, self.images)).split(size):
            pixels = Draws(self.seed, 0, index, "pixels").uniform(3 * PIXELS * PIXELS, 0.25, 0.5)
            yield ImageBatch(index, pixels.unflatten(1, (3, PIXELS, PIXELS)), torch.zeros_like(index), torch.empty(len(index), 0))


def quiet(items, *_):
    return items


def measure(model, tmp_path: Path, seed: int = 0, available: int = 100, **fields):
    return Mrr(**fields).evaluate(model, Data(seed, available), tmp_path, quiet)


def harmonic(k: int) -> float:
    return sum(1 / j for j in range(1, k + 1))


def by_the_paper(model: World, seed: int, images: int, bank: int) -> dict[str, float]:
    """PAPER §6 with loops, for a world without ties: one element, one prediction, one distance at a time."""
    action = model.actions
    totals = dict.fromkeys(("mrr", "h1", "h5", "h10", "mrr_shuffled", "mrr_null"), 0.0)
    for index, image in ((int(b.index), b.images) for b in Data(seed, images).batches("validation", images, 1)):
        elements: list[tuple[Tensor, Tensor]] = []
        for number in range(4 * bank):
            target = action.sample(Draws(seed, number, torch.tensor([index]), "mrr/bank")).target
            encoded = action.encode(action.identity[None], target)
            if len(elements) < bank and all(not torch.equal(encoded, other) for _, other in elements):
                elements.append((target, encoded))
        latents = [model.targets(action.apply(image, target))[0].double() for target, _ in elements]
        clean = model.encode(image)

        def ranks(encoded: Tensor, clean=clean, latents=latents) -> list[int]:
            prediction = model.predict(clean, encoded[None])[0, 0].double()
            order = torch.tensor([float(((prediction - latent) ** 2).sum()) for latent in latents]).argsort().tolist()
            return [order.index(element) + 1 for element in range(bank)]

        shift = 1 + int(Draws(seed, 0, torch.tensor([index]), "mrr/shuffle").integers(bank - 1))
        nothing = ranks(torch.zeros(1, 2))
        for element in range(bank):
            rank = ranks(elements[element][1])[element]
            wrong = ranks(elements[(element - shift) % bank][1])[element]
            gains = {"mrr": 1 / rank, "mrr_shuffled": 1 / wrong, "mrr_null": 1 / nothing[element]}
            for name, gain in (gains | {f"h{k}": float(rank <= k) for k in (1, 5, 10)}).items():
                totals[name] += gain / (bank * images)
    return totals


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_agrees_with_loops_written_from_the_paper(seed, tmp_path):
    found = measure(World(noisy), tmp_path, seed, images=5, bank=11, chunk=4).metrics
    expected = by_the_paper(World(noisy), seed, 5, 11)
    assert 0.3 < expected["mrr"] < 0.95  # noisy enough for every rank to occur, good enough to be told from chance
    assert {name: found[name].value for name in expected} == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pooling", ["none", "mean"])
def test_a_perfect_predictor_is_always_right_and_its_controls_are_at_chance(pooling, tmp_path):
    metrics = measure(World(perfect), tmp_path, images=40, bank=32, pooling=pooling).metrics
    for name in ("mrr", "h1", "h5", "h10"):
        assert metrics[name] == pytest.approx((1.0, 1.0, 1.0, 40), abs=1e-9)
    # The truth is never first when another is asked for and found: the mean of 1/2 ... 1/k.
    assert metrics["mrr_shuffled"].value == pytest.approx((harmonic(32) - 1) / 31, abs=0.015)
    assert metrics["mrr_shuffled"].low < metrics["mrr_shuffled"].value < metrics["mrr_shuffled"].high
    assert metrics["mrr_null"].value == pytest.approx(harmonic(32) / 32, abs=1e-9)


@pytest.mark.parametrize("model", [World(blind), World(perfect, constant=True)], ids=["blind predictor", "constant encoder"])
@pytest.mark.parametrize("bank", [8, 33])
def test_knowing_nothing_gives_exactly_chance(model, bank, tmp_path):
    metrics = measure(model, tmp_path, images=5, bank=bank, chunk=7).metrics
    for name in ("mrr", "mrr_shuffled", "mrr_null", "mrr_chance"):
        assert metrics[name].value == pytest.approx(harmonic(bank) / bank, abs=1e-9)
        assert metrics[name].high - metrics[name].low == pytest.approx(0, abs=1e-9)
    for k in (1, 5, 10):
        assert metrics[f"h{k}"].value == pytest.approx(min(1, k / bank), abs=1e-9)
    assert metrics["h1_chance"].value == 1 / bank


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


def test_repeats_fill_the_bank_of_an_action_with_few_values(tmp_path):
    @dataclass(kw_only=True)
    class Switch(Shade):
        """Brighter or not: two values."""

        def sample(self, draws: Draws) -> ActionParams:
            target = torch.where(draws.bernoulli(0.5), torch.tensor([1.3, 0.0]), self.identity)
            return ActionParams(self.identity.expand_as(target), target)

    model = World(perfect)
    model.actions = Switch()
    found = measure(model, tmp_path, images=4, bank=10)
    assert found.settings["distinct"] == 2
    # Two groups of five equal elements: a perfect prediction ties the truth with four others, in the first five places.
    assert found.metrics["mrr"].value == pytest.approx(harmonic(5) / 5, abs=1e-9)
    assert found.metrics["h1"].value == pytest.approx(1 / 5, abs=1e-9)
    assert found.metrics["h5"].value == pytest.approx(1, abs=1e-9)
    assert found.metrics["mrr_null"].value == pytest.approx(harmonic(10) / 10, abs=1e-9)


def test_the_clean_image_and_the_identity_source_are_what_the_predictor_gets(tmp_path):
    seen = []

    def remember(tokens: Tensor, actions: Tensor) -> Tensor:
        seen.append((tokens, actions))
        return perfect(tokens, actions)

    model = World(remember)
    measure(model, tmp_path, images=1, bank=6, chunk=4)
    image = next(Data(0, 1).batches("validation", 1, 1)).images
    assert [actions.shape for _, actions in seen] == [(1, 4, 2), (1, 3, 2)]  # six elements and the null action, four at a time
    assert all(torch.equal(tokens, model.encode(image)) for tokens, _ in seen)
    assert torch.equal(seen[-1][1][0, -1], torch.zeros(2))


def test_progress_covers_every_image(tmp_path):
    steps = []

    def track(items, label, count):
        for item in items:
            steps.append((label, count))
            yield item

    Mrr(images=20, bank=4).evaluate(World(perfect), Data(0, 18), tmp_path, track)
    assert steps == [("mrr", 18)] * 18


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
