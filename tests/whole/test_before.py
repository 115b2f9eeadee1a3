"""Runs of the version before, one of each kind: they load, answer, go on, are measured, reported on and tuned as they were.

``golden/before`` was written by the last commit whose core still had all components, with torch 2.14.1::

    iwm train recipe=quickstart run=world image_size=16 encoder.width=16 encoder.depth=1 …     (its env.json has the whole line)
    iwm tune world recipe=tune/probe_linear run=tuned budget=cpu …
"""

import shutil
from pathlib import Path

import pytest
import torch
import yaml
from places import GOLDEN
from safetensors.torch import load_file

import iwm_core

BEFORE = GOLDEN / "before"


@pytest.fixture
def before(iwm):
    """The two runs in the working directory, and what runs command lines."""
    for name in ("world", "tuned"):
        shutil.copytree(BEFORE / name, name)
    return iwm


@pytest.fixture
def images():
    return torch.linspace(0, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)


def test_a_world_model_answers_as_it_did(before, images):
    model = iwm_core.load("world", device="cpu")
    encoded, imagined = model.encode(images), model.imagine(images, {"jitter": {"brightness": 0.3}})
    assert torch.allclose(encoded[0, 0, :4], torch.tensor([-2.058799, -0.473376, -0.61229, -0.643171]), atol=1e-4)
    assert torch.allclose(imagined[0, 0, :4], torch.tensor([0.8748, 2.470356, 0.637317, -0.322084]), atol=1e-4)


def test_a_tuned_model_answers_as_it_did(before, images):
    answers = iwm_core.load("tuned", device="cpu").predict(images)["classify"]
    assert torch.allclose(answers[0, :4], torch.tensor([0.1025, 0.1002, 0.0985, 0.1021]), atol=2e-4)


@pytest.mark.parametrize("run", ["world", "tuned"])
def test_a_finished_run_is_left_as_it_is(before, run, capsys):
    files = {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file()}
    assert before("resume", run) == (0, "")
    assert {path: path.read_bytes() for path in Path(run).rglob("*") if path.is_file() and not path.name.startswith(".")} == files


def test_a_run_goes_on_from_its_checkpoint(before):
    whole = load_file("world/checkpoints/step_4/model.safetensors")
    shutil.rmtree("world/checkpoints/step_4")
    assert before("resume", "world")[0] == 0
    again = load_file("world/checkpoints/step_4/model.safetensors")
    assert whole.keys() == again.keys()
    # A step moves a weight by up to 2e-3; AdamW makes 1e-5 of the rounding of another processor where a gradient is nearly zero.
    assert all(torch.allclose(whole[name], again[name], atol=1e-4) for name in whole), "as if it had never stopped"


@pytest.mark.slow
def test_it_is_measured_again_and_reported_on(before):
    assert before("eval", "world", "data.validation=8")[0] == 0
    assert before("report", "world")[0] == 0
    assert "MRR" in Path("world/report.html").read_text()
    assert before("report", "world", "tuned", "out=both.html")[0] == 0


@pytest.mark.slow
def test_it_is_tuned(before):
    words = ("recipe=tune/probe_linear", "budget=cpu", "train.epochs=null", "train.steps=2", "train.batch_size=8", "launch.workers=0")
    assert before("tune", "world", *words, "train.lr.warmup=1", "run=again")[0] == 0
    assert yaml.safe_load(Path("again/config.yaml").read_text())["kind"] == "tuning"
    frozen = load_file("tuned/checkpoints/step_4/model.safetensors")
    again = load_file("again/checkpoints/step_2/model.safetensors")
    shared = [name for name in frozen if name.startswith("backbone.")]
    assert shared
    assert all(frozen[name].equal(again[name]) for name in shared), "the world model's weights are those of its checkpoint"
