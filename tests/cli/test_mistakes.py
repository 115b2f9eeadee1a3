"""Twenty wrong inputs: each ends in status 2 (130 for Ctrl-C) and one line that names the fix, and nothing is lost."""

import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_command
import torch
from one_line import assert_one_line
from places import FURNITURE
from safetensors.torch import load_file, save_file

from iwm_core import hookimpl
from iwm_core.plugins.loader import Plugin, load_plugins
from iwm_core.run import checkpoint

TRAIN = ("train", "recipe=tiny")


def files(folder: Path) -> dict[str, bytes]:
    """What is in a folder, but for who wrote there last."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file() and p.name != ".lock"}


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ((), ("recipe=NAME", "iwm recipes")),
        (("recipe=tinny",), ("did you mean recipe=tiny?",)),
        (("recipe=tiny", "train.stesp=3"), ("unknown key 'train.stesp'", "did you mean train.steps=3?")),
        (("recipe=tiny", "encoder=vti"), ("no installed plugin gives the encoder 'vti'", "did you mean vit?")),
        (("recipe=tiny", "actions=[gain,echo]"), ("no installed plugin gives the action 'echo'", "pip install")),
        (("recipe=tiny", "actions.gain.strength=-1"), ("actions.gain", "strength must be at least 0")),
        (("recipe=tiny", "train.seed=-1"), ("seed must be at least 0",)),
        (("recipe=tiny", "train.batch_size=many"), ("train.batch_size is a whole number, got many", "write train.batch_size=128")),
        (("recipe=tiny", "train.lr.warmup=soon"), ("train.lr.warmup is a duration, such as 500 (steps)",)),
        (("recipe=tiny", "train.epochs=2"), ("write train.epochs=2 train.steps=null",)),
        (("recipe=tiny", "image_size=18"), ("image_size 18 is not divisible by the patch size 4", "use image_size=16")),
        (("recipe=tiny", "image_size=big"), ("image_size", "big")),
        (("recipe=tiny", "targets.share=1.0"), ("leaves no context or no target", "use 0.5")),
        (("recipe=tiny", "train.batch_size=10", "launch.accumulate=4"), ("not divisible by 4", "train.batch_size=8")),
        (("recipe=tiny", "train.batch_size=100"), ("larger than the 64 training images; write train.batch_size=64",)),
        (("recipe=tiny", "train.batch_size=102", "launch.accumulate=6"), ("write train.batch_size=60",)),
        (("recipe=tiny", "launch.device=tpu9"), ("launch.device=tpu9 is not available here", "use auto")),
        (("recipe=tiny", "launch.device=cuda:77"), ("not available here",)),
        (("recipe=tiny", "launch.precision=fp8"), ("precision must be one of fp32, bf16",)),
        (("recipe=tiny", "launch.trackers=[tensorbored]"), ("trackers must be one of tensorboard, wandb",)),
        (("recipe=tiny", "encoder.model=vit_gigantic"), ("timm has no 'vit_gigantic'",)),
        (("recipe=tiny", "encoder.model=resnet18"), ("not a plain Vision Transformer",)),
        (("recipe=tiny", "encoder.heads=3"), ("not divisible by encoder.heads 3",)),
        (("recipe=tiny", "data=folder"), ("data.path must be given", "data.path=VALUE")),
        (("recipe=tiny", "data=folder", "data.path=nowhere"), ("nowhere",)),
        (("recipe=tiny", "data.count=0"), ("has no images",)),
        (("recipe=tiny", "train.betas=[0.9,1.0]"), ("train.betas are two numbers below 1",)),
        (("recipe=tiny", "view.ratio=[1.0]"), ("view.ratio is [low, high]",)),
        (("recipe=tiny", "train.momentum.end=1.5"), ("train.momentum is at most 1",)),
        (("recipe=tiny", "run='r${sed}'"), ("sed", "not found")),
        (("recipe=tiny", "train.steps"), ("cannot read 'train.steps': write train.steps=VALUE",)),
        (("recipe=tiny", "train.steps=[1"), ("cannot read 'train.steps=[1'",)),
    ],
    ids=lambda v: " ".join(v)[:48] if isinstance(v, tuple) else None,
)
def test_wrong_command_line(iwm, words, fix):
    assert_one_line(iwm("train", *words), *fix)
    assert not Path("runs").exists(), "a run directory must not stand in the way of the next try"


def test_unknown_verb(iwm):
    assert_one_line(iwm("trian"), "there is no verb 'trian'")


def test_missing_plugin_in_a_recipe(iwm, tmp_path):
    """A recipe that asks for what is not installed says so, and what to do."""
    recipe = tmp_path / "recipes" / "needs.yaml"
    recipe.parent.mkdir()
    recipe.write_text((FURNITURE / "tiny_recipes/tiny.yaml").read_text().replace("[gain]", "[gain, relight]"))
    module = SimpleNamespace(iwm_recipe_dirs=hookimpl(lambda: [recipe.parent]))
    load_plugins().plugins.append(Plugin("needs", "needs-plugin", "0", module))
    load_plugins().manager.register(module)
    assert_one_line(iwm("train", "recipe=needs"), "needs.yaml have actions: no installed plugin gives the action 'relight'")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("run=", "run='' can be no directory; leave it out"),
        ("run='a\0b'", "can be no directory"),
        ("run='\ud800'", "can be no directory"),
        ("image_size=1000000000000000", "image_size must be at most 16384"),
        ("encoder.width=1000000000000", "no such model can be made"),
        ("train.steps=10000000000000", "train.steps must be at most 1e+12"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(iwm, tmp_path, word, told):
    assert_one_line(iwm("train", "recipe=quickstart", word), told)
    assert list(tmp_path.iterdir()) == []


def test_empty_folder_and_folder_without_images(iwm, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_one_line(iwm(*TRAIN, "data=folder", "data.path=empty"), "empty")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no image")
    assert_one_line(iwm(*TRAIN, "data=folder", "data.path=texts"), "texts")


@pytest.mark.slow
def test_text_file_among_images(iwm, image_folder):
    for name in ("03.png", "04.png"):
        (image_folder / "train" / "a" / name).write_text("this is text")
    for cache in ("none", "ram"):
        result = iwm(*TRAIN, "data=folder", f"data.path={image_folder}", f"data.cache={cache}", f"run=r-{cache}")
        status, error = result
        lines = error.strip().splitlines()
        assert status == 2
        assert lines[-1].startswith("iwm: 2 of 32 images cannot be read, more than data.max_corrupt=0.01 allows")
        assert "03.png" in lines[-1] or "04.png" in lines[-1]
        assert "Traceback" not in error


def test_label_column_missing(iwm, parquet):
    assert_one_line(iwm(*TRAIN, "data=hub", f"data.path={parquet}", "data.label_column=kind"), "kind", "label")


@pytest.mark.slow
def test_unwritable_run_directory(iwm, tmp_path):
    (tmp_path / "file").write_text("")
    assert_one_line(iwm(*TRAIN, "run=file/inside"), "cannot make the run directory", "run=PATH")
    assert_one_line(iwm(*TRAIN, "run=/proc/iwm"), "cannot make the run directory", "run=PATH")


def test_run_that_exists(iwm, kept):
    kept(*TRAIN, "run=r")
    before = files(Path("r"))
    assert_one_line(iwm(*TRAIN, "run=r"), "the run r exists", "iwm resume r")
    assert files(Path("r")) == before


def test_directory_that_is_no_run_is_left_alone(iwm, tmp_path):
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "photo.txt").write_text("x")
    assert_one_line(iwm(*TRAIN, "run=holiday"), "not empty and no run")
    assert_one_line(iwm("resume", "holiday"), "is not a run")
    assert_one_line(iwm("eval", "holiday"), "is not a run")
    assert_one_line(iwm("resume", "nowhere"), "does not exist")
    assert files(tmp_path / "holiday") == {"photo.txt": b"x"}


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_truncated_checkpoint(iwm, kept, name):
    kept(*TRAIN, "run=r", "train.steps=8", "train.keep=3")
    shutil.rmtree("r/checkpoints/step_8")  # so that there is something left to do
    path = Path("r/checkpoints/step_6") / name
    path.write_bytes(path.read_bytes()[:-7])
    before = files(Path("r"))
    assert_one_line(iwm("resume", "r"), f"step_6/{name} is damaged", "`iwm resume r checkpoint=step_4`")
    assert files(Path("r")) == before


def forget_checksums(path: Path) -> None:
    """As a version before has written the checkpoint."""
    state = path.with_name("state.json")
    known = json.loads(state.read_text())
    state.write_text(json.dumps({key: known[key] for key in ("step", "steps", "images", "seconds")}))


def test_checkpoint_of_another_model(iwm, kept):
    kept(*TRAIN, "run=r")
    kept(*TRAIN, "run=other", "encoder.width=32")
    mine = Path("r/checkpoints/step_6/model.safetensors")
    mine.write_bytes(Path("other/checkpoints/step_6/model.safetensors").read_bytes())
    assert_one_line(iwm("eval", "r", "evaluators=[mrr]"), "step_6/model.safetensors is damaged (its checksum is")
    forget_checksums(mine)
    assert_one_line(iwm("eval", "r", "evaluators=[mrr]"), "holds another model", "config.yaml it was trained with")


def test_checkpoint_with_a_tensor_missing(iwm, kept):
    kept(*TRAIN, "run=r")
    path = Path("r/checkpoints/step_6/model.safetensors")
    tensors = load_file(path)
    del tensors["student.vit.norm.weight"]
    save_file(tensors, path)
    forget_checksums(path)
    assert_one_line(iwm("eval", "r", "evaluators=[mrr]"), "student.vit.norm.weight", "absent in the file")


def test_config_that_is_no_yaml(iwm, kept):
    kept(*TRAIN, "run=r")
    Path("r/config.yaml").write_text("a: [")
    assert_one_line(iwm("resume", "r"), "r/config.yaml is damaged (while parsing")


def test_resume_and_eval_change_only_what_they_may(iwm, kept):
    kept(*TRAIN, "run=r")
    assert_one_line(iwm("resume", "r", "train.steps=9"), "changes only launch, data, not 'train.steps'")
    assert_one_line(iwm("eval", "r", "image_size=32"), "changes only evaluators, launch, data")
    assert_one_line(
        iwm("eval", "r", "evaluators=[mrr]", "evaluators.mrr.bnak=3"),
        "unknown key 'evaluators.mrr.bnak'",
        "did you mean evaluators.mrr.bank=3?",
    )
    assert_one_line(iwm("eval", "r"), "evaluators=[NAME]")


def test_full_disk_keeps_the_last_checkpoint(iwm, monkeypatch):
    real = checkpoint.save_file

    def full_after_step_2(tensors, path):
        if "step_4" in str(path) and "optimizer" in str(path):
            raise OSError(28, "No space left on device")
        real(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full_after_step_2)
        assert_one_line(iwm(*TRAIN, "run=r"), "step_4: No space left on device", "iwm resume r")
    assert [p.name for p in Path("r/checkpoints").iterdir() if "step" in p.name] == ["step_2"]
    assert iwm("resume", "r")[0] == 0


def test_gradients_that_are_never_finite_stop_the_run(iwm):
    status, error = iwm(*TRAIN, "run=r", "train.lr.start=1e30", "train.lr.peak=1e30", "train.steps=30", "train.log_every=5", "train.clip=0")
    assert status == 2
    assert "lower train.lr.peak" in error.strip().splitlines()[-1]


@pytest.mark.slow
def test_ctrl_c_while_starting(tmp_path):
    command = [sys.executable, tiny_command.__file__, "train", "recipe=tiny", "run=r"]
    # A shell ignores Ctrl-C for what it starts in the background, tests among it; a process inherits that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as process:
        until = time.monotonic() + 60
        while "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text() and time.monotonic() < until:  # it is being imported
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in error


def test_a_run_that_cannot_be_written_ends_in_one_line(iwm, kept, monkeypatch):
    kept(*TRAIN, "run=r")
    Path("r/eval").write_text("in the way")
    assert_one_line(iwm("eval", "r", "evaluators=[mrr]"), "cannot write r/eval")


def test_a_device_with_too_little_memory(iwm, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation")

    monkeypatch.setattr("iwm_core.training.pretraining.train", full)
    assert_one_line(iwm(*TRAIN, "run=r"), "Tried to allocate 2.00 GiB", "launch.accumulate (now 1)", "iwm resume r")


@pytest.mark.slow
def test_resume_with_other_data(iwm):
    """Where the images have moved is told on resume; another number of them would be another run."""
    assert iwm(*TRAIN, "run=r")[0] == 0
    shutil.rmtree("r/checkpoints/step_6")
    assert_one_line(iwm("resume", "r", "data.count=96"), "the run began with 64 training images, and now there are 96")
    assert iwm("resume", "r", "data.cache=ram")[0] == 0
