"""Imagined pictures where tokens are pixels, so that a decoder can be nearly perfect, and every share is known."""

import functools
import math
from dataclasses import dataclass

import pytest
import torch
from iwm_devkit import check_evaluator
from iwm_devkit.known_model import PAIRED, PIXELS, KnownData, KnownModel, KnownPairs, Negative, Slide, blind, half, perfect, quiet
from iwm_evals import decoder
from iwm_evals.decoding.kept import NAME
from iwm_evals.decoding.network import Decoder, split
from iwm_evals.imagination import Imagination
from iwm_evals.words.asked import asked, told
from iwm_photometric.jitter import Jitter

from iwm_core.interfaces import Action, ActionParams, UserError, option
from iwm_core.model.actions import ActionSequence

SMALL = {"images": 12, "train_images": 200, "steps": 150, "batch": 32, "channels": 64, "depth": 0, "lr": 5e-3, "doses": 3, "rows": 2}


def measure(folder, model=None, data=None, **fields):
    return Imagination(**SMALL | fields).evaluate(model or KnownModel(), data or KnownData(), folder, quiet)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What is found of a predictor, and the folder with its decoder, which is trained once; to be read only."""

    @functools.cache
    def of(predictor=perfect):
        folder = tmp_path_factory.mktemp("measured")
        return measure(folder, KnownModel(predictor)), folder

    return of


@dataclass(kw_only=True)
class Tint(Action):
    """A third party's action: two parameters, three numbers, no units."""

    name = "tint"
    labels = ("warm", "cold", "dim")
    identity = torch.zeros(2)

    strength: float = option(0.1, "largest shift")

    def sample(self, draws):
        return ActionParams(torch.zeros(len(draws), 2), draws.uniform(2, -self.strength, self.strength))

    def apply(self, images, params):
        return (images + params.new_tensor([1.0, 0.0, -1.0])[:, None, None] * params[:, :1, None, None] - params[:, 1:, None, None]).clamp(
            0, 1
        )

    def encode(self, source, target):
        warm, dim = (target - source).div(self.strength).split(1, 1)
        return torch.cat([warm.clamp(min=0), (-warm).clamp(min=0), dim], 1)


@pytest.mark.parametrize(("predictor", "left"), [(perfect, 0.0), (half, 0.25), (blind, 1.0)])
def test_what_is_imagined_is_as_far_from_the_truth_as_it_is(predictor, left, measured):
    """Decoded by one decoder, which is nearly linear, a half of each movement leaves a quarter of its square."""
    metrics = measured(predictor)[0].metrics
    for name in ("imagined", "imagined.slide.columns", "imagined.negative"):
        assert metrics[name].value == pytest.approx(left, abs=0.03)
        assert metrics[name].controls["identity"].value == 1
    assert metrics["imagined"].controls["null"].value == pytest.approx(1, abs=0.01)
    assert metrics["responds"].value == pytest.approx((1 - math.sqrt(left)) ** 2, abs=0.05)
    assert metrics["nearer.slide.rows"].value == {0.0: 1, 0.25: 1, 1.0: 0.5}[left]
    assert metrics["psnr_gain"].low > 4


def test_a_model_that_is_blind_to_actions_is_told_so(measured):
    found, _ = measured(blind)
    assert found.metrics["responds"].value == 0
    assert "the same image is imagined whatever is asked" in found.summary
    cases, columns = found.galleries[:2]
    assert "this predictor does not know the action" in cases.subtitle
    imagined, real = columns.rows[0].images, columns.rows[2].images
    assert all(torch.equal(one, imagined[0]) for one in imagined)
    assert not torch.equal(real[0], real[-1])


def test_the_contract_and_the_same_numbers_again():
    found = check_evaluator(Imagination(**SMALL))
    names = [gallery.name for gallery in found.galleries]
    assert names == ["imagined", "imagined_slide_columns", "imagined_slide_rows", "imagined_composed", "imagined_plans"]
    for gallery in found.galleries:
        assert 0 < len(gallery.rows) <= 12
        for row in gallery.rows:
            assert len(row.images) == len(gallery.headings)
            assert all(image.shape == (3, PIXELS, PIXELS) and 0 <= image.min() <= image.max() <= 1 for image in row.images)
    assert [row.title for row in found.galleries[0].rows][-1] == "undo negative"


def test_strips_and_plans_of_a_perfect_model_show_the_truth(measured):
    found = {gallery.name: gallery for gallery in measured()[0].galleries}
    above, middle, below = (torch.stack(row.images) for row in found["imagined_slide_columns"].rows[:3])
    assert (above - middle).abs().max() < 1e-3
    assert (above - below).abs().mean() < 0.04
    assert found["imagined_slide_columns"].rows[2].captions == ("columns −0.50", "as it is", "columns +0.50")
    left = [float(words.split()[1]) for words in found["imagined_plans"].rows[0].captions]
    assert left[0] == 1
    assert left == sorted(left, reverse=True)
    assert left[-2] < 0.1


