"""Weights are a function of the recipe and the seed: not of kills, workers, processes, or micro-batches."""

import json
import random
import time
from pathlib import Path

import pytest
import torch
from close_weights import assert_close, assert_same, pairs
from tiny_tuning import MIXED, SWIFT

from iwm_core.cli.main import dispatch
from iwm_core.plugins.loader import load_plugins

pytestmark = pytest.mark.slow

TRAIN = ["train", "recipe=tiny", "train.steps=80", "train.checkpoint_every=3", "train.log_every=2", "train.keep=3"]


@pytest.mark.parametrize("workers", [0, 2])
def test_kills_lose_nothing(commands, workers):
    folder = commands.folder
    assert commands(*TRAIN, "run=whole", "launch.workers=0") == 0
    begun = time.perf_counter()
    assert commands(*TRAIN, "run=short", "train.steps=6", f"launch.workers={workers}") == 0
    short = time.perf_counter() - begun  # kills fall around the end of the start-up: before, while and after checkpoints are written
    rng = random.Random(workers)
    before = -1
    for _ in range(8):
        exists = (folder / "killed/config.yaml").exists()
        words = ["resume", "killed"] if exists else [*TRAIN, "run=killed", f"launch.workers={workers}"]
        assert commands(*words, kill_after=rng.uniform(0.3, 1.05) * short) in (-9, 0)
        steps = [int(p.name.removeprefix("step_")) for p in (folder / "killed/checkpoints").glob("step_*")]
        assert max(steps, default=-1) >= before, "a kill must not lose a checkpoint"
        before = max(steps, default=-1)
    assert commands("resume", "killed") == 0
    assert_same(folder / "whole", folder / "killed")
    logged = [json.loads(line)["step"] for line in (folder / "killed/metrics.jsonl").read_text().splitlines()]
    assert logged == list(range(2, 81, 2))
    assert not list((folder / "killed/checkpoints").glob(".*"))


def test_workers_accumulation_and_processes_change_nothing(commands):
    folder, few = commands.folder, [*TRAIN, "train.steps=24"]
    assert commands(*few, "run=plain") == 0
    assert commands(*few, "run=workers", "launch.workers=2") == 0
    assert_same(folder / "plain", folder / "workers")
    assert commands(*few, "run=other", "train.seed=1") == 0
    assert all(not torch.equal(a, b) for n, (a, b) in pairs(folder / "plain", folder / "other").items() if n.endswith("attn.qkv.weight"))
    # Sums over parts of a batch are rounded in another order: close, not equal.
    assert commands(*few, "run=micro", "launch.accumulate=2") == 0
    assert_close(folder / "plain", folder / "micro")


def test_a_model_in_parts_gives_the_weights_of_a_whole_one_and_goes_on_as_one(tmp_path, monkeypatch):
    """FSDP2 through gloo, the teacher in parts, too; `tests/slow/divided.py` has more steps and cases."""
    monkeypatch.chdir(tmp_path)
    load_plugins.cache_clear()
    small = ["data.train=64", "data.validation=8", "train.batch_size=16", "train.steps=4", "encoder.depth=1", "predictor.depth=1"]
    common = ["train", "recipe=quickstart", "evaluators=[]", "launch.device=cpu", *small, "train.log_every=1", "train.checkpoint_every=2"]
    assert dispatch([*common, "run=whole"]) == 0
    parts = ["launch.processes=2", "launch.shard=full", "launch.checkpoint_activations=true"]
    assert dispatch([*common, "run=parts", *parts]) == 0
    assert_close(tmp_path / "whole", tmp_path / "parts")
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)
    assert dispatch(["resume", "parts", "checkpoint=step_2", "launch.processes=1", "launch.shard=none"]) == 0
    assert_close(tmp_path / "whole", tmp_path / "parts")
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-5)


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_finished_run_is_left_alone(commands):
    folder = commands.folder
    assert commands(*TRAIN, "run=r", "train.steps=4") == 0
    before = {p: p.stat().st_mtime_ns for p in sorted((folder / "r").rglob("*"))}
    assert commands("resume", "r") == 0
    assert {p: p.stat().st_mtime_ns for p in sorted((folder / "r").rglob("*"))} == before


