"""Health of worlds whose features are known."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from iwm_devkit.known_model import (
    PATCH,
    PIXELS,
    SLIDE,
    TOKENS,
    WIDTH,
    KnownData,
    KnownModel,
    Negative,
    Slide,
    blind,
    quiet,
    tokens_of,
)
from iwm_evals import health
from iwm_evals.health import Health
from torch import Tensor

from iwm_core.interfaces import EvaluationData, ImageBatch, NotApplicable

SIZE = 20.0
"""Length of a feature: far from the variance of a slide, and from a collapse."""


def same(tokens: Tensor, actions: Tensor) -> Tensor:
    return tokens[:, None].expand(-1, actions.shape[1], -1, -1)


def as_images(tokens: Tensor) -> Tensor:
    """The images whose tokens of pixels these are, [b, n, d] to [b, 3, h, w]."""
    grid = PIXELS // PATCH
    return tokens.unflatten(2, (3, PATCH, PATCH)).unflatten(1, (grid, grid)).permute(0, 3, 1, 4, 2, 5).reshape(-1, 3, PIXELS, PIXELS)


class Stars(EvaluationData):
    """Images one step forth and one back along each of ``directions`` orthogonal patterns; every patch of an image is the same."""

    classes = ()

    def __init__(self, directions: int, images: int = 96, seed: int = 0) -> None:
        self.directions, self.images, self.seed = directions, images, seed

    def count(self, split: str) -> int:
        return self.images if split == "validation" else 0

    def batches(self, split: str, count: int, size: int) -> Iterator[ImageBatch]:
        patterns = torch.linalg.qr(torch.cat([stripes(), torch.eye(WIDTH)]).T).Q.T.roll(-2, 0)  # the two of the slides come last
        for index in torch.arange(min(count, self.images)).split(size):
            number = index % (2 * self.directions)
            sign = 1 - 2 * (number % 2).float()
            patches = (sign[:, None] * patterns[number // 2])[:, None].expand(-1, TOKENS, -1)
            yield ImageBatch(index, 0.5 + as_images(patches) / 4, torch.full_like(index, -1), torch.empty(len(index), 0))


def stripes() -> Tensor:
    """The patterns of the slides in one patch, [2, d]."""
    return torch.stack([tokens_of(Slide().apply(torch.zeros(1, 3, PIXELS, PIXELS), one))[0, 0] for one in torch.eye(2)[:, None]])


class World(KnownModel):
    """Tokens of known size: pixels times four times `SIZE`."""

    def __init__(
        self,
        answer: Callable[[Tensor, Tensor], Tensor] = same,
        constant: bool = False,
        parts: dict | None = None,
        student: Callable[[Tensor], Tensor] = lambda tokens: tokens,
    ) -> None:
        super().__init__(answer, constant, {} if parts is None else parts)
        self.follow, self.seen = student, []

    def encode(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return 4 * SIZE * super().encode(images)

    def student(self, images: Tensor) -> Tensor:
        return self.follow(self.encode(images))


def measure(model, data, tmp_path, **fields):
    return Health(**fields).evaluate(model, data, tmp_path, quiet)


@pytest.mark.parametrize("directions", [2, 6, WIDTH])
def test_directions_of_equal_weight_are_counted(directions, tmp_path):
    """The whole width: isotropic features."""
    found = measure(World(), Stars(directions), tmp_path)
    for name in ("rankme", "rankme.tokens"):
        metric = found.metrics[name]
        assert metric.value == pytest.approx(directions, rel=1e-4)
        assert metric.low - 1e-4 <= directions <= metric.high + 1e-4
        assert metric.n == 96
    # Images lie evenly along the axes: the pairs of one image are itself, its opposite, and right angles.
    share = 1 / (2 * directions)
    apart = (96 * share - 1 + 96 * share * math.exp(-8) + 96 * (1 - 2 * share) * math.exp(-4)) / 95
    assert found.metrics["uniformity"].value == pytest.approx(math.log(apart), rel=1e-4)
    # A dimension of a rotated pattern has no simple std, but their squares add up.
    assert found.settings["verdict"] == ("partial collapse" if directions < 2 else "healthy")
    assert "lidar" not in found.metrics, "this recipe has no action"
    assert "lidar" not in found.about


def test_spreads_are_of_images_at_a_position(tmp_path):
    data = KnownData(images=60)
    tokens = torch.cat([World().encode(batch.images) for batch in data.batches("validation", 60, 60)])
    expected = tokens.double().std(0, correction=0).mean().item()
    found = measure(World(lambda tokens, actions: 3 + same(tokens, actions) / 2), data, tmp_path).metrics
    assert found["target_std"].value == pytest.approx(expected, rel=1e-6)
    assert found["prediction_std"].value == pytest.approx(expected / 2, rel=1e-6)
    assert found["target_std"].low < expected < found["target_std"].high


def test_a_perfect_prediction_of_a_view_spreads_as_the_view_and_a_blind_one_as_its_source(tmp_path):
    parts = {"slide": Slide(), "negative": Negative()}
    perfect = measure(KnownModel(parts=parts), KnownData(), tmp_path).metrics
    assert perfect["prediction_std"][:4] == pytest.approx(perfect["target_std"][:4], rel=1e-5)
    missed = measure(KnownModel(blind, parts=parts), KnownData(), tmp_path).metrics
    assert missed["target_std"] == perfect["target_std"]
    assert abs(missed["prediction_std"].value - perfect["target_std"].value) > 0.001


def test_student_and_teacher(tmp_path):
    """The mean of all images is 0, so a student of half the size is a quarter of the variance away."""
    for student, expected in ((lambda t: t, 0), (lambda t: t / 2, 0.25), (lambda t: 0 * t, 1), (lambda t: -t, 4)):
        found = measure(World(student=student), Stars(6), tmp_path)
        assert found.metrics["teacher_distance"].value == pytest.approx(expected, abs=1e-6)
        if expected != 1:  # just at the limit
            assert found.settings["verdict"] == ("watch" if expected == 4 else "healthy")
            assert ("teacher distance 4.00" in found.summary) == (expected == 4)


def test_lidar_counts_images_apart_and_not_the_slides_that_move_them(tmp_path):
    """Views spread along two directions; images along four others, by far more."""
    found = measure(World(parts={"slide": Slide()}), Stars(4), tmp_path).metrics
    assert found["lidar"].value == pytest.approx(4, rel=1e-3)

    # Where the encoder is blind to everything but the slides, images differ by chance alone: in both directions, by 1/(views - 1).
    class Slides(World):
        def encode(self, images: Tensor) -> Tensor:
            tokens = super().encode(images)
            along = stripes() / SLIDE / math.sqrt(WIDTH)
            return tokens @ along.T @ along

    assert measure(Slides(parts={"slide": Slide()}), Stars(4), tmp_path).metrics["lidar"].value == pytest.approx(2, rel=0.05)


def test_lidar_uses_sources_where_no_action_changes_a_target(tmp_path):
    model = World(parts={"negative": Negative()})
    found = measure(model, Stars(6, images=12), tmp_path, views=5, chunk=12)
    assert "lidar" in found.metrics
    assert found.settings["views"] == 5
    versions = model.seen[-6:-1]  # the last are targets
    originals = next(Stars(6, images=12).batches("validation", 12, 12)).images
    for version in versions:
        negative = (version - (1 - originals)).abs().flatten(1).amax(1) < 1e-6
        assert 0 < negative.sum() < 12
    assert len({tuple(version.flatten().tolist()) for version in versions}) == 5, "views are drawn independently"
    # They are the same view where each source is its image's negative: then six directions are told apart without noise.
    assert measure(World(parts={"negative": Negative(p=1.0)}), Stars(6), tmp_path).metrics["lidar"].value == pytest.approx(6, rel=1e-4)
    assert "lidar" not in measure(World(parts={"negative": Negative()}), Stars(6), tmp_path, views=0).metrics


def test_a_constant_encoder_has_collapsed(tmp_path):
    found = measure(World(constant=True, parts={"slide": Slide()}), KnownData(), tmp_path)
    assert found.settings["verdict"] == "collapse"
    assert found.summary.startswith("collapse: the teacher gives every image the same tokens (target std 0.000)")
    values = {name: metric.value for name, metric in found.metrics.items()}
    expected = {"rankme": 1, "rankme.tokens": 1, "lidar": 1, "target_std": 0, "prediction_std": 0, "uniformity": 0, "teacher_distance": 0}
    assert values == pytest.approx(expected, abs=1e-5)


def test_features_of_rank_one_are_a_partial_collapse(tmp_path):
    found = measure(World(), Stars(1), tmp_path)
    assert found.metrics["target_std"].value > 0.1
    assert found.metrics["rankme.tokens"].value == pytest.approx(1, abs=1e-4)
    assert found.settings["verdict"] == "partial collapse"
    assert found.summary.startswith("partial collapse: the teacher's tokens span 1.0 of 48 dimensions")


def test_a_prediction_that_is_the_same_for_all_images_is_to_be_watched(tmp_path):
    found = measure(World(lambda tokens, actions: torch.ones_like(same(tokens, actions))), Stars(6), tmp_path)
    assert found.metrics["prediction_std"].value == pytest.approx(0, abs=1e-6)
    assert found.settings["verdict"] == "watch"
    assert "predictions hardly depend on the image (prediction std 0.000" in found.summary


def test_the_spectrum_falls_where_directions_end(tmp_path):
    chart = measure(World(), Stars(6), tmp_path).charts[0]
    for series in chart.series:
        assert series.x == list(range(1, WIDTH + 1))
        assert series.y == pytest.approx([0] * 6 + [-4] * (WIDTH - 6), abs=1e-3)


def test_numbers_do_not_depend_on_chunks_and_are_the_same_again(tmp_path):
    model, data = KnownModel(), KnownData(images=50)
    first = measure(model, data, tmp_path)
    assert measure(model, data, tmp_path) == first
    chunked = measure(model, data, tmp_path, chunk=7).metrics
    assert {name: metric.value for name, metric in chunked.items()} == pytest.approx(
        {name: metric.value for name, metric in first.metrics.items()}, rel=1e-6
    )
    assert measure(model, KnownData(images=50, seed=1), tmp_path).metrics != first.metrics


def test_of_many_images_a_few_positions_are_kept(tmp_path, monkeypatch):
    everywhere = measure(World(), KnownData(), tmp_path)
    assert everywhere.settings["positions"] == TOKENS
    monkeypatch.setattr(health, "TOKENS", 200)
    few = measure(World(), KnownData(), tmp_path)
    assert few.settings["positions"] == 2
    assert few.metrics["target_std"].value == pytest.approx(everywhere.metrics["target_std"].value, rel=0.05)
    assert few.metrics["target_std"] != everywhere.metrics["target_std"]


def test_one_patch_and_three_images(tmp_path):
    class Whole(World):
        def __init__(self) -> None:
            super().__init__(parts={"slide": Slide()})
            self.grid = (1, 1)

        def encode(self, images: Tensor) -> Tensor:
            return super().encode(images).mean(1, keepdim=True)

    found = measure(Whole(), KnownData(images=3), tmp_path)
    assert found.settings["images"] == 3
    assert 1 <= found.metrics["rankme.tokens"].value <= 3
    assert all(metric.low <= metric.value <= metric.high for metric in found.metrics.values())


def test_too_few_images(tmp_path):
    with pytest.raises(NotApplicable, match="2 are too few"):
        measure(World(), KnownData(images=2), tmp_path)
    with pytest.raises(ValueError, match="this data has none"):
        measure(World(), KnownData(images=0), tmp_path)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_diverged_model_is_not_given_a_verdict(bad, tmp_path):
    with pytest.raises(ValueError, match="not finite"):
        measure(World(lambda tokens, actions: bad * same(tokens, actions)), KnownData(), tmp_path)
    with pytest.raises(ValueError, match="not finite"):
        measure(World(student=lambda tokens: bad * tokens), KnownData(), tmp_path)
