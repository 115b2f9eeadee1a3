"""What is exported gives the run's tokens in the libraries that it is for, says whose it is, and tells nothing of this machine."""

import json
import os
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import jaxtyping
import pytest
import torch
import yaml
from iwm_interop.exporting import work
from iwm_interop.exporting.asked import FORMATS
from reference_ijepa import checkpoint, reference
from safetensors.torch import load_file

import iwm_core
from iwm_core.cli.main import dispatch
from iwm_core.interfaces.errors import UserError

SCENES = ["data=scenes", "data.train=64", "data.validation=32", "train.batch_size=16", "launch.device=cpu"]
TRAINED = [*SCENES, "evaluators=[health]", "evaluators.health.images=16", "train.steps=3", "train.lr.warmup=1", "train.log_every=1"]
SMALL = [
    "image_size=32",
    "encoder.width=32",
    "encoder.depth=2",
    "encoder.heads=2",
    "predictor.width=16",
    "predictor.depth=1",
    "predictor.heads=2",
]
RUNS = {
    "sincos": SMALL,
    "stored": [*SMALL, "encoder.positions=stored", "encoder.mlp_ratio=4.36363636"],
    "class token": [*SMALL, "encoder.positions=model"],
    "registers, layer scale": [*SMALL, "encoder.positions=model", "encoder.model=vit_small_patch14_reg4_dinov2", "encoder.patch_size=8"],
}
EVERYWHERE = [(run, format) for run in RUNS for format in FORMATS if format != "transformers" or run in ("sincos", "stored")]


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch):
    """The shape checks of a test run cannot be exported."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def runs(every_run):
    """A trained run of each kind of encoder; student and teacher differ."""
    return lambda name: every_run.original("train", "recipe=quickstart", *TRAINED, *RUNS[name], "run=a-secret-place/run")


def exported(run, out, format, *words):
    assert dispatch(["export", str(run), f"out={out}", "--format", format, *words]) == 0
    return out


def images(b=2, side=32):
    return torch.rand(b, 3, side, side, generator=torch.Generator().manual_seed(7))


LOADED = """
import os, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("iwm"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import torch
for place, patches in {places}.items():
    os.chdir(place)
    pictures = torch.load("images.pt")
    images = {images}
    told = {{"images": images, "pictures": pictures}}
    with torch.no_grad():
        exec(open("lines.py").read(), told)
    tokens = torch.as_tensor(told["tokens"])
    torch.save(tokens[:, tokens.shape[1] - patches:], "tokens.pt")
"""
FED = {
    "timm": "(pictures - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]",
    "transformers": "None; pictures = list((pictures * 255).to(torch.uint8))",
    "torch": "pictures",
    "onnx": "pictures.numpy()",
}


@pytest.mark.slow
@pytest.mark.parametrize("format", FED)
def test_the_cards_three_lines_give_the_tokens_without_any_package_of_ours(format, runs, tmp_path):
    """For every kind of encoder that the format takes; in one process, as each imports its library for seconds."""
    pictures, expected = (images(5) * 255).round() / 255, {}
    for name in (name for name, taken in EVERYWHERE if taken == format):
        place = tmp_path / name
        place.mkdir()
        out = exported(runs(name), place / "model", format)
        (lines,) = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(), re.DOTALL)
        assert len(lines.splitlines()) == 3
        expected[place] = iwm_core.load(runs(name), device="cpu").encode(pictures)
        torch.save(pictures, place / "images.pt")
        (place / "lines.py").write_text(lines)
    code = LOADED.format(images=FED[format], places={str(place): tokens.shape[1] for place, tokens in expected.items()})
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    for place, wanted in expected.items():
        tokens = torch.load(place / "tokens.pt")
        assert tokens.shape == wanted.shape, place.name
        assert (tokens - wanted).abs().max() < 2e-5 * max(1, wanted.abs().max()), place.name


@pytest.mark.parametrize("name", ["sincos", "class token", "registers, layer scale"])
def test_timm_builds_the_model_from_a_checkpoints_path(name, runs, tmp_path):
    import timm

    out = exported(runs(name), tmp_path / "model", "timm")
    config = json.loads((out / "config.json").read_text())
    model = timm.create_model(
        config["architecture"], num_classes=0, checkpoint_path=str(out / "model.safetensors"), **config["model_args"]
    ).eval()
    mean, std = (torch.tensor(config["pretrained_cfg"][key])[:, None, None] for key in ("mean", "std"))
    expected = iwm_core.load(runs(name), device="cpu").encode(images())
    with torch.no_grad():
        tokens = model.forward_features((images() - mean) / std)[:, model.num_prefix_tokens :]
        pooled = model((images() - mean) / std)
    assert (tokens - expected).abs().max() < 1e-5
    if name == "sincos":
        assert (pooled - expected.mean(1)).abs().max() < 1e-5


def test_transformers_finds_every_weight_under_its_name(runs, tmp_path):
    from transformers import IJepaModel

    out = exported(runs("stored"), tmp_path / "model", "transformers")
    model, told = IJepaModel.from_pretrained(out, output_loading_info=True)
    assert not any(told[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    written = load_file(out / "model.safetensors")
    model.save_pretrained(tmp_path / "again")  # both of its versions write the names of the older
    theirs = load_file(tmp_path / "again/model.safetensors")
    assert theirs.keys() == written.keys()
    assert all(torch.equal(theirs[key], written[key]) for key in theirs)


def test_safetensors_holds_encoder_and_predictor_to_the_last_bit(runs, tmp_path):
    model = iwm_core.load(runs("stored"), device="cpu").model
    weights = load_file(exported(runs("stored"), tmp_path / "model", "safetensors") / "model.safetensors")
    own = {
        f"{part}.{name}": tensor
        for part in ("encoder", "predictor")
        for name, tensor in getattr(model, part.replace("encoder", "teacher")).state_dict().items()
    }
    assert weights.keys() == own.keys()
    assert all(torch.equal(weights[name], own[name]) for name in own)


def test_the_student_by_choice(runs, tmp_path):
    run = runs("sincos")
    model = iwm_core.load(run, device="cpu").model
    for words, part in (((), model.teacher), (("--student",), model.student)):
        out = exported(run, tmp_path / f"model{len(words)}", "timm", *words)
        assert torch.equal(load_file(out / "model.safetensors")["norm.weight"], part.vit.norm.weight)
    assert not torch.equal(model.teacher.vit.norm.weight, model.student.vit.norm.weight)
    assert "The student encoder" in (out / "README.md").read_text()


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_of_this_machine_leaves(format, runs, tmp_path):
    out = exported(runs("sincos"), tmp_path / "model", format, "licence=MIT")
    private = [
        str(runs("sincos")),
        "a-secret-place",
        str(Path(iwm_core.__file__).parent),
        sys.prefix,
        str(Path.home()),
        socket.gethostname(),
        sys.argv[0],
    ]
    for name, content in contents(out):
        for text in private:
            assert len(text) < 4 or text.encode() not in content, (name, text)


def contents(folder):
    """All files, and all that lies packed in them."""
    for path in folder.rglob("*"):
        yield path.name, path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as packed:
                yield from ((f"{path.name}/{name}", packed.read(name)) for name in packed.namelist())


def test_paths_of_data_do_not_leave_and_names_on_the_hub_do(tmp_path):
    from iwm_interop.exporting.card import shareable

    config = {"data": {"path": "/home/ann/images", "masks": "~/m", "name": "folder"}, "run": "/x", "launch": {}, "deep": [{"file": "/etc"}]}
    assert shareable(config) == {"data": {"path": "local", "masks": "local", "name": "folder"}, "deep": [{"file": "local"}]}
    assert shareable({"data": {"path": "ILSVRC/imagenet-1k"}}) == {"data": {"path": "ILSVRC/imagenet-1k"}}


def test_the_card_tells_recipe_scorecard_and_licence(runs, tmp_path):
    out = exported(runs("sincos"), tmp_path / "model", "timm", "licence=Apache-2.0")
    text = (out / "README.md").read_text()
    front = yaml.safe_load(text.split("---")[1])
    assert (front["license"], front["library_name"]) == ("apache-2.0", "timm")
    (health,) = iwm_core.measured(runs("sincos"))
    for name, metric in health.metrics.items():
        assert f"| health, 3 | {name} | {metric.value:.4g} |" in text or metric.value != metric.value
    assert "encoder.width: 32" in text
    assert "recipe `quickstart` at step 3" in text


def test_imported_weights_keep_their_licence(runs, tmp_path):
    torch.save(
        checkpoint(*reference(size=56, patch=14, width=16, depth=1, heads=2, predictor_width=8, predictor_depth=1)), tmp_path / "i.pth"
    )
    words = [*SCENES, "encoder.heads=2", "targets.min_keep=1", "evaluators=[health]"]
    assert dispatch(["import", "ijepa", str(tmp_path / "i.pth"), str(tmp_path / "run"), *words]) == 0
    text = (exported(tmp_path / "run", tmp_path / "model", "transformers") / "README.md").read_text()
    assert yaml.safe_load(text.split("---")[1])["license"] == "cc-by-nc-4.0"
    assert "imported from https://github.com/facebookresearch/ijepa" in text
    assert str(tmp_path) not in text
    with pytest.raises(UserError, match="imported under CC BY-NC 4.0"):
        dispatch(["export", str(tmp_path / "run"), f"out={tmp_path / 'other'}", "--format", "timm", "licence=MIT"])
    assert not (tmp_path / "other").exists()


def test_what_reads_back_otherwise_is_not_kept(runs, tmp_path, monkeypatch):
    timm = work.made("timm")
    right = type(timm).read
    monkeypatch.setattr(type(timm), "read", lambda *arguments: right(*arguments) + 1e-3)
    with pytest.raises(UserError, match="more than 1e-05, and is not kept"):
        exported(runs("sincos"), tmp_path / "model", "timm")
    assert list(tmp_path.iterdir()) == []


MISTAKES = {
    "no format": (["out=OUT"], "say which format"),
    "a format misspelt": (["out=OUT", "--format", "tim"], "did you mean timm"),
    "no place": (["--format", "timm"], "out=FOLDER"),
    "an odd word": (["out=OUT", "--format", "timm", "--studnt"], "did you mean --student"),
    "a checkpoint that is not there": (["out=OUT", "--format", "timm", "checkpoint=step_9"], "step_9"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_answered_in_one_line(case, runs, tmp_path):
    words, answer = MISTAKES[case]
    with pytest.raises(UserError, match=answer) as refused:
        dispatch(["export", str(runs("sincos")), *(word.replace("OUT", str(tmp_path / "out")) for word in words)])
    assert len(str(refused.value)) <= 400
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_taken_is_left_alone(runs, tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(UserError, match="nothing is written over"):
        exported(runs("sincos"), tmp_path / "mine", "timm")
    assert (tmp_path / "mine").read_text() == "x"


def test_a_class_token_is_none_of_ijepas(runs, tmp_path):
    with pytest.raises(UserError, match="--format torch takes any encoder"):
        exported(runs("class token"), tmp_path / "model", "transformers")
    assert list(tmp_path.iterdir()) == []
