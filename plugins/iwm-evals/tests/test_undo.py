"""Undoing on the known world: its negatives are undone by turning the tokens' sign, its stains by taking a pattern away."""

import math
from dataclasses import dataclass

import pytest
import scipy.stats
import torch
from flat_metrics import flat
from iwm_devkit.known_model import KnownData, KnownModel, Negative, Slide, blind, checkers, perfect, quiet, tokens_of
from iwm_evals.undo import Undo
from torch import Tensor

from iwm_core.interfaces import Action, ActionParams, Draws, NotApplicable, option

STAIN = 0.2 * checkers()[0].prod(0, keepdim=True) * checkers()[1]
PATTERN = tokens_of(STAIN[None])[0]


@dataclass(kw_only=True)
class Stain(Action):
    """Adds a pattern to sources, now and then; not to images that are dark in the red channel, ``spare``."""

    name = "stain"
    labels = ("undo",)
    identity = torch.zeros(1)

    p: float = option(0.1, "probability", low=0, high=1)
    spare: float = option(0.0, "mean of the red channel below which nothing happens")

    def sample(self, draws: Draws) -> ActionParams:
        flag = draws.bernoulli(self.p).float()
        return ActionParams(flag, torch.zeros_like(flag))

    def apply(self, images: Tensor, params: Tensor) -> Tensor:
        stained = (params[:, 0] > 0) & (images[:, 0].mean((1, 2)) >= self.spare)
        return torch.where(stained[:, None, None, None], images + STAIN, images)

    def encode(self, source: Tensor, target: Tensor) -> Tensor:
        return source - target


def all_right(images):
    """Wilson's interval where all are right, with Student's t."""
    return pytest.approx((1, 1 / (1 + scipy.stats.t.ppf(0.975, images - 1) ** 2 / images), 1, images))


def all_wrong(images):
    t2 = scipy.stats.t.ppf(0.975, images - 1) ** 2
    return pytest.approx((0, 0, t2 / (images + t2), images))


def far(share: float):
    """A predictor that goes a share of the way."""

    def answer(tokens: Tensor, actions: Tensor) -> Tensor:
        undo = actions[..., 2:3, None]
        return tokens[:, None] * (1 - 2 * share * undo)

    return answer


def both(tokens: Tensor, actions: Tensor) -> Tensor:
    """Undoes the negative, then the stain below it."""
    negative, stain = actions[..., 2:3, None], actions[..., 3:4, None]
    return tokens[:, None] * (1 - 2 * negative) - stain * PATTERN


def negatives(tokens: Tensor, actions: Tensor) -> Tensor:
    return both(tokens, actions * torch.tensor([1.0, 1.0, 1.0, 0.0]))


def mistaken(tokens: Tensor, actions: Tensor) -> Tensor:
    """From a negative to the stained image."""
    return both(tokens, actions) + actions[..., 2:3, None] * PATTERN


def beyond(tokens: Tensor, actions: Tensor) -> Tensor:
    """Three times too far, past the clean image."""
    return 3 * both(tokens, actions) - 2 * tokens[:, None]


def measure(tmp_path, answer=perfect, seed: int = 0, available: int = 40, constant: bool = False, parts=None, **fields):
    return flat(Undo(**fields).evaluate(KnownModel(answer, constant, parts), KnownData(seed, available), tmp_path, quiet))


def two(**fields) -> dict[str, Action]:
    return {"slide": Slide(), "stain": Stain(**fields), "negative": Negative()}


def swapped(answer):
    """For `two`, whose stain is told before the negative: stains are made before them, below them."""
    return lambda tokens, actions: answer(tokens, actions[..., [0, 1, 3, 2]])


def test_a_perfect_predictor_undoes_everything_and_told_nothing_it_undoes_nothing(tmp_path):
    found = measure(tmp_path)
    for part in ("", ".negative"):
        assert found.metrics[f"undo{part}"] == pytest.approx((0, 0, 0, 40), abs=1e-10)
        assert found.metrics[f"undo{part}_null"] == found.metrics[f"undo{part}_identity"] == (1, 1, 1, 40)
        assert found.metrics[f"undone{part}"] == all_right(40)
        assert found.metrics[f"undone{part}_null"] == all_wrong(40)
    assert set(found.about) == {"undo", "undone"}


