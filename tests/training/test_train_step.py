"""Training runs of the tiny recipe in this process: what a step does, and what it says."""

import json
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_plugin
import torch
from safetensors.torch import load_file
from torch import nn

from iwm_core import hookimpl
from iwm_core.interfaces import Draws, Targets, TargetSelector, option
from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import build_model
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training import starting
from iwm_core.training.optimisation import make_optimizer
from iwm_core.training.pretraining import Pass, select

EVERY = ["train.log_every=1", "train.checkpoint_every=1", "train.keep=20"]


@pytest.fixture
def train(tiny):
    """Train the tiny recipe in `run`; returns its logged lines."""

    def run(*overrides, run="run"):
        assert starting.start("tiny", [f"run={run}", *overrides]) == 0
        return lines(run)

    return run


def lines(run):
    return [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text().splitlines()]


def saved(step, run="run"):
    folder = Path(run) / f"checkpoints/step_{step}"
    return load_file(folder / "model.safetensors") | load_file(folder / "optimizer.safetensors")


def changed(one, two):
    assert one.keys() == two.keys()
    return {name for name in one if not torch.equal(one[name], two[name])}


def poisoned(monkeypatch, call, value):
    """Multiply the loss of one forward pass by ``value``."""
    real, calls = Pass.forward, iter(range(1000))

    def forward(self, *given):
        prediction = real(self, *given)
        return prediction._replace(loss=prediction.loss * value) if next(calls) == call else prediction

    monkeypatch.setattr(Pass, "forward", forward)


@pytest.mark.parametrize(("warmup", "told"), [("5", False), ("6", True), ("100 epochs", True)])
def test_a_warm_up_that_never_ends_is_said(train, capsys, warmup, told):
    train(f"train.lr.warmup={warmup}")
    assert ("the learning rate never reaches its peak; set a shorter one" in capsys.readouterr().err) is told


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("clip", [0, 1])
def test_a_step_without_finite_gradient_changes_nothing(train, monkeypatch, capsys, value, clip):
    poisoned(monkeypatch, 2, value)
    logged = train(*EVERY, f"train.clip={clip}")
    assert changed(saved(2), saved(3)) == set(), "weights, teacher, moments and their step count"
    assert {name.split(".")[0] for name in changed(saved(1), saved(2)) & changed(saved(3), saved(4))} == {"student", "predictor", "teacher"}
    assert [line["skipped"] for line in logged] == [0, 0, 1, 0, 0, 0]
    assert [line["step"] for line in logged if line["grad_norm"] is None] == [3]
    assert [line["step"] for line in logged if line["loss"] is None] == [3], "nothing to average"
    assert "step 3: 1 of 1 steps had no finite gradient" in capsys.readouterr().err
    assert all(torch.isfinite(tensor).all() for tensor in saved(6).values())


@pytest.mark.slow
def test_a_skipped_step_leaves_the_intervals_loss_readable(train, monkeypatch):
    whole = train(*EVERY, run="whole")
    poisoned(monkeypatch, 5, float("nan"))  # the last: the steps before it are the same
    logged = train("train.log_every=3")
    assert logged[-1]["skipped"] == 1
    assert logged[-1]["loss"] == pytest.approx((whole[3]["loss"] + whole[4]["loss"]) / 2, rel=1e-5), "the mean of the steps that counted"


def decaying(model):
    """Weights of linear and convolutional layers, by the layers' types."""
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    return {f"{name}.weight" for name, _ in layers if not name.startswith("teacher")}


@pytest.mark.parametrize("predictor", ["shift", "feature", "adaln"])
def test_only_weights_of_layers_decay(tiny, predictor):
    words = ["encoder.model=vit_small_patch14_reg4_dinov2", "encoder.positions=model", f"predictor={predictor}"]
    recipe = thaw(compose("tiny", words)[0])
    model = build_model(recipe)
    decay, rest = make_optimizer(model, recipe.train).param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)] for p in decay["params"]} == decaying(model)
    trained = {name for name, p in model.named_parameters() if not name.startswith("teacher")}
    assert {names[id(p)] for p in rest["params"]} == trained - decaying(model)
    assert {"student.vit.pos_embed", "student.vit.cls_token", "student.vit.reg_token", "predictor.mask_token"} < trained - decaying(model)


def test_decay_shrinks_what_decays_and_leaves_the_rest(train, monkeypatch):
    """With a loss of zero AdamW only decays: by lr times weight decay a step."""
    real = Pass.forward
    monkeypatch.setattr(Pass, "forward", lambda self, *x: (p := real(self, *x))._replace(loss=p.loss * 0))
    rates = ["train.lr={start: 0.1, peak: 0.1, end: 0.1, warmup: 0}", "train.weight_decay={start: 0.5, end: 0.5}"]
    train(*EVERY, "train.steps=2", *rates)
    before, after, model = saved(1), saved(2), build_model(thaw(compose("tiny", [])[0]))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(after[name], before[name] * (0.95 if name in decaying(model) else 1), rtol=1e-5, atol=0)


def test_lifecycle_hooks(tiny, train):
    told = []
    tiny.manager.register(
        SimpleNamespace(
            iwm_train_start=hookimpl(lambda event: told.append(("start", event.step))),
            iwm_step_end=hookimpl(lambda event: told.append((event.step, event.loss.item()))),
            iwm_train_end=hookimpl(lambda event: told.append(("end", event.step, (event.run / "checkpoints" / "step_6").is_dir()))),
        )
    )
    logged = train("train.log_every=1")
    assert told[0] == ("start", 0)
    assert told[1:-1] == [(line["step"], pytest.approx(line["loss"])) for line in logged]
    assert told[-1] == ("end", 6, True)
    shutil.rmtree("run/checkpoints/step_6")
    told.clear()
    assert starting.resume("run", []) == 0
    assert [what[0] for what in told] == ["start", 5, 6, "end"]
    assert told[0] == ("start", 4)


