"""Encoders of others become runs; exports come back to the last bit; predictors are trained on frozen features."""

import json
import os
from pathlib import Path

import jaxtyping
import pytest
import timm
import torch
from iwm_interop.importing.command_line import Asked
from iwm_interop.importing.described import described
from iwm_interop.importing.encoders import weights_file
from iwm_interop.importing.exported_run import exported_config
from iwm_interop.record import record
from safetensors.torch import load_file

import iwm_core
from iwm_core.cli.main import dispatch
from iwm_core.interfaces.errors import UserError
from iwm_core.interfaces.events import TrainStart
from iwm_core.model.world_model import build_model

SCENES = ["data=scenes", "data.train=32", "data.validation=32", "evaluators=[health]", "evaluators.health.images=16", "launch.device=cpu"]
PREDICTOR = ["predictor.width=16", "predictor.depth=1", "predictor.heads=2"]
TRAINED = ["train.steps=2", "train.batch_size=8", "train.lr.warmup=0", "train.log_every=1", "launch.workers=0"]
SHAPE = [f"encoder.architecture.{key}={value}" for key, value in (("width", 32), ("depth", 2), ("heads", 2))]
DINO = ["encoder=dinov2_vits14", *SHAPE]


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch):
    """The shape checks of a test run cannot be exported."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="module")
def dino(tmp_path_factory):
    """A small DINOv2 in a file, by timm."""
    model = timm.create_model("vit_small_patch14_dinov2", img_size=42, embed_dim=32, depth=2, num_heads=2, num_classes=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    file = tmp_path_factory.mktemp("dino") / "dinov2.pth"
    torch.save({**model.state_dict(), "mask_token": torch.zeros(1, 32)}, file)
    return file


def imported(of, file, run, *words):
    assert dispatch(["import", of, str(file), str(run), *SCENES, *words]) == 0
    return run


def weights(run, step):
    return load_file(run / f"checkpoints/step_{step}/model.safetensors")


def test_an_encoder_becomes_student_and_teacher_beside_a_new_predictor(dino, tmp_path, capfd):
    run = imported("timm", dino, tmp_path / "run", *DINO, *PREDICTOR, "train.seed=7")
    said = capfd.readouterr().out
    assert "student: the encoder of the file; teacher: its copy; its predictor: new, from seed 7" in said
    assert "licence: Apache-2.0, from https://github.com/facebookresearch/dinov2" in said
    content, model = torch.load(dino), iwm_core.load(run, device="cpu")
    assert model.image_size == 42, "the file's own size"
    for part in (model.model.student, model.model.teacher):
        assert all(torch.equal(tensor, content[name.removeprefix("vit.")]) for name, tensor in part.state_dict().items())
    torch.manual_seed(7)
    fresh = build_model(model.recipe, restored=True).predictor.state_dict()
    assert all(torch.equal(tensor, fresh[name]) for name, tensor in model.model.predictor.state_dict().items())
    told = json.loads((run / "import.json").read_text())
    assert {line["key"] for line in told["keys"]} == {*content}
    assert told["new"] == ["predictor"]
    assert str(tmp_path) not in json.dumps(told)
    assert str(dino.parent) not in (run / "config.yaml").read_text()


@pytest.mark.slow
def test_only_the_predictor_is_trained_on_an_imported_encoder(dino, tmp_path):
    run = imported("timm", dino, tmp_path / "run", *DINO, *PREDICTOR, *TRAINED)
    assert dispatch(["resume", str(run)]) == 0
    before, after = weights(run, 0), weights(run, 2)
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"predictor"}
    moments = load_file(run / "checkpoints/step_2/optimizer.safetensors")
    assert {name.partition(".")[0] for name in moments} == {"predictor"}


@pytest.mark.slow
def test_weights_are_read_once_and_told_in_the_run(dino, tmp_path):
    run, content = tmp_path / "run", torch.load(dino)
    words = [*SCENES, *DINO, *PREDICTOR, *TRAINED, f"encoder.weights={dino}", "image_size=28", "encoder.lr_scale=0.001"]
    assert dispatch(["train", "recipe=quickstart", *words, f"run={run}"]) == 0
    told = json.loads((run / "import.json").read_text())
    assert (told["licence"], told["file"], told["of"]) == ("Apache-2.0", "dinov2.pth", "timm")
    moved = (weights(run, 2)["student.vit.norm.weight"] - content["norm.weight"]).abs().max()
    assert 0 < moved < 1e-4, "two steps of a thousandth of the learning rate"
    moved_away = dino.rename(tmp_path / "elsewhere.pth")
    try:
        assert iwm_core.load(run, device="cpu").step == 2, "a run opens without the file"
        assert dispatch(["export", str(run), f"out={tmp_path / 'out'}", "--format", "timm"]) == 0
    finally:
        moved_away.rename(dino)
    card = (tmp_path / "out/README.md").read_text()
    assert "license: apache-2.0" in card
    assert "imported from https://github.com/facebookresearch/dinov2" in card
    assert str(dino.parent) not in card
    told["sha256"] = "0" * 64
    student = type("Student", (), {"origin": told})()
    with pytest.raises(UserError, match="this run began with dinov2.pth of SHA-256 .*put the file back"):
        record(TrainStart(run, type("Model", (), {"student": student})(), 0, 2))


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """A trained run, exported in every format that names its weights."""
    folder = tmp_path_factory.mktemp("exports")
    small = ["image_size=32", "encoder.patch_size=8", "encoder.width=32", "encoder.depth=2", "encoder.heads=2", *PREDICTOR]
    jaxtyping.config.update("jaxtyping_disable", True)
    assert dispatch(["train", "recipe=quickstart", *SCENES, *small, *TRAINED, f"run={folder / 'run'}"]) == 0
    for format in ("timm", "transformers", "safetensors"):
        assert dispatch(["export", str(folder / "run"), f"out={folder / format}", "--format", format, "licence=MIT"]) == 0
    jaxtyping.config.update("jaxtyping_disable", False)
    return folder


def files(folder: Path):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "README.md"}  # which tells where it comes from


@pytest.mark.parametrize("format", ["timm", "transformers", "safetensors"])
def test_exported_imported_and_exported_again_the_bytes_are_equal(format, exports, tmp_path):
    words = [] if format == "safetensors" else PREDICTOR
    run = imported(format, exports / format, tmp_path / "run", *words)
    assert dispatch(["export", str(run), f"out={tmp_path / 'again'}", "--format", format]) == 0
    assert files(tmp_path / "again") == files(exports / format)
    assert len(files(exports / format)) >= 2
    assert "license: mit" in (tmp_path / "again/README.md").read_text(), "the card of what was imported told it"


def test_an_export_brings_its_predictor_and_its_recipe(exports, tmp_path):
    run = imported("safetensors", exports / "safetensors", tmp_path / "run")
    model, before = iwm_core.load(run, device="cpu"), iwm_core.load(exports / "run", device="cpu")
    assert model.names == before.names
    pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    told = {"jitter": {"brightness": 0.4}}
    assert torch.equal(model.imagine(pixels, told), before.imagine(pixels, told))
    assert json.loads((run / "import.json").read_text())["new"] == []


MISTAKES = {
    "no architecture": (["timm", "DINO"], "does not tell its architecture; say encoder=NAME"),
    "other weights": (["timm", "DINO", "encoder=dinov2_vitb14"], "choose the architecture that the file is of"),
    "names of another": (["transformers", "DINO", "encoder=dinov2_vits14"], "has the names of timm, not of transformers"),
    "another encoder": (["timm", "DINO", "encoder=vit"], "encoder=vit takes no published weights"),
    "the weights twice": (["timm", "DINO", "encoder.weights=x"], "leave encoder.weights out"),
    "a program": (["onnx", "DINO"], "its program has no named weights"),
    "frozen and dropped": (["timm", "DINO", *DINO, "encoder.drop_path=0.1"], "encoder.drop_path=0.1 is for an encoder that is trained"),
    "frozen and slow": (["timm", "DINO", *DINO, "encoder.lr_scale=0.1"], "encoder.lr_scale=0.1 is for an encoder that is trained"),
    "slow to nothing": (["timm", "DINO", *DINO, "encoder.frozen=false", "encoder.lr_scale=0"], "write encoder.frozen=true"),
    "nothing to train": (["timm", "DINO", *DINO, "predictor=identity"], "nothing is trained"),
    "a length in epochs": (
        ["timm", "DINO", *DINO, "recipe=repro/imagenette", "size=gpu"],
        "length in epochs, .* write train.steps=N train.epochs=null",
    ),
    "a recipe for an export": (["safetensors", "DINO", "recipe=quickstart"], "takes no recipe="),
    "a file for an export": (["safetensors", "DINO"], "has no recipe.yaml beside its weights"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_answered_in_one_line(case, dino, tmp_path):
    (of, _, *words), answer = MISTAKES[case]
    with pytest.raises(UserError, match=answer) as refused:
        dispatch(["import", of, str(dino), str(tmp_path / "run"), *([] if of == "safetensors" else SCENES), *words])
    assert len(str(refused.value)) <= 400
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["recipe.yaml", "model.safetensors", "config.json", "README.md"])
def test_a_pipe_in_a_folder_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    if name == "README.md":  # what it would tell can be told otherwise
        assert described(tmp_path).licence is None
        return
    read = {"recipe.yaml": exported_config, "model.safetensors": lambda asked: weights_file(asked.file)}
    with pytest.raises(UserError, match=f"{name} is no regular file"):
        read.get(name, lambda asked: described(asked.file))(Asked("safetensors", tmp_path, tmp_path / "run", None, None, "", []))


@pytest.mark.parametrize(("text", "answer"), [("", "it is empty"), ("5", "it holds no settings by their names"), ("[", "cannot be read")])
def test_an_export_without_a_recipe_in_its_file_is_told(tmp_path, text, answer):
    (tmp_path / "recipe.yaml").write_text(text)
    with pytest.raises(UserError, match=f"recipe.yaml cannot be read .*{answer if text != '[' else ''}.*; export the run again") as told:
        exported_config(Asked("safetensors", tmp_path, tmp_path / "run", None, None, "", []))
    assert "NoneType" not in str(told.value)


CONFIGS = {
    "another model": ("transformers", {"model_type": "vit"}, "model_type 'vit'; of transformers' models, only ijepa"),
    "another norm": ("transformers", {"layer_norm_eps": 1e-12}, "layer_norm_eps 1e-12"),
    "an odd argument": ("timm", {"model_args": {"qk_norm": True}}, "model_args.qk_norm"),
    "neither": ("timm", None, "neither timm's nor transformers'"),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_config_of_another_model_is_refused(case, exports, tmp_path):
    format, change, answer = CONFIGS[case]
    for path in (exports / format).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({"odd": 1} if change is None else config | change))
    with pytest.raises(UserError, match=answer):
        imported(format, tmp_path, tmp_path / "run", *PREDICTOR)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json cannot be read"):
        imported(format, tmp_path, tmp_path / "run", *PREDICTOR)
