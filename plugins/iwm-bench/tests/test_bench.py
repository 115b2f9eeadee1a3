"""Measuring the tiny recipe: what the record holds, and that what is timed is the training step itself."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from iwm_bench import course as courses
from iwm_bench.course import Course
from iwm_bench.record import read_record
from safetensors.torch import load_file

from iwm_core.cli.main import dispatch
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.process.display import Display
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.training.pretraining import Step

QUICK = ["--repeats", "2", "--seconds", "0.01"]


@pytest.fixture
def record(tiny, capsys):
    """Measures the tiny recipe; returns what was printed as JSON."""

    def measured(*words):
        assert dispatch(["bench", "recipe=tiny", *QUICK, "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    return measured


def course(folder, *overrides, fed=True):
    return Course(thaw(compose("tiny", list(overrides))[0]), folder, fed, Display())


@pytest.mark.slow
def test_the_data_alone_and_what_its_workers_make(record, image_folder):
    found = record("--arms", "feed,decode", "data=folder", f"data.path={image_folder}", "train.batch_size=4", "launch.compile=false")
    assert list(found["arms"]) == ["feed", "decode"]
    for arm in found["arms"].values():
        assert arm["images_per_s"]["median"] > 0
        assert arm["mfu"] is None
    assert found["arms"]["decode"]["operations"] <= found["arms"]["feed"]["operations"]


def test_a_cache_has_no_workers_to_be_measured(record):
    with pytest.raises(UserError, match=r"set data\.cache=none"):
        record("--arms", "decode", "data.cache=ram")


@pytest.mark.slow
def test_the_record(record):
    found = record("launch.compile=false", "--arms", "model,step,data,actions")
    assert {key: found[key] for key in ("kind", "recipe", "device", "precision", "compiled", "images")} == {
        "kind": "iwm bench",
        "recipe": "tiny",
        "device": "cpu",
        "precision": "fp32",
        "compiled": False,
        "images": 8,
    }
    assert found["tokens"] == {"all": 16, "context": 8, "groups": 1, "each": 8}
    assert found["config"]["predictor"]["width"] == 16
    assert found["device_name"]
    assert found["versions"]["torch"] == version("torch")
    assert found["product_tflops"]["min"] > 0
    assert list(found["arms"]) == ["model", "step", "data", "actions"], "nothing stands beside the tiny action"
    for name, arm in found["arms"].items():
        for figure in ("seconds", "images_per_s", "data_wait"):
            assert arm[figure]["min"] <= arm[figure]["median"] <= arm[figure]["max"]
        assert arm["images_per_s"]["max"] == pytest.approx(8 / arm["seconds"]["min"])
        assert arm["operations"] > 0
        assert arm["peak_memory"] > 1e6
        if name == "actions":
            assert arm["mfu"] is arm["tokens_per_s"] is None
        else:
            assert arm["tokens_per_s"]["min"] == pytest.approx(32 * arm["images_per_s"]["min"]), "16 + 8 + 1×8"
            assert 0 < arm["mfu"]["median"] < 1
            ceiling = found["product_tflops"]["max"] * 1e12 * arm["seconds"]["min"]
            assert arm["mfu"]["max"] >= 8 * found["gflop"] * 1e9 / ceiling * 0.999
    arms = found["arms"]
    assert arms["data"]["operations"] > arms["step"]["operations"], "images are made in this process, without workers"
    assert 0 < arms["step"]["operations"] - arms["model"]["operations"] <= 300, "draws, views and selection are in it, and cost little"
    assert arms["model"]["operations"] > arms["actions"]["operations"]
    assert arms["model"]["waits"] == arms["step"]["waits"] == 0, "the host never waits within a step"


def test_actions_alone_have_no_share_of_the_models_arithmetic(record):
    assert record("--arms", "actions")["arms"]["actions"]["mfu"] is None


@pytest.mark.slow
def test_torchvision_stands_beside_the_actions(record):
    chosen = "actions=[jitter,grayscale,blur,solarize]"
    found = record("--arms", "actions", chosen, "actions.blur.sigma=[0.1,1]")
    assert {"actions", "torchvision"} <= {*found["arms"]}


def test_what_is_timed_is_the_training_itself(tiny, tmp_path, monkeypatch):
    """As many steps of the arm `data` as a training has lead to its weights, bit by bit, whatever other arms did not do in between."""
    assert dispatch(["train", "recipe=tiny", "run=trained"]) == 0
    monkeypatch.setattr(courses, "ENDLESS", 6)
    (tmp_path / "empty").mkdir()
    measured = course(tmp_path / "empty")
    for block in (2, 4):
        measured.feed("data")
        for _ in range(block):
            measured.take("data")
    trained = load_file("trained/checkpoints/step_6/model.safetensors")
    now = measured.model.state_dict()
    assert trained.keys() <= now.keys()
    for name, tensor in trained.items():
        assert torch.equal(tensor, now[name]), name


@pytest.mark.slow
def test_the_model_alone_draws_nothing_and_learns(tiny, tmp_path, monkeypatch):
    measured = course(tmp_path, fed=False)
    before = [parameter.clone() for parameter in measured.model.student.parameters()]
    for part in ("views", "where"):
        monkeypatch.setattr(Step, part, lambda *_: pytest.fail("drawn"))
    measured.feed("model")
    measured.take("model")
    assert any(not torch.equal(one, other) for one, other in zip(before, measured.model.student.parameters(), strict=True))


def test_without_the_arm_data_no_image_is_read(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("tiny_parts.NoiseImages.image", lambda *_: pytest.fail("read"))
    monkeypatch.setattr("tiny_parts.Noise.open", lambda *_: pytest.fail("opened"))
    measured = course(tmp_path, fed=False)
    for arm in ("model", "step"):
        measured.feed(arm)
        measured.take(arm)


@pytest.mark.slow
def test_micro_batches_are_measured_as_they_are_trained(record):
    whole, parts = record("--arms", "model"), record("--arms", "model", "launch.accumulate=2")
    assert parts["images"] == whole["images"] == 8
    assert parts["gflop"] == whole["gflop"]
    assert parts["arms"]["model"]["operations"] > 1.4 * whole["arms"]["model"]["operations"], "two passes, one step"


def test_lost_workers_end_it_in_a_line(tiny, tmp_path):
    measured = course(tmp_path)
    measured.feed("data")
    measured.data.lose("a data worker was killed")
    with pytest.raises(Stopped, match="nothing is measured: a data worker was killed"):
        measured.take("data")


@pytest.mark.slow
def test_nothing_is_left_but_what_is_asked_for(record, tmp_path):
    record("--arms", "model", "--profile", "out=found.json")
    assert {path.name for path in tmp_path.iterdir()} == {"found.json", "found.trace.json"}
    assert read_record(Path("found.json")).recipe == "tiny"
    events = json.loads(Path("found.trace.json").read_text())["traceEvents"]
    names = [event.get("name", "") for event in events]
    assert "arm: model" in names
    assert any("addmm" in name for name in names)


@pytest.mark.slow
def test_precision_is_decided_before_anything_is_measured(record, monkeypatch):
    monkeypatch.setattr("iwm_bench.precision.faster_precision", lambda device, trial: ("bf16", "it is"))
    found = record("--arms", "model", "launch.precision=auto")
    assert found["precision"] == found["config"]["launch"]["precision"] == "bf16"
