"""Wrong inputs of a tuning: each ends in status 2 and one line that names the fix, before a run directory is made where that can be."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_command
import torch
import yaml
from one_line import assert_one_line
from PIL import Image
from tiny_tuning import SWIFT, content, moments

from iwm_core.run import checkpoint


@pytest.fixture
def tune(iwm, worlds, capsys):
    """Tune a tiny world model by a recipe; returns status and the text on standard error."""

    def run(recipe, *words, world=None):
        world = world or worlds()
        capsys.readouterr()
        return iwm("tune", world, f"recipe=tune/{recipe}", *SWIFT, *words)

    return run


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (("data.train='no label'",), ("picture 3 has no label; label it or take it out",)),
        (("data.train='wrong label'",), ("picture 3 has label 9, and this data has classes 0 to 2; correct the label",)),
        (("data.validation='no label'",), ("picture 3 has no label",)),
        (("data.train='no classes'",), ("this data has no labels; in a folder", "data.label_column=NAME")),
        (("data.validation='no classes'",), ("this data has no labels",)),
        (("data.validation='other classes'",), ("knows 3 outputs (red, green, blue)", "this data has 4", "use data with the classes")),
        (("data.validation=renamed",), ("knows 3 outputs (red, green, blue)", "has 3 (blue, green, red)")),
        (
            ("tasks=[segment]", "data.train='no masks'"),
            ("this data has no masks; to a folder, add data.masks=MY_MASKS", "data.mask_classes=["),
        ),
        (("tasks=[segment]", "data.train='no mask'", "data.count=16"), ("picture 3 has no mask; give it one or take it out",)),
        (
            ("tasks=[segment]", "data.train='small mask'", "data.count=16"),
            ("mask of picture 3 has 19 x 18 pixels", "image 20 x 20", "make the mask of"),
        ),
        (("tasks=[segment]", "data.validation='wrong mask'", "data.count=16"), ("mask of picture 3 has the value 7", "correct the mask")),
        (("tasks=[multilabel]", "data.train='no classes'"), ("does not tell all classes",)),
        (("tasks=[regress]", "tasks.regress.of=[amount]", "data.train='no factor'"), ("picture 3: its factor amount is nan",)),
        (("tasks=[regress]", "tasks.regress.of=[amuont]"), ("no factor 'amuont'; did you mean amount?",)),
        (("data=noise", "tasks=[segment]"), ("this data has no masks",)),
        (("data.count=0",), ("has no images",)),
        (("train.batch_size=100",), ("larger than the 48 training images; write train.batch_size=32",)),
        (("tasks=[segment]", "data.train='no masks'", "train.batch_size=100"), ("this data has no masks",)),
        (("data.train='wrong label'", "train.batch_size=100"), ("picture 3 has label 9",)),
        (("tasks=[clasify]",), ("no installed plugin gives the task 'clasify'", "did you mean classify?")),
        (("tasks=[textur]",), ("did you mean texture?", "ready-made: colour, count, factors, shape, texture")),
        (("heads=[linaer]",), ("no installed plugin gives the head 'linaer'", "did you mean linear?")),
        (("protocol=predictr",), ("no installed plugin gives the protocol 'predictr'", "did you mean predictor?")),
        (("tasks=[]",), ("the recipe has no task", "tasks=[NAME]", "iwm components task")),
        (
            ("tasks=[segment]", "heads=[attentive]"),
            ("the task segment needs a dense head, and heads=[attentive] has none", "iwm components head"),
        ),
        (("heads=[segmentation]",), ("the task classify needs a head that is not dense",)),
        (("tasks=[segment]", "protocol=predictor_query"), ("needs tokens on a grid, which protocol=predictor_query does not give",)),
        (("train.stesp=3",), ("unknown key 'train.stesp'", "did you mean train.steps=3?")),
        (("augment.mixap=1",), ("unknown key 'augment.mixap'", "did you mean augment.mixup=1?")),
        (("protocol.lr_scael=1",), ("unknown key 'protocol.lr_scael'", "did you mean protocol.lr_scale=1?")),
        (("train.epochs=1",), ("exactly one of train.steps and train.epochs",)),
        (("protocol.drop_path=1.5",), ("protocol", "drop_path must be at most 0.99")),
        (("augment.randaugment=rnad",), ("augment.randaugment=rnad is not a RandAugment of timm", "rand-m9-mstd0.5-inc1")),
        (("tasks=[segment]", "augment.randaugment=rand-m9"), ("turns and shifts images, but not the masks", "''")),
        (("augment.mixup=0.8", "train.batch_size=9"), ("mix them in pairs", "a multiple of 2")),
        (("tasks=[classify,multilabel]", "augment.cutmix=1", "train.batch_size=6"), ("2 tasks share the 6 images", "a multiple of 4")),
        (("tasks=[classify,multilabel]", "train.batch_size=1"), ("2 tasks share the 1 images", "at least 2")),
        (("launch.device=tpu9",), ("launch.device=tpu9 is not available here",)),
        (("train.batch_size=10", "launch.accumulate=4"), ("not divisible by 4",)),
    ],
    ids=lambda v: " ".join(v)[:56] if isinstance(v, tuple) else None,
)
def test_wrong_settings(tune, words, fix):
    assert_one_line(tune("predictor", *words), *fix)
    assert not Path("runs").exists(), "a run directory must not stand in the way of the next try"


@pytest.mark.slow
def test_a_warning_for_a_class_that_no_image_shows(tune):
    status, error = tune("probe_linear", "data.train='empty class'", "run=r")
    assert status == 0, error
    assert error == "warning: class 'blue' has no training image: it cannot be learned\n"
    assert content("r", "cost.json")["trained"]


@pytest.mark.slow
def test_a_mask_that_is_found_wrong_during_training(tune):
    """Only some masks are looked at before a run; the others are met on the way, here in a worker."""
    for fault, words in (
        ("small mask", "make the mask of its image's size"),
        ("no mask", "has no mask"),
        ("wrong mask", "correct the mask"),
    ):
        result = tune("probe_linear", "tasks=[segment]", f"data.train='{fault}'", "data.count=64", "train.steps=8", "launch.workers=1")
        assert_one_line(result, "picture 3", words)


def test_images_of_a_folder_without_classes(tune, image_folder):
    for split in ("train", "validation"):
        for path in sorted((image_folder / split).rglob("*.png")):
            path.rename(image_folder / split / f"{path.parent.name}{path.name}")
        for label in ("a", "b"):
            (image_folder / split / label).rmdir()
    assert_one_line(tune("probe_linear", "data=folder", f"data.path={image_folder}"), "this data has no labels")
    assert not Path("runs").exists()


def test_other_classes_in_the_folder_of_validation_images(tune, image_folder):
    (image_folder / "validation" / "c").mkdir()
    Image.new("RGB", (20, 20)).save(image_folder / "validation" / "c" / "0.png")
    assert_one_line(tune("probe_linear", "data=folder", f"data.path={image_folder}"), "c")
    assert not Path("runs").exists()


@pytest.mark.slow
def test_recipes_and_runs_that_do_not_fit_each_other(iwm, worlds, capsys):
    world = worlds()
    capsys.readouterr()
    assert_one_line(iwm("tune", world, "recipe=tiny"), "'tiny' trains a world model", "iwm train recipe=tiny", "tune/predictor")
    for words in ([], ["data=taught"], ["-m", "train.seed=0,1", "data=taught"]):
        assert_one_line(iwm("train", "recipe=tune/predictor", *words), "iwm tune RUN recipe=tune/predictor")
    assert_one_line(iwm("tune", "nowhere", "recipe=tune/predictor"), "nowhere is not a run: it does not exist")
    assert_one_line(iwm("tune", world, "recipe=tune/predicter"), "did you mean recipe=tune/predictor?")
    assert_one_line(iwm("tune", world), "recipe=NAME")
    assert_one_line(iwm("tune", "recipe=tune/predictor"), "say which run, before all else: iwm tune RUN")
    shutil.copytree(world, "young")
    shutil.rmtree("young/checkpoints")
    assert_one_line(iwm("tune", "young", "recipe=tune/predictor"), "young has no checkpoint yet", "iwm resume young")
    assert not Path("runs").exists()


@pytest.mark.slow
def test_a_run_that_is_tuned_already(tune, worlds):
    assert tune("probe_linear", "run=r")[0] == 0
    assert_one_line(tune("probe_linear", world="r"), "r is tuned already", f"tune the world model that it comes from: {worlds()}")
    assert_one_line(tune("probe_linear", "run=r"), "the run r exists", "iwm resume r")


@pytest.mark.slow
def test_data_with_other_classes_afterwards(iwm, tune):
    assert tune("probe_linear", "run=r")[0] == 0
    assert_one_line(iwm("eval", "r", "data.validation='other classes'"), "the head of task classify knows 3 outputs", "this data has 4")
    status, error = iwm("eval", "r", "data.count=24")
    assert status == 0, error
    (other,) = Path("r/eval/classify").glob("*.json")
    assert content("r", f"eval/classify/{other.name}")["metrics"]["accuracy"]["n"] == 24
    assert other.with_name(f"{other.stem}_rows.safetensors").is_file()
    assert content("r", "eval/classify.json")["metrics"]["accuracy"]["n"] != 24, "what the recipe's own data gave stays"
    assert_one_line(iwm("eval", "r", "tasks=[segment]"), "iwm eval changes only launch, data, not 'tasks'")
    Path("r/cost.json").unlink()
    assert_one_line(iwm("resume", "r", "data.train=renamed"), "knows 3 outputs (red, green, blue)", "has 3 (blue, green, red)")


def interrupted(tune, monkeypatch, when):
    """A tuning in ``r`` that a full disk ends at its checkpoint of step ``when``."""
    real = checkpoint.save_file

    def full(tensors, path):
        if f"step_{when}" in str(path):
            raise OSError(28, "No space left on device")
        real(tensors, path)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full)
        result = tune("predictor", "run=r", "train.checkpoint_every=2", "train.keep=9", world="world")
    assert_one_line(result, f"step_{when}: No space left on device", "iwm resume r")


@pytest.mark.slow
def test_a_world_model_that_is_gone_before_the_first_checkpoint(iwm, tune, worlds, monkeypatch):
    shutil.copytree(worlds(), "world")
    interrupted(tune, monkeypatch, when=2)
    shutil.move("world/checkpoints/step_2", "elsewhere")
    assert_one_line(iwm("resume", "r"), "the world model's checkpoint", "world/checkpoints/step_2 is gone; bring it back")
    shutil.move("elsewhere", "world/checkpoints/step_2")
    assert iwm("resume", "r")[0] == 0


@pytest.mark.slow
def test_another_world_model_in_its_place_before_the_first_checkpoint(iwm, tune, worlds, monkeypatch):
    """Other weights of the same shapes, in a run that is whole: nothing but what the tuning has kept tells."""
    shutil.copytree(worlds("train.seed=7"), "other")
    shutil.copytree(worlds(), "world")
    interrupted(tune, monkeypatch, when=2)
    shutil.move("world", "own")
    shutil.move("other", "world")
    told = ("world/checkpoints/step_2 is another model by now than this tuning has begun from", "bring that one back")
    assert_one_line(iwm("resume", "r"), *told, "differs in weights")
    config = yaml.safe_load(Path("r/config.yaml").read_text())
    del config["world_model"]["weights"], config["checksum"]  # as earlier versions wrote it
    Path("r/config.yaml").write_text(yaml.safe_dump(config))
    assert_one_line(iwm("resume", "r"), *told, "differs in train")
    shutil.rmtree("world")
    shutil.move("own", "world")
    moved = yaml.safe_load(Path("world/config.yaml").read_text())
    del moved["checksum"]
    Path("world/config.yaml").write_text(yaml.safe_dump(moved | {"data": {**moved["data"], "moved": "elsewhere"}}))
    assert iwm("resume", "r")[0] == 0, "data may be moved"


@pytest.mark.slow
def test_a_world_model_that_is_gone_after_it(iwm, tune, worlds, monkeypatch):
    shutil.copytree(worlds(), "world")
    interrupted(tune, monkeypatch, when=4)
    shutil.rmtree("world")
    assert iwm("resume", "r") == (0, "")


@pytest.mark.slow
def test_a_full_disk_while_results_are_written(iwm, tune, monkeypatch):
    real = Path.replace

    def full(name):
        def replace(path, target):
            if Path(target).name == name:
                raise OSError(28, "No space left on device")
            return real(path, target)

        return replace

    for command, file in ((tune, "cost.json"), (iwm, "eval/classify_rows.safetensors"), (iwm, "eval/classify.json")):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", full(Path(file).name))
            words = ("probe_linear", "run=r") if command is tune else ("resume", "r")
            assert_one_line(command(*words), f"cannot write r/{file}: No space left on device; free some disk space")
        assert not list(Path("r").rglob(".*.partial"))
    assert iwm("resume", "r")[0] == 0
    assert content("r", "eval/classify.json")["step"] == content("r", "checkpoints/step_6/state.json")["step"] == 6


@pytest.mark.slow
def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(tiny, worlds):
    world = worlds()
    words = ["tune", world, "recipe=tune/predictor", *SWIFT, "train.steps=100000", "train.log_every=5", "train.checkpoint_every=100000"]
    command = [sys.executable, tiny_command.__file__, *words, "run=r"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "step 5/" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    (line,) = error.strip().splitlines()
    assert "of 100000 by Ctrl-C; continue with `iwm resume r`" in line
    step = int(line.split("stopped at step ")[1].split()[0])
    assert content("r", f"checkpoints/step_{step}/state.json")["step"] == step
    assert all(torch.isfinite(moment).all() for moment in moments("r").values())
