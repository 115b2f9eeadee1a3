"""The whole scorecard on a run: everything that is installed measures it, says so in one form, and says the same again."""

import json
import math
import re
from pathlib import Path

import iwm_evals
import pytest
import torch

import iwm_core
from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces import CONTROLS, UserError

pytestmark = pytest.mark.slow  # all that is installed measures, four times

TINY = [
    "evaluators=[scorecard]",  # all of it, though so short a run is a trial
    "encoder.depth=2",
    "predictor.depth=1",
    "train.steps=3",
    "train.log_every=1",
    "train.batch_size=16",
    "data.train=96",
    "data.validation=24",
    "launch.device=cpu",
]
FEW = {
    "health": {"every": 2, "images": 24, "views": 2},
    "mrr": {"images": 3, "bank": 4, "part_images": 1},
    "imagination": {"images": 4, "train_images": 16, "steps": 2, "channels": 8, "rows": 1, "doses": 3},
    "error": {"images": 8, "draws": 1},
    "undo": {"images": 8},
    "dose": {"images": 4, "doses": 3},
    "compose": {"images": 6, "pairs": 1, "fit": 16},
    "planning": {"images": 3, "candidates": 4, "rounds": 1, "samples": 4, "starts": 1, "steps": 1},
    "equivariance": {"train": 48, "images": 24, "draws": 3},
    "probe": {"epochs": 2},
    "attentive": {"epochs": 1, "train_images": 64},
    "factors": {"epochs": 1},
    "pca": {"images": 12, "rows": 2},
}
SETTINGS = [f"evaluators.{name}.{key}={value}" for name, fields in FEW.items() for key, value in fields.items()]


def evaluations(run: str) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(Path(run, "eval").glob("*.json"))}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("scorecard") / "r"
    assert guarded(lambda: dispatch(["train", "recipe=quickstart", *TINY, *SETTINGS, f"run={path}"])) == 0
    return str(path)


def test_every_evaluator_measures_and_gives_numbers_with_bounds(run):
    found = evaluations(run)
    assert found.keys() == FEW.keys()
    for name, evaluation in found.items():
        assert evaluation["step"] == 3, name
        assert len(evaluation["summary"]) > 20, name
        assert evaluation["metrics"], name
        for metric, numbers in evaluation["metrics"].items():
            assert all(isinstance(numbers[key], float) and math.isfinite(numbers[key]) for key in ("value", "low", "high")), metric
            assert numbers["low"] <= numbers["high"], metric
            assert numbers["n"] >= 1, metric


def test_names_follow_the_one_form_and_every_measure_is_explained(run):
    for evaluation in evaluations(run).values():
        for metric, numbers in evaluation["metrics"].items():
            assert metric.split(".")[0] in evaluation["about"], f"{metric} is not explained"
            assert not re.search(f"_({'|'.join(CONTROLS)})$", metric), f"{metric} is called as a control and controls nothing"
            assert numbers["controls"].keys() <= CONTROLS.keys()
        names = [chart["name"] for chart in evaluation["charts"]] + [gallery["name"] for gallery in evaluation["galleries"]]
        assert all(re.fullmatch("[a-z0-9_]+", name) for name in names)


def test_pictures_are_there(run):
    galleries = {gallery["name"]: gallery for evaluation in evaluations(run).values() for gallery in evaluation["galleries"]}
    assert {"mrr", "undo", "planning", "pca", "imagined", "imagined_jitter_hue", "imagined_composed", "imagined_plans"} <= galleries.keys()
    for name, gallery in galleries.items():
        assert Path(run, "eval", f"{name}.png").is_file()
        assert all(Path(run, "eval", file).is_file() for row in gallery["rows"] for file in row["images"])


def test_the_decoder_is_kept_in_the_run(run):
    model = iwm_core.load(run, device="cpu")
    images = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    shown = iwm_evals.decoder(model)(model.imagine(images, {"jitter": {"hue": 0.5}}))
    assert shown.shape == images.shape
    assert 0 <= shown.min() <= shown.max() <= 1
    kept = Path(run, "eval/imagination_decoder.safetensors")
    content = kept.read_bytes()
    kept.unlink()
    with pytest.raises(UserError, match=rf"{run} holds no decoder; train one: iwm eval {run} .evaluators=\[imagination\]."):
        iwm_evals.decoder(model)
    kept.write_bytes(content)


def test_health_is_measured_during_training_too(run):
    lines = [json.loads(line) for line in Path(run, "evaluations.jsonl").read_text().splitlines()]
    assert [(line["step"], line["evaluator"]) for line in lines] == [(2, "health")]


def test_a_second_measurement_gives_identical_files(run):
    first = {path: path.read_bytes() for path in Path(run, "eval").rglob("*") if path.is_file()}
    assert guarded(lambda: dispatch(["eval", run])) == 0
    assert {path: path.read_bytes() for path in Path(run, "eval").rglob("*") if path.is_file()} == first


def test_another_setting_of_each_leaves_the_recipes_files_as_they_are(run):
    first = {path: path.read_bytes() for path in Path(run, "eval").rglob("*") if path.is_file()}
    changed = {name: next(key for key in fields if key != "every") for name, fields in FEW.items()}
    words = [f"evaluators.{name}.{key}={FEW[name][key] + 1}" for name, key in changed.items()]
    assert guarded(lambda: dispatch(["eval", run, *words])) == 0
    assert {path: path.read_bytes() for path in first} == first
    others = [one for one in iwm_core.measured(run) if not one.own]
    assert {one.name: one.differing for one in others} == {name: f"{key}={FEW[name][key] + 1}" for name, key in changed.items()}


def test_without_actions_what_is_left_is_measured(tmp_path, capsys):
    words = ["train", "recipe=quickstart", "actions=[]", *TINY, *SETTINGS, f"run={tmp_path / 'r'}"]
    assert guarded(lambda: dispatch(words)) == 0
    assert evaluations(str(tmp_path / "r")).keys() == {"health", "imagination", "probe", "attentive", "factors", "pca"}
    told = capsys.readouterr().out
    for name in ("mrr", "inverse", "error", "undo", "dose", "compose", "planning", "equivariance"):
        assert f"nothing to measure for evaluator {name}: " in told
