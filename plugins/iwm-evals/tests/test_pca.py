"""PCA maps and shares of variance where components are known."""

import math

import pytest
import torch
from iwm_devkit.known_model import (
    GRID,
    PATCH,
    PIXELS,
    TOKENS,
    WIDTH,
    KnownData,
    KnownModel,
    Negative,
    Slide,
    blind,
    half,
    perfect,
    quiet,
)
from iwm_evals.pca import CANDIDATES, Pca, fit_basis
from torch import Tensor

from iwm_core.interfaces import NotApplicable


def measure(model, tmp_path, data=None, **fields):
    return Pca(**fields).evaluate(model, data or KnownData(), tmp_path, quiet)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Spread(KnownModel):
    """Tokens spread over known directions: independent pixels, each weighted, then turned."""

    def __init__(self, weights: list[float], offset: float = 0.0, **known) -> None:
        super().__init__(**known)
        width = len(weights)
        self.turn, self.weights, self.offset = torch.linalg.qr(random(width, width)).Q, torch.tensor(weights), offset

    def encode(self, images: Tensor) -> Tensor:
        return (super().encode(images)[..., -len(self.weights) :] * self.weights) @ self.turn + self.offset


def answer(tokens: Tensor, actions: Tensor) -> Tensor:
    return tokens[:, None].expand(-1, actions.shape[1], -1, -1)


@pytest.mark.parametrize("offset", [0.0, 7.0])
def test_shares_of_variance_of_known_directions(offset, tmp_path):
    """The last twelve pixels are blue, which no class shifts: all alike but for their weights."""
    weights = [3.0, 2.0, 2.0] + [1.0] * 9
    model = Spread(weights, offset, answer=answer, parts={})
    metrics = measure(model, tmp_path, KnownData(images=4000), images=4000, chunk=1000).metrics
    for name, expected in (("variance.1", 9 / 26), ("variance.3", 17 / 26), ("variance.10", 24 / 26)):
        assert metrics[name].value == pytest.approx(expected, abs=0.01)
        assert metrics[name].low < metrics[name].value < metrics[name].high
        assert metrics[name].n == 4000
    assert metrics["variance.1"].high - metrics["variance.1"].low < 0.03


@pytest.mark.parametrize("width", [1, 2, 5])
def test_shares_agree_with_singular_values(width, tmp_path):
    weights = torch.linspace(1, 3, width).tolist()
    model = Spread(weights, answer=answer, parts={})
    found = measure(model, tmp_path, KnownData(images=50), chunk=7)
    tokens = torch.cat([model.encode(b.images) for b in KnownData(images=50).batches("validation", 50, 50)]).flatten(0, 1).double()
    energy = torch.linalg.svdvals(tokens - tokens.mean(0)).square()
    shares = (energy.cumsum(0) / energy.sum()).tolist()
    assert set(found.metrics) == {f"variance.{first}" for first in (1, 3, 10) if first <= width}
    for name, metric in found.metrics.items():
        assert metric.value == pytest.approx(shares[int(name.split(".")[1]) - 1], rel=1e-6)
    assert found.charts[0].series[0].y == pytest.approx(shares, rel=1e-6)
    assert found.charts[0].series[0].x == list(range(1, width + 1))


def test_a_prediction_is_shown_in_the_colours_of_what_it_predicts(tmp_path):
    """Perfect: the very map of the target. Blind: that of the source. Half: neither."""
    maps = {}
    for name, predictor in (("perfect", perfect), ("blind", blind), ("half", half)):
        gallery = measure(KnownModel(predictor, parts={"slide": Slide()}), tmp_path).galleries[0]
        assert gallery.headings == ("source", "its tokens", "target", "its tokens", "predicted")
        maps[name] = [torch.stack(list(column)) for column in zip(*(row.images for row in gallery.rows), strict=True)]
    source, before, target, after, _ = maps["perfect"]
    for name, columns in maps.items():
        for column, same in zip(columns, maps["perfect"][:4], strict=False):
            assert torch.equal(column, same), f"{name}: the truth does not depend on the predictor"
    assert torch.allclose(maps["perfect"][4], after, atol=1e-4)
    assert torch.allclose(maps["blind"][4], before, atol=1e-4)
    assert (after - before).abs().mean() > 0.01
    assert (maps["half"][4] - after).abs().mean() > 0.003
    clean = next(KnownData().batches("validation", 8, 8)).images
    assert torch.equal(source, clean)
    assert (target - clean).abs().amin((1, 2, 3)).max() > 0.01


def test_verdicts_are_errors_in_units_of_doing_nothing(tmp_path):
    for predictor, error in ((perfect, "0.00"), (half, "0.25"), (blind, "1.00")):
        rows = measure(KnownModel(predictor, parts={"slide": Slide()}), tmp_path).galleries[0].rows
        assert [row.verdict for row in rows] == [f"{error} of the error of doing nothing"] * 8
        assert set(rows[0].numbers) == {"slide.columns", "slide.rows"}


def test_equal_colours_are_equal_tokens_in_squares(tmp_path):
    """A map is constant in a patch; two patches are alike where their first three components are."""
    rows = measure(KnownModel(parts={}, answer=answer), tmp_path).galleries[0].rows
    images = torch.stack([row.images[1] for row in rows])
    patches = images.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH)
    assert torch.equal(patches, patches[..., :1, :1].expand_as(patches))
    assert images.amin() == 0
    assert images.amax() == 1
    flat = patches[..., 0, 0].flatten(2).transpose(1, 2).reshape(-1, 3)
    assert len({tuple(colour) for colour in flat.tolist()}) > 8 * TOKENS // 2


