"""Observed actions: pairs that a data source yields are read, cropped, flipped, kept, told, measured, planned and tuned (PAPER §1, §2)."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from iwm_data.cache import Cache, common_side
from iwm_data.cached_views import CachedViews
from iwm_devkit.actions import check_transformation
from seen_pairs import FAULTY, Seen, SeenImages
from tiny_plugin import Gain

import iwm_core
from iwm_core.data.loader import DecodedViews, on_device
from iwm_core.data.order import Schedule
from iwm_core.data.reading import Reader
from iwm_core.data.view import random_boxes
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces import ActionParams, Draws, Observed
from iwm_core.model.actions import ActionSequence, ObservedAction
from iwm_core.recipe.config import View

CPU = torch.device("cpu")
OBSERVED = Seen().observed
COUNT = 24


def slices(stop=3):
    return Schedule(1, COUNT, 8).slices(0, stop, 0, 1)


def decoded(fault="", workers=0, observed=OBSERVED):
    views = DecodedViews(Reader(SeenImages(COUNT, 0, fault), observed), View(), 16, 1)
    return [on_device(batch, CPU) for batch in made_in_order(views, slices(), workers)]


def stored(fault=""):
    reader = Reader(SeenImages(COUNT, 0, fault), OBSERVED)
    cache = Cache(reader, 0, lambda items, label, total: items, common_side(reader), CPU)
    first, *rest = CachedViews(cache, View(), 16, 1, CPU)(slices())
    return [first._replace(corrupt=cache.corrupt), *rest]


def flips(batch):
    return random_boxes(Draws(1, batch.epoch, batch.index), torch.tensor([[20, 24]]).expand(len(batch.index), -1), View())[1]


@pytest.mark.parametrize("read", [decoded, stored], ids=["decoded", "kept"])
def test_both_sides_are_cropped_and_flipped_alike_and_the_action_with_them(read):
    turned = 0
    for batch in read():
        drawn = torch.stack([SeenImages(COUNT, 0).drawn(i) for i in batch.index.tolist()])
        brighter = (60 * drawn[:, 0]).round() / 255
        # wherever the crop lies, the sides differ by one number of their own; a few grey levels are lost to rounding
        assert ((batch.target - batch.images) - brighter[:, None, None, None]).abs().max() < 2.5 / 255
        flipped = flips(batch)
        turned += int(flipped.sum())
        assert torch.equal(batch.action, torch.where(flipped[:, None], drawn * torch.tensor([1.0, -1.0]), drawn))
    assert 0 < turned < COUNT


def test_workers_change_nothing():
    for one, two in zip(decoded(), decoded(workers=2), strict=True):
        for name in ("images", "target", "action", "index"):
            assert torch.equal(getattr(one, name), getattr(two, name)), name


def test_single_images_have_no_target_and_no_numbers(tiny):
    source = tiny.component("data_source", "noise")(count=COUNT)
    views = DecodedViews(Reader(source.open("train"), source.observed), View(), 16, 1)
    for batch in map(views, slices(1)):
        assert batch.target is None
        assert batch.action.shape == (8, 0)


@pytest.mark.parametrize("read", [decoded, stored], ids=["decoded", "kept"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("corrupt", "torn in two"),
        ("small", "20 x 24 and 18 x 24 pixels; they must have one size"),
        ("nan", r"must be 2 finite numbers, got \[nan, nan\]"),
        ("short", "must be 2 finite numbers"),
    ],
)
def test_a_broken_pair_is_corrupt_as_a_whole(read, fault, reason):
    """In its place stands the next pair, with its own action."""
    batches = read(fault)
    (corrupt,) = [one for batch in batches for one in batch.corrupt]
    assert (corrupt.index, corrupt.name) == (FAULTY, f"pair {FAULTY}")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(corrupt.reason)
    (batch, place) = next((b, b.index.tolist().index(FAULTY)) for b in batches if FAULTY in b.index)
    drawn = SeenImages(COUNT, 0).drawn(FAULTY + 1)
    assert batch.action[place].abs() == pytest.approx(drawn.abs())
    assert (batch.target - batch.images)[place].mean().item() == pytest.approx((60 * drawn[0]).round().item() / 255, abs=1.5 / 255)


def test_an_observed_action_is_an_action():
    """Of images alone, it is the identity on both sides; planning searches its range."""
    action = ObservedAction(Observed("move", ("x", "y"), low=(-0.5, 0), high=(0.5, 2)))
    check_transformation(action)
    candidates = action.candidates(Draws(0, 0, torch.arange(4000)))
    low, high = torch.tensor([-0.5, 0.0]), torch.tensor([0.5, 2.0])
    assert (candidates >= low).all()
    assert (candidates <= high).all()
    torch.testing.assert_close(candidates.mean(0), (low + high) / 2, atol=0.04, rtol=0)


def test_a_sequence_tells_the_observed_action_first_and_makes_the_others_on_top():
    actions = ActionSequence({"exposure": ObservedAction(OBSERVED), "gain": Gain()})
    draws = Draws(0, 0, torch.arange(4), "actions")
    seen, images = draws.stream("seen").uniform(2, -1, 1), torch.full((4, 3, 8, 8), 0.25)
    params = actions.observe(actions.sample(draws), seen)
    views = actions.views(images, params, "view", 2 * images)
    alone = Gain().sample(draws.stream("gain"))
    assert torch.equal(views.source, Gain().apply(images, alone.source))
    assert torch.equal(views.target, Gain().apply(2 * images, alone.target))
    assert torch.equal(views.action, torch.cat([seen, Gain().encode(*alone)], 1))
    assert actions.names == ("exposure", "exposure", "gain")
    unseen = actions.views(images, actions.sample(draws), "view")
    assert torch.equal(unseen.action[:, :2], torch.zeros(4, 2)), "of images alone nothing is known to have happened"
    assert torch.equal(unseen.target, Gain().apply(images, alone.target))


@pytest.mark.parametrize(
    ("overrides", "fix"),
    [
        (["data.mirror=false"], "use view.flip=0"),
        (["view.source_from=target"], "use view.source_from=view"),
        (["data.fault=nan", "data.max_corrupt=0"], "more than data.max_corrupt=0"),
    ],
)
def test_recipes_that_pairs_do_not_fit(iwm, overrides, fix):
    status, text = iwm("train", "recipe=tiny", "data=seen", "run=r", *overrides)
    assert status == 2
    (line,) = [line for line in text.splitlines() if line.startswith("iwm: ")]
    assert fix in line


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["corrupt", "nan"])  # one of an image, one of numbers: what is read of each is tried above
def test_a_broken_pair_keeps_none_from_being_measured(iwm, fault):
    words = ["data=seen", f"data.fault={fault}", "data.max_corrupt=0.1", "data.count=24"]
    words += ["evaluators=[inverse,error]", "evaluators.inverse.bank=8", "evaluators.error.images=16", "evaluators.error.draws=1"]
    status, text = iwm("train", "recipe=tiny", "run=r", "train.steps=2", *words)
    assert status == 0, text
    assert "pair 5" in text
    for evaluator in ("inverse", "error"):
        assert json.loads(Path(f"r/eval/{evaluator}.json").read_text())["metrics"]


@pytest.mark.slow
def test_a_model_is_measured_on_pairs_that_could_not_be_flipped_in_training(iwm):
    assert iwm("train", "recipe=tiny", "run=r", "data=seen", "train.lr.warmup=1") == (0, "")
    assert iwm("eval", "r", "data.mirror=false", "evaluators=[error]") == (0, "")


def test_an_action_of_the_observed_ones_name_is_refused(tiny, iwm, monkeypatch):
    monkeypatch.setattr(Seen, "observed", property(lambda self: Observed("gain", ("up", "aside"), mirror=(1, -1))))
    status, text = iwm("train", "recipe=tiny", "data=seen", "run=r")
    assert status == 2
    assert "leave actions=gain out" in text


@pytest.fixture
def trained(tiny, iwm, tmp_path):
    """A model that was trained on pairs, for long enough to know what brighter is."""
    words = ["train.steps=120", "train.batch_size=16", "train.lr.peak=3e-3", "data.count=256", "data.cache=ram", "actions=[]"]
    assert iwm("train", "recipe=tiny", "data=seen", "predictor=feature", "run=r", *words)[0] == 0
    return tmp_path / "r"


@pytest.mark.slow
def test_everything_works_with_pairs(trained, iwm):
    """Training told the action, the model imagines by its labels, plans, is measured, resumed and tuned, and no data but pairs fits it."""
    model = iwm_core.load(trained)
    assert model.names == ("exposure", "exposure")
    split = Seen(count=64).open("validation")
    source, goal = (torch.stack([side(i)[:, 2:18, 4:20] for i in range(64)]) / 255 for side in (split.image, split.target))
    true = torch.stack([split.action(i) for i in range(64)])
    start, end = model.targets(source), model.targets(goal)

    def error(action):
        return (model.predict(model.encode(source), action[:, None])[:, 0] - end).square().mean()

    with torch.no_grad():
        assert error(true) < 0.9 * error(torch.zeros_like(true)), "told, it knows more than told nothing"
        assert error(true) < 0.9 * error(true.roll(1, 0)), "and than told another pair's action"
        assert start.shape == end.shape
    imagined = model.imagine(source, {"exposure": {"up": 0.5}})
    asked = torch.tensor([[0.5, 0.0]]).expand(64, -1)
    torch.testing.assert_close(imagined, model.predict(model.encode(source), asked[:, None])[:, 0])
    with pytest.raises(ValueError, match="numbers of an action are finite and by label"):
        model.imagine(source, {"exposure": {"up": float("nan")}})
    plan = model.plan(source, goal, candidates=64)
    assert set(plan.numbers[0]) == {"exposure"}
    found, chance = (plan.action[:, 0] - true[:, 0]).abs().mean(), (true[:, 0] - true[:, :1]).abs().mean()
    assert found < 0.8 * chance

    assert iwm("eval", trained, "evaluators=[inverse,error,mrr]", "evaluators.inverse.bank=16")[0] == 0
    assert "no action of this recipe changes a target" in json.loads((trained / "not_applicable.json").read_text())["mrr"]["reason"]
    (other,) = (trained / "eval" / "inverse").glob("*.json")
    metrics = json.loads(other.read_text())["metrics"]
    assert metrics["inverse"]["low"] > metrics["inverse"]["controls"]["chance"]["value"]
    assert metrics["inverse.exposure.up"]["value"] > metrics["inverse.exposure.aside"]["value"], "the second number is noise"
    assert "error.exposure" in json.loads((trained / "eval" / "error.json").read_text())["metrics"]

    for verb in ("eval", "resume"):
        status, text = iwm(verb, trained, "data=noise")
        assert status == 2
        assert "trained with an observed action (up, aside), and data=noise shows none" in text
    assert iwm("resume", trained)[0] == 0
    small = ["budget=cpu", "train.steps=2", "train.epochs=null", "train.batch_size=8", "run=t", "launch.device=cpu", "train.lr.warmup=0"]
    status, text = iwm("tune", trained, "recipe=tune/predictor", *small)
    assert status == 0, text
    assert (iwm_core.load("t").predict(torch.rand(2, 3, 16, 16))["classify"].sum(1) - 1).abs().max() < 1e-5


@pytest.mark.slow
def test_a_run_on_pairs_goes_on_bitwise_where_it_was_interrupted(tiny, commands):
    """Also with a made action beside the observed one, other workers and a cache."""
    words = ["train", "recipe=tiny", "data=seen", "train.checkpoint_every=2", "train.keep=9"]
    assert commands(*words, "run=whole") == 0
    assert commands(*words, "run=parts", "launch.workers=2", "data.cache=none") == 0
    checkpoints = commands.folder / "parts" / "checkpoints"
    for step in ("step_4", "step_6"):
        shutil.rmtree(checkpoints / step)
    (checkpoints / "latest").write_text("step_2")
    assert commands("resume", "parts") == 0
    whole, parts = (iwm_core.load(commands.folder / name).model.state_dict() for name in ("whole", "parts"))
    different = [name for name in whole if not torch.equal(whole[name], parts[name])]
    assert different == []


@pytest.mark.parametrize("source_from", ["view", "target"])
def test_pairs_and_single_images_meet_the_same_actions(source_from):
    """Without pairs, views are what they were before there were any: `observe` of no numbers changes nothing."""
    actions, draws = ActionSequence({"gain": Gain()}), Draws(0, 0, torch.arange(4), "actions")
    params = actions.sample(draws)
    told = actions.observe(params, torch.empty(4, 0))
    assert isinstance(told, ActionParams)
    assert all(torch.equal(one, two) for one, two in zip(params, told, strict=True))
    images = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for one, two in zip(actions.views(images, params, source_from), actions.views(images, told, source_from, None), strict=True):
        assert torch.equal(one, two)


def test_the_images_of_a_part_keep_their_pairs():
    from iwm_tasks.tuning.batches import part_of

    images, part = SeenImages(20, 0), part_of(SeenImages(20, 0), 5)
    assert torch.equal(part.target(2), images.target(8))
    assert torch.equal(part.action(2), images.action(8))
    assert torch.equal(next(iter(part.targets(torch.tensor([2])))), images.target(8))
    assert replace(Seen(), count=3).observed == OBSERVED
