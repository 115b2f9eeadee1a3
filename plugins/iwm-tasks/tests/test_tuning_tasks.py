"""Tuning for several tasks at once, and for dense ones: who is asked what, what is averaged, what each head answers."""

import json
from pathlib import Path

import pytest
import torch
from iwm_tasks.tuning.batches import TuneBatch
from iwm_tasks.tuning.learning import Learner
from iwm_tasks.tuning.model import TunedModel
from iwm_tasks.tuning.tuned import Tuned
from tiny_tuning import MIXED, begin, content, lines, tune, untrained
from torch.nn import functional as F

import iwm_core

BOTH = ["tasks=[classify,regress]", "tasks.regress.of=[amount]"]
SIZE, CPU = 16, torch.device("cpu")


def uniform(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def learning(world, *options):
    """How several tasks learn, as at the start of a tuning, and its model."""
    recipe, model, learned = begin(world, "multitask", *options)
    torch.nn.init.normal_(model.heads["classify"].linear.weight)
    return Learner(learned, recipe.augment, recipe.train.seed), model.eval()


def batch(count, **targets):
    return TuneBatch(uniform(count, 3, SIZE, SIZE), targets, torch.arange(count), 0, [])


def test_tasks_take_turns_in_a_batch_and_their_losses_are_averaged(tiny, worlds):
    learner, model = learning(worlds(), *BOTH, "augment.label_smoothing=0")
    given = batch(8, classify=torch.arange(8) % 3, regress=uniform(8, 1))
    outputs, asked = model.outputs(given.images), []
    for step in (0, 1, 2, 7):
        learnt = learner(lambda images, task: asked.append(task) or model(images, task), step, given)
        assert [(place + step) % 2 for place in range(8)] == asked[-1].tolist()
        first, second = asked[-1] == 0, asked[-1] == 1
        expected = F.cross_entropy(outputs["classify"][first], given.targets["classify"][first])
        other = learner.learned["regress"].task.loss(outputs["regress"][second], given.targets["regress"][second])
        torch.testing.assert_close(learnt.loss, (expected + other) / 2)
        told = {"loss.classify": pytest.approx(expected.item()), "loss.regress": pytest.approx(other.item())}
        assert learnt.numbers() == told


def test_over_the_steps_every_place_is_asked_for_every_task(tiny, worlds):
    three = ["tasks=[classify,regress,multilabel]", "tasks.regress.of=[amount]"]
    learner, model = learning(worlds(), *three)
    given = batch(8, classify=torch.arange(8) % 3, regress=uniform(8, 1), multilabel=uniform(8, 3) > 0.5)
    asked = []
    for step in range(3):
        learner(lambda images, task: asked.append(task) or model(images, task), step, given)
    table = torch.stack(asked)
    assert (table.sort(0).values == torch.arange(3)[:, None]).all(), "three steps ask a place for three tasks"
    assert all(row.bincount().tolist() in ([3, 3, 2], [2, 3, 3], [3, 2, 3]) for row in table)


def test_only_images_of_tasks_that_mix_are_mixed_and_only_among_themselves(tiny, worlds):
    learner, model = learning(worlds(), *BOTH, "augment.mixup=0.8")
    given = batch(8, classify=torch.arange(8) % 3, regress=uniform(8, 1))
    before = given.images.clone()
    shown = []
    learner(lambda images, task: shown.append((images, task)) or model(images, task), 1, given)
    ((images, task),) = shown
    assert torch.equal(images[task == 1], before[task == 1])
    own = before[task == 0]
    shares = [
        torch.linalg.lstsq(torch.stack([own[i].flatten(), own[3 - i].flatten()], 1), images[task == 0][i].flatten()) for i in range(4)
    ]
    assert all(s.solution.sum().item() == pytest.approx(1, abs=1e-3) for s in shares)
    rebuilt = [s.solution[0] * own[i] + s.solution[1] * own[3 - i] for i, s in enumerate(shares)]
    torch.testing.assert_close(torch.stack(rebuilt), images[task == 0], rtol=1e-3, atol=1e-3)
    assert torch.equal(given.images, before), "what was given stays as it is"


def test_each_head_answers_for_the_images_asked_for_its_task(tiny, worlds):
    model = begin(worlds(), "multitask", *BOTH)[1].eval()
    for head in model.heads.values():
        torch.nn.init.normal_(head.linear.weight)
    images, task = uniform(5, 3, SIZE, SIZE), torch.tensor([1, 0, 1, 1, 0])
    given, whole = model(images, task), model.outputs(images)
    assert model.backbone.asks_task
    assert (whole["classify"].shape, whole["regress"].shape) == ((5, 3), (5, 1))
    for number, name in enumerate(("classify", "regress")):
        torch.testing.assert_close(given[name], whole[name][task == number])
        tokens = model.backbone(images, torch.full((5,), number))
        torch.testing.assert_close(whole[name], model.heads[name](tokens))


@pytest.mark.slow
def test_a_run_for_two_tasks_measures_both_in_as_many_images_as_one(tiny, worlds, monkeypatch):
    seen = {"one": [], "two": []}
    real = TunedModel.forward

    def forward(self, images, task):
        if self.training and len(images) == 12:  # as training has it, where costs are counted with fewer
            seen[name].append(images)
        return real(self, images, task)

    monkeypatch.setattr(TunedModel, "forward", forward)
    epoch = ["train.steps=null", "train.epochs=1", "train.log_every=1"]
    for name, tasks in (("one", []), ("two", BOTH)):
        tune(worlds(), "predictor", *tasks, *epoch, "augment.label_smoothing=0", run=name)
    assert len(seen["one"]) == 48 // 12
    assert all(torch.equal(a, b) for a, b in zip(seen["one"], seen["two"], strict=True)), "the same images in the same views"
    logged = lines("two")
    assert [line["epoch"] for line in logged] == [0.25, 0.5, 0.75, 1.0]
    assert all(line["loss"] == pytest.approx((line["loss.classify"] + line["loss.regress"]) / 2) for line in logged)
    assert content("two", "eval/classify.json")["metrics"].keys() == {"accuracy", "balanced_accuracy"}
    assert "r2" in content("two", "eval/regress.json")["metrics"]
    state = json.loads(Path("two/checkpoints/step_4/state.json").read_text())
    assert state["outputs"] == {"classify": ["red", "green", "blue"], "regress": ["amount"]}
    tuned = iwm_core.load("two")
    assert isinstance(tuned, Tuned)
    answers = tuned.predict(uniform(2, 3, SIZE, SIZE))
    assert (answers["classify"].shape, answers["regress"].shape) == ((2, 3), (2, 1))
    cost = [content(run, "cost.json") for run in ("one", "two")]
    assert cost[1]["gflops_inference"] > 1.5 * cost[0]["gflops_inference"], "each task costs a pass of its own"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["predictor", "probe_linear"])