def test_the_basis_is_that_of_singular_vectors_with_fixed_signs():
    tokens = random(60, 5) * torch.tensor([0.1, 3.0, 1.0, 2.0, 0.2]) @ torch.linalg.qr(random(5, 5, seed=1)).Q + 4
    basis = fit_basis(tokens)
    centred = tokens.double() - tokens.double().mean(0)
    wanted = torch.linalg.svd(centred, full_matrices=False).Vh[:3].T
    wanted = wanted * wanted.gather(0, wanted.abs().argmax(0, keepdim=True)).sign()
    assert torch.allclose(basis.directions, wanted, atol=1e-6)
    place = centred @ wanted
    low, high = place.quantile(0.01, dim=0), place.quantile(0.99, dim=0)
    assert torch.allclose(basis.colours(tokens), ((place - low) / (high - low)).clamp(0, 1).float(), atol=1e-5)
    # Turned about, the tokens are the same: their components have the same signs again.
    assert torch.allclose(fit_basis(tokens.flip(0)).directions, basis.directions, atol=1e-9)


def test_a_component_that_is_not_there_is_grey(tmp_path):
    for width in (1, 2):
        images = measure(Spread([1.0] * width, answer=answer, parts={}), tmp_path).galleries[0].rows
        colours = torch.stack([row.images[1] for row in images])
        assert (colours[:, width:] == 0.5).all()
        assert colours[:, :width].std() > 0.1
    flat = fit_basis(torch.cat([random(30, 1), torch.ones(30, 4)], 1))  # one of five varies
    assert (flat.colours(random(7, 5))[:, 1:] == 0.5).all()


def test_the_most_changed_of_a_few_targets_is_shown(tmp_path):
    rows = measure(KnownModel(parts={"slide": Slide()}), tmp_path).galleries[0].rows
    norms = [math.hypot(*row.numbers.values()) for row in rows]
    # Of pairs uniform in [-1/2, 1/2], the longest of eight is 0.59 long on average, and one is 0.38.
    assert CANDIDATES == 8
    assert 0.5 < sum(norms) / 8 < 0.7


def test_where_no_target_changes_the_source_does(tmp_path):
    model = KnownModel(lambda tokens, undo: tokens[:, None] * (1 - 2 * undo[..., None]), parts={"negative": Negative()})
    rows = measure(model, tmp_path).galleries[0].rows
    clean = next(KnownData().batches("validation", 8, 8)).images
    for row, image in zip(rows, clean, strict=True):
        assert torch.equal(row.images[2], image)
        assert torch.allclose(row.images[0], 1 - image)
        assert torch.allclose(row.images[4], row.images[3], atol=1e-4), "a perfect predictor undoes it"
        assert row.numbers == {"negative.undo": 1}


def test_where_sources_are_made_from_targets_the_source_changes_too(tmp_path):
    class FromTarget(KnownModel):
        def views(self, images, params, target=None):
            return self.actions.views(images, params, "target", target)

    rows = measure(FromTarget(parts={"slide": Slide()}), tmp_path).galleries[0].rows
    clean = next(KnownData().batches("validation", 8, 8)).images
    for row, image in zip(rows, clean, strict=True):
        assert torch.equal(row.images[2], image)
        assert not torch.equal(row.images[0], image)
        assert row.verdict.startswith("0.00 of")


def test_without_an_action_the_image_predicts_itself(tmp_path):
    row = measure(KnownModel(parts={}, answer=answer), tmp_path).galleries[0].rows[0]
    assert torch.equal(row.images[0], row.images[2])
    assert torch.equal(row.images[1], row.images[4])
    assert (row.numbers, row.verdict) == ({}, "")


def test_a_second_run_is_the_same_and_few_images_are_all_shown(tmp_path):
    first, second = (measure(KnownModel(), tmp_path, KnownData(images=5), rows=7) for _ in range(2))
    assert first.metrics == second.metrics
    assert len(first.galleries[0].rows) == 5
    for one, other in zip(first.galleries[0].rows, second.galleries[0].rows, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.images, other.images, strict=True))
        assert all(image.shape == (3, PIXELS, PIXELS) for image in one.images)
    assert first.settings == {"images": 5, "width": WIDTH, "seed": 0}


def test_one_patch_is_one_colour(tmp_path):
    class Whole(KnownModel):
        def __init__(self) -> None:
            super().__init__(answer, parts={})
            self.grid = (1, 1)

        def encode(self, images: Tensor) -> Tensor:
            return super().encode(images).mean(1, keepdim=True)

    found = measure(Whole(), tmp_path, KnownData(images=3))
    assert found.metrics["variance.3"].value == pytest.approx(1), "three images span two directions"
    image = found.galleries[0].rows[0].images[1]
    assert torch.equal(image, image[:, :1, :1].expand_as(image))
    assert GRID > 1


def test_what_cannot_be_measured(tmp_path):
    with pytest.raises(NotApplicable, match="2 are too few"):
        measure(KnownModel(), tmp_path, KnownData(images=2))
    with pytest.raises(NotApplicable, match="all the same"):
        measure(KnownModel(constant=True), tmp_path)
    with pytest.raises(ValueError, match="this data has none"):
        measure(KnownModel(), tmp_path, KnownData(images=0))
    with pytest.raises(ValueError, match="not finite"):
        measure(KnownModel(lambda tokens, actions: math.inf * perfect(tokens, actions)), tmp_path)
