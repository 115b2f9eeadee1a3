"""Observed actions on rendered pairs, from training to tuning: scenes under two lights, told how the light moved (`observed/relit`)."""

import json
import shlex
from pathlib import Path

import pytest
import torch

import iwm_core
from iwm_core.cli.main import dispatch, guarded

pytestmark = pytest.mark.slow  # it trains until it knows something

SMALL = shlex.split("""
image_size=32 data.size=32 data.objects=[1,1] data.strength=[0.9,1] data.train=768 data.validation=128 view.scale=[1,1] view.ratio=[1,1]
encoder.width=64 encoder.depth=2 predictor.width=64 predictor.depth=2 launch.device=cpu launch.workers=0
train.steps=400 train.batch_size=32 train.lr.warmup=25 train.lr.peak=3e-3 train.momentum.start=0.99
evaluators=[error,inverse,planning,equivariance] evaluators.error.images=128 evaluators.equivariance.train=256
evaluators.inverse.bank=16 evaluators.inverse.part_images=32
evaluators.planning.images=48 evaluators.planning.candidates=64 evaluators.planning.searches=[bank,cem]
""")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("light") / "r"
    assert guarded(lambda: dispatch(["train", "recipe=observed/relit", f"run={path}", *SMALL])) == 0
    return path


def metrics(run: Path, evaluator: str) -> dict[str, dict[str, float]]:
    return json.loads((run / "eval" / f"{evaluator}.json").read_text())["metrics"]


def test_the_predictor_knows_what_a_moved_light_does(run):
    error = metrics(run, "error")["error"]
    controls = error["controls"]
    assert error["value"] < 0.85 * controls["null"]["value"], "told how the light moved, it errs less than told nothing"
    assert error["high"] < controls["shuffled"]["low"], "and than told of another pair's light"
    ranks = metrics(run, "inverse")
    assert ranks["inverse"]["low"] > 1.5 * ranks["inverse"]["controls"]["chance"]["value"]
    assert ranks["inverse"]["controls"]["random"]["value"] < ranks["inverse"]["low"]
    assert {"inverse.light.right", "inverse.light.up"} <= ranks.keys()


def test_planning_finds_how_the_light_moved(run):
    found = metrics(run, "planning")
    assert found["planning_relative.cem"]["high"] < 1
    for number in ("right", "up"):
        assert found[f"planning.cem.light.{number}"]["value"] < found[f"planning.cem.light.{number}"]["controls"]["chance"]["value"]


def test_from_python_and_for_tasks(run):
    model = iwm_core.load(run)
    images = model.recipe.data.open("validation")
    index = torch.arange(48)
    source, goal = images.images(index) / 255, images.targets(index) / 255
    wanted = model.targets(goal)
    asked = [{"light": dict(zip(("right", "up"), images.action(i).tolist(), strict=True))} for i in index.tolist()]
    imagined = torch.cat([model.imagine(source[i : i + 1], action) for i, action in enumerate(asked)])
    unmoved = model.imagine(source, {})
    assert (imagined - wanted).square().mean() < (unmoved - wanted).square().mean()
    words = [
        "recipe=tune/predictor",
        "tasks=[shape]",
        "budget=cpu",
        "train.epochs=null",
        "train.steps=3",
        "train.lr.warmup=0",
        "launch.device=cpu",
    ]
    assert guarded(lambda: dispatch(["tune", str(run), *words, f"run={run.parent / 't'}"])) == 0
    assert iwm_core.load(run.parent / "t").predict(source)["shape"].shape == (48, 10)