def test_a_blind_predictor_undoes_exactly_nothing(tmp_path):
    found = measure(tmp_path, blind).metrics
    for part in ("", ".negative"):
        assert found[f"undo{part}"] == found[f"undo{part}_null"] == (1, 1, 1, 40)
        assert found[f"undone{part}"] == found[f"undone{part}_null"] == all_wrong(40)


@pytest.mark.parametrize(("share", "undone"), [(0.25, 0), (0.45, 0), (0.55, 1), (1.5, 1), (2.5, 1)])
def test_part_of_the_way_leaves_the_square_of_the_rest(share, undone, tmp_path):
    found = measure(tmp_path, far(share)).metrics
    left = (1 - share) ** 2
    assert found["undo"][:3] == pytest.approx((left, left, left), rel=1e-5)
    assert found["undone"] == (all_right(40) if undone else all_wrong(40))


def test_parts_tell_which_operation_is_undone(tmp_path):
    found = measure(tmp_path, swapped(negatives), parts=two())
    assert found.metrics["undo.negative"].value == pytest.approx(0, abs=1e-10)
    assert found.metrics["undo.stain"].value == pytest.approx(1, abs=1e-6)
    assert 0.01 < found.metrics["undo"].value < 0.9
    assert (found.metrics["undone.negative"].value, found.metrics["undone.stain"].value) == (1, 0)
    assert f"{found.metrics['undo'].value:.3f}" in found.summary
    (chart,) = found.charts
    assert chart.levels == {"not undone": 1}
    assert chart.series[0].x == ["all", "stain", "negative"]
    assert chart.series[0].y == pytest.approx([found.metrics[name].value for name in ("undo", "undo.stain", "undo.negative")])
    assert measure(tmp_path, swapped(both), parts=two()).metrics["undo"].value == pytest.approx(0, abs=1e-10)


def test_rare_operations_are_drawn_until_they_are_told(tmp_path):
    rare = Negative(p=0.02)
    drawn = [rare.sample(Draws(0, version, torch.arange(80), "undo/draws").stream("negative")).source for version in range(100)]
    told = torch.cat(drawn, 1).any(1)
    assert 50 < told.sum() < 80
    found = measure(tmp_path, parts={"slide": Slide(), "negative": rare}, available=80, images=80)
    assert found.metrics["undo.negative"] == pytest.approx((0, 0, 0, int(told.sum())), abs=1e-10)
    assert found.metrics["undo.negative_null"].value == 1


def test_an_operation_that_is_never_told_is_left_out(tmp_path):
    found = measure(tmp_path, swapped(both), parts=two(p=0))
    assert "undo.negative" in found.metrics
    assert not [name for name in found.metrics if "stain" in name]
    assert found.charts[0].series[0].x == ["all", "negative"]


def test_images_that_an_operation_leaves_as_they_are_do_not_count(tmp_path):
    """They would be a tie in `undone`, and an error against no distance in `undo`."""
    red = torch.cat([batch.images[:, 0].mean((1, 2)) for batch in KnownData(0, 40).batches("validation", 40, 8)])
    found = measure(tmp_path, swapped(both), parts=two(p=1, spare=0.5)).metrics
    assert found["undo.stain"].n == found["undone.stain"].n == int((red >= 0.5).sum()) < 35
    assert found["undone.stain"].value == 1


def test_the_gallery_shows_what_lies_nearest(tmp_path):
    rows = {}
    for name, answer in (("both", both), ("negatives", negatives), ("mistaken", mistaken), ("beyond", beyond)):
        (gallery,) = measure(tmp_path, swapped(answer), parts=two(p=1)).galleries
        rows[name] = gallery.rows
        assert len(rows[name]) == 8
    assert [row.verdict for row in rows["both"][:2]] == ["stain: undone, error 0.00", "negative: undone, error 0.00"]
    assert [row.verdict for row in rows["negatives"][:2]] == ["stain: not undone, error 1.00", "negative: undone, error 0.00"]
    assert rows["mistaken"][1].verdict.startswith("negative: taken for stain, error 0.")
    assert [row.right for row in rows["mistaken"][:2]] == [True, False]
    assert rows["beyond"][0].verdict == "stain: astray, error 4.00", "nearer to clean than to corrupted, and far from both"
    assert rows["beyond"][0].right is False
    corrupted, clean, nearest = rows["mistaken"][1].images
    assert torch.allclose(corrupted, 1 - clean)
    assert torch.allclose(nearest, clean + STAIN)
    assert rows["both"][0].numbers == {"slide.columns": 0, "slide.rows": 0, "stain.undo": 1, "negative.undo": 0}


