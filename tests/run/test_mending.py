"""A resume says what it mends and loses nothing, or names the file and the command that goes on; a run's names lead nowhere else."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from one_line import assert_one_line
from safetensors.torch import load_file

from iwm_core.interfaces.errors import UserError
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.world_model import build_model
from iwm_core.plugins.kinds import several
from iwm_core.recipe.shapes import NAME
from iwm_core.recipe.thaw import check_key, thaw
from iwm_core.run.directory import Run

TRAIN = ("train", "recipe=tiny", "train.keep=3")


@pytest.fixture
def begun(kept):
    """A run that was killed after its fourth step of six, and the weights that it shall have."""
    kept(*TRAIN, "run=r")
    whole = load_file("r/checkpoints/step_6/model.safetensors")
    shutil.rmtree("r/checkpoints/step_6")
    return whole


def same(whole):
    return all(tensor.equal(whole[name]) for name, tensor in load_file("r/checkpoints/step_6/model.safetensors").items())


@pytest.mark.slow
def test_a_damaged_checkpoint_is_refused_with_the_command_that_goes_on(iwm, begun):
    path = Path("r/checkpoints/step_4/optimizer.safetensors")
    flipped = bytearray(path.read_bytes())
    flipped[-3] ^= 4
    path.write_bytes(flipped)
    refused = iwm("resume", "r")
    assert_one_line(refused, "r/checkpoints/step_4/optimizer.safetensors is damaged (its checksum is", "`iwm resume r checkpoint=step_2`")
    status, error = iwm("resume", "r", "checkpoint=step_2")
    assert status == 0
    assert "r/checkpoints/step_4 is set aside as step_4.aside" in error
    assert same(begun)
    assert Path("r/checkpoints/step_4.aside/optimizer.safetensors").read_bytes() == flipped
    steps = [json.loads(line)["step"] for line in Path("r/metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 6


def test_a_checkpoint_that_is_not_there_is_refused_by_every_verb(iwm, begun):
    for words in (
        ("resume", "r"),
        ("eval", "r"),
        ("tune", "r", "recipe=tune/probe_linear"),
        ("compare", "r"),
        ("predict", "r", "r/env.json"),
    ):
        assert_one_line(iwm(*words, "checkpoint=step_3"), "r has no checkpoint=step_3; it has step_2, step_4")
        assert_one_line(iwm(*words, "checkpoint=../x"), "r has no checkpoint=../x")


@pytest.mark.parametrize("name", ["metrics.jsonl", "evaluations.jsonl", "quarantine.jsonl"])
@pytest.mark.parametrize("damage", ["a bad line", "binary", "fifo", "folder", "link"])
def test_logs_are_mended_and_a_copy_is_kept(iwm, begun, name, damage):
    path = Path("r") / name
    before = path.read_bytes() if path.exists() else b""
    lines = before.splitlines(keepends=True)
    bad = b"\xff\x00\n" if damage == "binary" else b'{"step": "two"}\n'
    path.unlink(missing_ok=True)
    if damage == "fifo":
        os.mkfifo(path)
    elif damage == "folder":
        path.mkdir()
    elif damage == "link":
        Path("elsewhere").write_bytes(before)
        path.symlink_to(Path("elsewhere").absolute())
    else:
        path.write_bytes(b"".join([*lines[:1], bad, *lines[1:]]))
    status, error = iwm("resume", "r")
    assert status == 0, error
    told = [line for line in error.splitlines() if f"r/{name} " in line]
    assert len(told) == 1, error
    assert f"{name}.damaged" in told[0]
    assert Path(f"r/{name}.damaged").exists()
    assert same(begun)
    if name == "metrics.jsonl":
        steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
        assert steps == ([2, 4, 6] if damage in ("a bad line", "binary") else [6])
    if damage == "link":
        assert Path("elsewhere").read_bytes() == before


@pytest.mark.slow
def test_a_log_of_another_run_is_none_of_this_one(iwm, begun):
    assert iwm(*TRAIN, "run=other", "train.seed=1")[0] == 0
    shutil.copy("other/metrics.jsonl", "r/metrics.jsonl")
    told = "r/metrics.jsonl is of another recipe than r/config.yaml"
    status, error = iwm("report", "r")
    assert status == 0
    assert f"{told} and is left out" in error
    status, error = iwm("resume", "r")
    assert status == 0
    assert f"{told}; it starts over; the damaged file is kept as metrics.jsonl.damaged" in error
    assert same(begun)
    assert [json.loads(line)["step"] for line in Path("r/metrics.jsonl").read_text().splitlines()] == [6]
    assert Path("r/metrics.jsonl.damaged").read_bytes() == Path("other/metrics.jsonl").read_bytes()


@pytest.mark.parametrize("text", ["${oc.env:HOME}", "x ${data.name}", "${oc.decode:'[1]'}"])
def test_a_run_resolves_no_interpolation(iwm, begun, monkeypatch, text):
    config = yaml.safe_load(Path("r/config.yaml").read_text())
    del config["checksum"]
    config["data"]["name"] = text
    Path("r/config.yaml").write_text(yaml.safe_dump(config))
    for words in (("resume", "r"), ("eval", "r"), ("report", "r"), ("tune", "r", "recipe=tune/probe_linear", "run=new")):
        assert_one_line(iwm(*words), "r/config.yaml is damaged (data.name holds ${")
    assert not Path("new").exists()


def test_measuring_in_training_freezes_nothing(iwm, begun):
    """The control with a new predictor once froze the student that it shares: from the first measurement on, it was not trained."""
    recipe = thaw(Run.open("r").config())
    model = build_model(recipe, restored=True)
    before = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    FrozenModel(recipe, model.eval(), None, 1, torch.device("cpu")).reinitialised(1)
    assert {name: parameter.requires_grad for name, parameter in model.named_parameters()} == before
    assert before["student.vit.norm.weight"]


MAPPINGS = sorted(several())
odd = st.text(min_size=1, max_size=20).filter(lambda key: not NAME.fullmatch(key)) | st.sampled_from(
    ["../../x", "/x", "..", "a/b", "-x", "x\n", ".x"]
)


@pytest.mark.parametrize("group", MAPPINGS)
@given(key=odd)
def test_every_mapping_of_a_recipe_has_names_for_keys(group, key):
    with pytest.raises(UserError, match=".*") as caught:
        check_key(group, key)
    assert str(caught.value).startswith(f"{group}: ")


@pytest.mark.parametrize("group", MAPPINGS)
def test_a_key_that_leads_out_of_the_run_is_refused_where_a_recipe_is_thawed(iwm, begun, group):
    config = yaml.safe_load(Path("r/config.yaml").read_text())
    if group not in config:
        config |= {"kind": "tuning", "world_model": {}, "protocol": {"name": "probe"}, "tasks": {}, "heads": {}}
    config[group] = {"../../x": {"name": "any"}}
    with pytest.raises(UserError, match=rf"{group}: '\.\./\.\./x' is not a name"):
        thaw({key: value for key, value in config.items() if key not in ("format", "checksum", "encoder", "predictor", "targets", "data")})