def test_third_parties_observed_and_no_actions(tmp_path):
    tint = measure(
        tmp_path,
        KnownModel(lambda tokens, actions: tokens[:, None].expand(-1, actions.shape[1], -1, -1), parts={"tint": Tint()}),
        steps=10,
    )
    assert {"imagined.tint.0", "imagined.tint.1"} <= tint.metrics.keys()
    assert tint.galleries[0].rows[0].title == "warm +1.00"
    shown = measure(tmp_path, KnownModel(parts=PAIRED), KnownPairs())
    assert shown.metrics["imagined.move"].value < 0.05
    assert [gallery.name for gallery in shown.galleries] == ["imagined"]
    assert all(row.title.startswith(("columns", "rows")) for row in shown.galleries[0].rows)
    nothing = measure(tmp_path, KnownModel(parts={}, answer=lambda tokens, actions: tokens[:, None]), steps=10)
    assert nothing.metrics.keys() == {"psnr", "psnr_gain"}
    assert nothing.galleries[0].headings == ("image", "decoded", "difference")


def test_a_collapsed_encoder_gives_the_mean_image_and_a_diverged_one_is_refused(tmp_path):
    found = measure(tmp_path, KnownModel(constant=True))
    assert found.metrics["psnr_gain"].value == pytest.approx(0, abs=0.5)
    assert "imagined" not in found.metrics
    with pytest.raises(ValueError, match="has training diverged"):
        measure(tmp_path, KnownModel(lambda tokens, actions: perfect(tokens, actions) / 0), steps=1)


def test_the_decoder_is_kept_and_read_for_its_own_model_alone(measured):
    model, file = KnownModel(), measured()[1] / NAME
    images = next(KnownData().batches("validation", 4, 4)).images
    show = decoder(model, file)
    shown = show(model.targets(images))
    assert shown.shape == images.shape
    assert (shown - images).abs().mean() < 0.05
    assert not any(weight.requires_grad for weight in show.parameters())
    with pytest.raises(ValueError, match=r"takes tokens \[b, 4, 48\].*got \[4, 2, 48\]"):
        show(model.targets(images)[:, :2])
    with pytest.raises(UserError, match="of another model or checkpoint; train it again: iwm eval RUN"):
        decoder(KnownModel(constant=True), file)
    with pytest.raises(UserError, match="of no run"):
        decoder(model)
    with pytest.raises(UserError, match="got a dict"):
        decoder({})


@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "flipped", "text", "folder"])
def test_a_damaged_decoder_is_refused_in_one_line(damage, tmp_path, measured):
    file = tmp_path / NAME
    content = bytearray((measured()[1] / NAME).read_bytes())
    if damage == "folder":
        file.mkdir()
    elif damage != "missing":
        content[-50] ^= 1
        file.write_bytes({"empty": b"", "cut": bytes(content[:-9]), "flipped": bytes(content), "text": b"not weights"}[damage])
    with pytest.raises(UserError) as caught:
        decoder(KnownModel(), file)
    assert str(file) in str(caught.value)
    assert "train it again: iwm eval RUN" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_ended_in_the_middle_leaves_nothing_and_is_found_again(tmp_path, measured):
    def ended(items, label, total):
        for number, item in enumerate(items):
            if "training" in label and number == 7:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        Imagination(**SMALL).evaluate(KnownModel(), KnownData(), tmp_path, ended)
    assert list(tmp_path.iterdir()) == []
    whole, folder = measured()
    assert measure(tmp_path).metrics == whole.metrics
    assert (tmp_path / NAME).read_bytes() == (folder / NAME).read_bytes()


@pytest.mark.parametrize(("grid", "size"), [((6, 6), 48), ((14, 14), 224), ((4, 4), 28), ((3, 6), 24), ((5, 5), 37), ((1, 1), 8)])
def test_any_grid_and_image_size(grid, size):
    show = Decoder(grid, 12, size, 8, 1)
    assert show(torch.zeros(2, math.prod(grid), 12)).shape == (2, 3, size, size)


def test_a_patch_is_spread_over_its_own_pixels():
    """Without convolutions between, what a token says stays in its patch."""
    assert [split(side) for side in (1, 7, 8, 14, 16, 32)] == [(1, 1), (7, 1), (4, 2), (7, 2), (4, 4), (8, 4)]
    show = Decoder((2, 3), 4, 12, 8, 0)
    torch.nn.init.normal_(show.leave.weight)
    first, second = torch.zeros(1, 6, 4), torch.zeros(1, 6, 4)
    second[0, 5] = 5.0  # lower right
    changed = (show.pixels(first) - show.pixels(second)).abs().amax((0, 1)) > 1e-6
    rows, columns = changed.any(1).nonzero()[:, 0], changed.any(0).nonzero()[:, 0]
    assert rows.max() == 11
    assert columns.max() == 11
    assert rows.min() >= 3
    assert columns.min() >= 5


def test_words():
    model = KnownModel(parts={})
    model.parts = {"jitter": Jitter(), "negative": Negative(), "slide": Slide()}
    model.actions = ActionSequence(model.parts)
    assert asked(model, torch.tensor([1.3, 1, 1, -0.05, 0, 0, 0])) == ["brightness ×1.30", "hue −0.05 turns"]
    assert asked(model, torch.tensor([1.0, 1, 1, 0, 0, 0, 0])) == ["no change"]
    assert asked(model, torch.tensor([1.0, 1, 1, 0, 0, -0.5, 0])) == ["columns −0.25"]
    assert told(model, torch.tensor([0.5, 0, 0, 0, 1, 0, 0])) == ["brightness +0.50", "undo negative"]