def test_a_second_run_and_other_batches_give_the_same_numbers(tmp_path):
    def half_the_rest(tokens: Tensor, actions: Tensor) -> Tensor:
        return swapped(both)(tokens, actions) * 0.8

    first, second, other = (measure(tmp_path, half_the_rest, seed, parts=two()).metrics for seed in (3, 3, 4))
    assert first == second != other
    chunked = measure(tmp_path, half_the_rest, 3, parts=two(), chunk=7).metrics
    assert {name: tuple(metric) for name, metric in chunked.items()} == {
        name: pytest.approx(tuple(m), rel=1e-5) for name, m in first.items()
    }
    assert first["undo"].low < first["undo"].value < first["undo"].high


def test_progress_covers_every_batch(tmp_path):
    steps = []

    def track(items, label, total):
        for item in items:
            steps.append((label, total))
            yield item

    Undo(images=20, chunk=8).evaluate(KnownModel(), KnownData(0, 18), tmp_path, track)
    assert steps == [("undo", 3)] * 3


def test_what_cannot_be_measured(tmp_path):
    for parts in ({}, {"slide": Slide()}):
        with pytest.raises(NotApplicable, match="no action of this recipe is on sources alone"):
            measure(tmp_path, parts=parts)
    with pytest.raises(NotApplicable, match="negative changed the latents of no image"):
        measure(tmp_path, parts={"slide": Slide(), "negative": Negative(p=0)})
    with pytest.raises(NotApplicable, match="negative changed the latents of no image"):
        measure(tmp_path, blind, constant=True)
    with pytest.raises(ValueError, match="validation images, and this data has none"):
        measure(tmp_path, available=0)
    with pytest.raises(ValueError, match="not finite"):
        measure(tmp_path, lambda tokens, actions: perfect(tokens, actions) * math.inf)
    with pytest.raises(ValueError, match=r"^undo\.images must be"):
        Undo(images=0)


def test_one_image(tmp_path):
    found = measure(tmp_path, available=1)
    assert found.metrics["undone"] == (1, 0, 1, 1), "one image tells nothing of others"
    assert len(found.galleries[0].rows) == 1


def test_a_strength_is_that_of_the_first_draw_that_is_told_whatever_else_is_in_the_batch(tmp_path):
    @dataclass(kw_only=True)
    class Smudge(Stain):
        """As strong as it is drawn; the action only tells that there is one."""

        def sample(self, draws: Draws) -> ActionParams:
            strength = draws.uniform(1, 0.1, 1) * draws.bernoulli(self.p)
            return ActionParams(strength, torch.zeros_like(strength))

        def apply(self, images: Tensor, params: Tensor) -> Tensor:
            return images + params[:, :, None, None] * STAIN

        def encode(self, source: Tensor, target: Tensor) -> Tensor:
            return source.sign() - target.sign()

    def strongest(tokens: Tensor, actions: Tensor) -> Tensor:
        return tokens[:, None] - actions[..., 2:3, None] * PATTERN

    strengths = []
    for index in range(9):
        drawn = [float(Smudge().sample(Draws(0, v, torch.tensor([index]), "undo/draws").stream("smudge")).source) for v in range(100)]
        strengths.append(next(strength for strength in drawn if strength))
    expected = sum((1 - s) ** 2 for s in strengths) / sum(s**2 for s in strengths)
    for chunk in (1, 9):
        found = measure(tmp_path, strongest, available=9, parts={"slide": Slide(), "smudge": Smudge()}, chunk=chunk).metrics
        assert found["undo.smudge"].value == pytest.approx(expected, rel=1e-5)