def test_a_finished_run_whose_config_is_edited_goes_on(commands):
    """Who takes the checksum out means the change: a longer run is trained to its new end."""
    folder = commands.folder
    assert commands(*TRAIN, "run=r", "train.steps=4") == 0
    config = folder / "r/config.yaml"
    lines = [line for line in config.read_text().splitlines() if not line.startswith("checksum:")]
    config.write_text("\n".join(lines).replace("  steps: 4", "  steps: 6"))
    assert commands("resume", "r") == 0
    assert (folder / "r/checkpoints/latest").read_text() == "step_6"


TUNE = ["recipe=tune/predictor", *SWIFT, *MIXED, "train.steps=60", "train.checkpoint_every=3", "train.log_every=2", "train.keep=3"]
DROPPING = ["protocol.drop_path=0.4", "launch.workers=0"]


def test_kills_of_a_tuning_lose_nothing(commands):
    """With all that is random switched on: RandAugment, mixup, cutmix, drop path."""
    folder = commands.folder
    assert commands("train", "recipe=tiny", "data=taught", "predictor=feature", "predictor.depth=2", "train.steps=2", "run=world") == 0
    tune = ["tune", "world", *TUNE, *DROPPING]
    assert commands(*tune, "run=whole") == 0
    begun = time.perf_counter()
    assert commands(*tune, "run=short", "train.steps=6") == 0
    short = time.perf_counter() - begun
    rng = random.Random(0)
    killed = 0
    for _ in range(6):
        exists = (folder / "killed/config.yaml").exists()
        words = ["resume", "killed"] if exists else [*tune, "run=killed"]
        killed += commands(*words, kill_after=rng.uniform(0.5, 0.9) * short) == -9
    assert killed > 1
    assert commands("resume", "killed", "launch.workers=2") == 0
    assert_same(folder / "whole", folder / "killed")
    logged = [json.loads(line)["step"] for line in (folder / "killed/metrics.jsonl").read_text().splitlines()]
    assert logged == list(range(2, 61, 2))
    evaluated = [json.loads((folder / run / "eval/classify.json").read_text()) for run in ("whole", "killed")]
    for found in evaluated:  # the checksum of the run's config.yaml, which names its directory, and with it that of the result
        assert found.pop("config") != found.pop("checksum")
    assert evaluated[0] == evaluated[1]
    costs = [json.loads((folder / run / "cost.json").read_text()) for run in ("whole", "killed")]
    assert [costs[0][key] == costs[1][key] for key in ("trained", "parameters", "gflops_train")] == [True] * 3

    before = {p: p.stat().st_mtime_ns for p in sorted((folder / "killed").rglob("*"))}
    assert commands("resume", "killed") == 0
    assert {p: p.stat().st_mtime_ns for p in sorted((folder / "killed").rglob("*"))} == before, "a finished run is left alone"
    (folder / "killed/cost.json").unlink()  # as by a kill after the last checkpoint
    assert commands("resume", "killed") == 0
    assert json.loads((folder / "killed/cost.json").read_text())["trained"] == costs[0]["trained"]
    assert_same(folder / "whole", folder / "killed")


def test_two_processes_tune_as_one_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    load_plugins.cache_clear()
    small = [
        "data.train=48",
        "data.validation=8",
        "encoder.depth=1",
        "predictor.depth=1",
        "image_size=32",
        "encoder.patch_size=8",
        "launch.device=cpu",
    ]
    assert dispatch(["train", "recipe=quickstart", "evaluators=[]", "train.steps=1", "train.batch_size=16", "run=world", *small]) == 0
    for run, processes in (("one", 1), ("two", 2)):
        words = ["recipe=tune/predictor", *SWIFT, "train.batch_size=16", "protocol.drop_path=0", "data=scenes", *small[:2]]
        assert dispatch(["tune", "world", *words, "tasks=[shape,segment]", f"run={run}", f"launch.processes={processes}"]) == 0
    assert_close(tmp_path / "one", tmp_path / "two")
    assert len((tmp_path / "two/metrics.jsonl").read_text().splitlines()) == 1
    shown = [json.loads((tmp_path / run / "cost.json").read_text())["trained"] for run in ("one", "two")]
    assert shown[0] == shown[1]
