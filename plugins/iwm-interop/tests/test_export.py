"""What is exported gives the run's tokens in the libraries that it is for, says whose it is, and tells nothing of this machine."""

import json
import socket
import sys
import zipfile
from pathlib import Path

import jaxtyping
import pytest
import torch
import yaml
from iwm_interop.exporting import export
from iwm_interop.exporting.format import Exported
from iwm_interop.verbs import FORMATS
from reference_ijepa import checkpoint, reference
from safetensors.torch import load_file
from small_worlds import SMALL, WORLDS

import iwm_core
from iwm_core.cli.main import dispatch
from iwm_core.interfaces.errors import UserError
from iwm_core.model.frozen import FrozenModel
from iwm_core.model.world_model import build_model
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.run import lock

SCENES = ["data=scenes", "data.train=64", "data.validation=32", "train.batch_size=16", "launch.device=cpu"]
TRAINED = [*SCENES, "evaluators=[health]", "evaluators.health.images=16", "train.steps=3", "train.lr.warmup=1", "train.log_every=1"]


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch):
    """The shape checks of a test run cannot be exported."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture
def runs(every_run):
    """A trained run of each kind of encoder; student and teacher differ."""
    return lambda name: every_run.original("train", "recipe=quickstart", *TRAINED, *WORLDS[name], "run=a-secret-place/run")


def exported(run, out, format, *words):
    assert dispatch(["export", str(run), f"out={out}", "--format", format, *words]) == 0
    return out


def images(b=2, side=32):
    return torch.rand(b, 3, side, side, generator=torch.Generator().manual_seed(7))


@pytest.mark.slow
def test_the_cards_lines_give_the_outputs_without_any_package_of_ours(tmp_path):
    """A sample of `slow/fresh.py`, which has every format and kind of encoder."""
    sys.path.append(str(Path(__file__).parent / "slow"))
    from fresh import difference, fresh_environment

    outside = fresh_environment(tmp_path / "environment", [])
    for case in (("sincos", "onnx"), ("tuned", "torch")):
        assert difference(*case, tmp_path, outside) < 1e-5


@pytest.mark.parametrize("name", ["sincos", "class token", "registers"])
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


@pytest.fixture
def tuned(runs, every_run):
    """A run tuned for two tasks, one of them dense."""
    tasks = ["tasks=[classify,segment]", "tasks.classify.of=shape", "heads=[attentive,segmentation]"]
    budget = ["budget=cpu", "train.epochs=null", "train.steps=1", "train.batch_size=16", "launch.device=cpu", "train.lr.warmup=0"]
    return every_run.original(
        "tune", str(runs("sincos")), "recipe=tune/predictor", *tasks, *budget, "launch.workers=0", "run=a-secret-place/tuned"
    )


@pytest.mark.slow
@pytest.mark.parametrize("format", ["torch", "safetensors"])  # onnx: in the sample of slow/fresh.py
def test_a_tuned_model_is_exported_with_its_heads(format, tuned, tmp_path):
    out = exported(tuned, tmp_path / "model", format)
    model = iwm_core.load(tuned, device="cpu")
    assert json.loads((out / "labels.json").read_text()) == {task: list(names) for task, names in model.outputs.items()}
    expected = model.predict(images(3))
    if format == "torch":
        answers = torch.export.load(out / "model.pt2").module()(images(3))
    else:
        weights = load_file(out / "model.safetensors")
        own = {f"model.{name}": tensor for name, tensor in model.model.state_dict().items()}
        assert weights.keys() == own.keys()
        assert all(torch.equal(weights[name], own[name]) for name in own)
        answers = expected.values()
    for answer, right in zip(answers, expected.values(), strict=True):
        assert (torch.as_tensor(answer) - right).abs().max() < 1e-5
    text = (out / "README.md").read_text()
    assert "tuned for classify, segment, with its heads" in text
    assert "classify: " in text
    assert "pipeline_tag" not in text


@pytest.mark.slow
def test_where_heads_have_no_place_it_is_said(tuned, tmp_path):
    for words, answer in (
        (["--format", "timm"], "no place for heads"),
        (["--format", "transformers"], "no place for heads"),
        (["--format", "torch", "--student"], "a tuned model has one encoder"),
    ):
        with pytest.raises(UserError, match=answer):
            dispatch(["export", str(tuned), f"out={tmp_path / 'model'}", *words])
    with pytest.raises(UserError, match="is of a tuned model"):
        dispatch(["import", "safetensors", str(exported(tuned, tmp_path / "own", "safetensors")), str(tmp_path / "run")])
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


@pytest.mark.slow
@pytest.mark.parametrize("predictor", ["sequence", "adaln", "none", "identity"])
def test_every_predictor_is_a_program_of_its_own(predictor, tmp_path):
    from iwm_interop.exporting.parts import predictor_part
    from iwm_interop.exporting.programs import TorchExport

    small = [word for word in SMALL if predictor != "identity" or not word.startswith("predictor.")]
    recipe = thaw(compose("quickstart", [*small, f"predictor={predictor}"])[0])
    model = build_model(recipe).eval()
    with torch.no_grad():
        for name, parameter in model.predictor.named_parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name))) * 0.1)
    labels = tuple(FrozenModel(recipe, model, None, 0, torch.device("cpu")).actions.labels)
    parts = [predictor_part(model.predictor, model.teacher, labels, True)]
    program, what = TorchExport(), Exported(config={}, recipe=recipe, parts=parts, encoder=model.teacher)
    program.write(what, tmp_path)
    assert export.compared(program, what, tmp_path) < 1e-6


def test_what_cannot_be_traced_is_said_in_one_line(runs, tmp_path, monkeypatch):
    def odd(self, images, keep=None):
        return self.vit.norm(images.flatten(1).sum()[None].repeat(int(images.sum()), self.width))

    monkeypatch.setattr(type(iwm_core.load(runs("sincos"), device="cpu").model.teacher), "forward", odd)
    with pytest.raises(UserError, match="--format torch cannot make a program of the model .*; --format safetensors takes any") as refused:
        exported(runs("sincos"), tmp_path / "model", "torch")
    assert len(str(refused.value)) <= 400
    assert list(tmp_path.iterdir()) == []


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
    with pytest.raises(UserError, match="came under CC BY-NC 4.0"):
        dispatch(["export", str(tmp_path / "run"), f"out={tmp_path / 'other'}", "--format", "timm", "licence=MIT"])
    assert not (tmp_path / "other").exists()


def test_what_reads_back_otherwise_is_not_kept(runs, tmp_path, monkeypatch):
    timm = export.made("timm")
    right = type(timm).read
    monkeypatch.setattr(type(timm), "read", lambda *arguments: tuple(one + 1e-3 for one in right(*arguments)))
    with pytest.raises(UserError, match="more than 1e-05, and is not kept"):
        exported(runs("sincos"), tmp_path / "model", "timm")
    assert list(tmp_path.iterdir()) == []


MISTAKES = {
    "no format": (["out=OUT"], "say --format timm|transformers"),
    "a format misspelt": (["out=OUT", "--format", "tim"], "did you mean --format timm"),
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


def test_two_exports_to_one_place_do_not_mix_and_what_a_kill_left_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.0)
    (tmp_path / ".model.partial/whole").mkdir(parents=True)
    (tmp_path / ".model.partial/whole/of-a-killed-one").write_text("x")
    with export.made_whole(tmp_path / "model") as folder:
        (folder / "mine").write_text("x")
        with pytest.raises(UserError, match=r"is in use by .*; wait until that ends"), export.made_whole(tmp_path / "model"):
            pass
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == ["model", "model/mine"]


def test_a_class_token_is_none_of_ijepas(runs, tmp_path):
    with pytest.raises(UserError, match="--format torch takes any model"):
        exported(runs("class token"), tmp_path / "model", "transformers")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("verb", "word"), [("export", "out="), ("export", "licence="), ("features", "out="), ("features", "map="), ("push", "licence=")]
)
def test_a_word_without_its_value_is_not_taken_for_a_slip(runs, verb, word):
    with pytest.raises(UserError, match=f"{word} takes one (value|text), once; write iwm {verb} RUN"):
        dispatch([verb, str(runs("sincos")), word, *(["--format", "timm"] if verb == "export" else [])])