KEYS = {"step", "epoch", "loss", "lr", "weight_decay", "momentum", "grad_norm", "skipped", "corrupt"}
KEYS |= {"target_std", "effective_rank", "gain", "rank_bounded", "images_per_s", "data_wait"}


def test_logged_lines(train):
    logged = train("train.steps=7", "train.weight_decay={start: 0.1, end: 0.4}", "train.momentum={start: 0.9, end: 1.0}")
    assert [line["step"] for line in logged] == [2, 4, 6, 7], "every log_every steps, and the last"
    assert logged[0].pop("config"), "the first line tells of which run it is"
    for line in logged:
        assert set(line) == KEYS
        assert all(math.isfinite(value) for value in line.values())
        used = line["step"] - 1  # the values that the step was made with
        assert line["epoch"] == line["step"] / 8
        assert line["momentum"] == pytest.approx(0.9 + 0.1 * used / 6)
        assert line["weight_decay"] == pytest.approx(0.4 - 0.3 * (1 + math.cos(math.pi * used / 6)) / 2)
        assert (line["skipped"], line["corrupt"]) == (0, 0)
        assert 1 <= line["effective_rank"] <= 16
        assert 0 <= line["data_wait"] <= 1
        assert line["images_per_s"] > 0
        assert line["gain"] <= 1
    assert logged[-1]["lr"] == pytest.approx(1e-4)


@pytest.mark.slow
def test_a_logged_loss_is_the_mean_since_the_line_before(train):
    each = [line["loss"] for line in train("train.log_every=1", run="each")]
    assert [line["loss"] for line in train("train.log_every=3")] == pytest.approx([sum(each[:3]) / 3, sum(each[3:]) / 3], rel=1e-5)


@pytest.mark.slow
def test_micro_batches_give_the_same_numbers(train):
    whole, parts = train("train.log_every=1", run="whole"), train("train.log_every=1", "launch.accumulate=2")
    for key in ("loss", "grad_norm"):
        assert [line[key] for line in parts] == pytest.approx([line[key] for line in whole], rel=1e-3)


@pytest.mark.slow
def test_bf16(train):
    exact, rounded = train(*EVERY, run="exact"), train(*EVERY, "launch.precision=bf16")
    assert rounded[0]["loss"] == pytest.approx(exact[0]["loss"], rel=0.03)
    assert rounded[0]["loss"] != exact[0]["loss"]
    assert {tensor.dtype for tensor in saved(6).values()} == {torch.float32}, "weights and moments stay exact"
    assert changed(saved(1), saved(6)) > {"student.vit.norm.weight", "teacher.vit.norm.weight"}


@pytest.mark.slow
def test_collapse_is_said_in_words(train, monkeypatch, capsys):
    train(run="alive")
    assert "collapse" not in capsys.readouterr().err
    monkeypatch.setattr(tiny_plugin.NoiseImages, "image", lambda *_: torch.full((3, 20, 20), 128, dtype=torch.uint8))
    train("actions.gain.strength=0", run="dead")
    told = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:3] for line in told] == [["warning", f"step {step}", "collapse"] for step in (2, 4, 6)]
    assert "the teacher gives every image the same tokens" in told[0]


@pytest.mark.slow
def test_tensorboard_gets_every_number(train):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    evaluators = ("evaluators=[mrr,health]", "evaluators.mrr.bank=8", "evaluators.health.every=2")
    logged = train("launch.trackers=[tensorboard]", *evaluators)
    events = EventAccumulator("run/iwm").Reload()
    measured = {name: json.loads(Path(f"run/eval/{name}.json").read_text())["metrics"] for name in ("mrr", "health")}
    found = {f"{name}/{key}": metric for name, metrics in measured.items() for key, metric in metrics.items()}
    assert set(events.Tags()["scalars"]) == KEYS - {"step"} | found.keys()
    assert events.Tags()["images"] == ["mrr/mrr"]
    assert events.Images("mrr/mrr")[0].encoded_image_string[1:4] == b"PNG"
    assert [e.step for e in events.Scalars("health/rankme")] == [2, 4, 6], "during training, and after it"
    assert events.Scalars("health/rankme")[-1].value == pytest.approx(found["health/rankme"]["value"], rel=1e-5)
    for key in KEYS - {"step"}:
        assert [(e.step, pytest.approx(e.value, rel=1e-5)) for e in events.Scalars(key)] == [(line["step"], line[key]) for line in logged]


@dataclass(kw_only=True)
class Astray(TargetSelector):
    """Predicts a patch that may be beyond the grid."""

    name = "astray"
    patch: int = option(0, "the patch")

    def select(self, draws, grid):
        return Targets(torch.tensor([[0, 1]]), torch.tensor([[[2, self.patch]]]))


@pytest.mark.parametrize("patch", [-1, 16])
def test_patches_beyond_the_grid_are_refused(tiny, patch):
    """They would be taken from the image before or after, without a word."""
    recipe = replace(thaw(compose("tiny", [])[0]), targets=Astray(patch=patch))
    with pytest.raises(UserError, match=f"targets=astray chose patches {min(2, patch)} to {max(2, patch)} of 4 x 4"):
        select(recipe, Draws(0, 0, torch.arange(1)), (4, 4))