def test_segmentation(tiny, worlds, recipe):
    run = tune(worlds(), recipe, "tasks=[segment]", "train.steps=40")
    found = content(run, "eval/segment.json")
    assert found["settings"]["main"] == "miou"
    assert found["metrics"]["pixel_accuracy"]["value"] > 0.75, "four fifths are ground"
    tuned = iwm_core.load(str(run))
    assert isinstance(tuned, Tuned)
    answer = tuned.predict(uniform(2, 3, SIZE, SIZE))["segment"]
    assert answer.shape == (2, 2, SIZE, SIZE)
    torch.testing.assert_close(answer.sum(1), torch.ones(2, SIZE, SIZE))
    assert list(untrained(run).heads) == ["segment"]


@pytest.mark.slow
def test_dense_and_plain_tasks_share_a_predictor(tiny, worlds):
    run = tune(worlds(), "multitask", "tasks=[segment,classify]")
    assert {path.stem for path in (run / "eval").glob("*.json")} == {"segment", "classify"}
    model = untrained(run)
    assert model.dense == {"segment"}
    assert all(parameter.requires_grad for parameter in model.heads.parameters())


@pytest.mark.slow
def test_mixing_leaves_the_losses_of_other_tasks_alone(tiny, worlds):
    """The whole way, with everything that changes images on."""
    run = tune(worlds(), "multitask", *BOTH, *MIXED, "train.log_every=1")
    assert all(line["skipped"] == 0 for line in lines(run))
