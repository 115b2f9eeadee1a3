"""Checkpoints of the reference's shape become runs of equal outputs; what is not explained is refused by name."""

import errno
import json
from pathlib import Path

import pytest
import torch
from iwm_interop.importing import import_run
from iwm_interop.importing.ijepa import ratio
from iwm_interop.importing.reference import understood
from reference_ijepa import ReferenceEncoder, ReferencePredictor, checkpoint, reference

import iwm_core
from iwm_core.cli.main import dispatch
from iwm_core.interfaces import Targets
from iwm_core.interfaces.errors import UserError
from iwm_core.model.world_model import build_model
from iwm_core.run.new_run import LEFT

MEAN, STD = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]

SCALED_DOWN = {
    "H/14": {"size": 56, "patch": 14, "width": 64, "depth": 3, "heads": 4},
    "H/16-448": {"size": 128, "patch": 16, "width": 64, "depth": 2, "heads": 4},
    "g/16": {"size": 64, "patch": 16, "width": 88, "depth": 3, "heads": 4, "ratio": 48 / 11, "predictor_depth": 4},
}
SMALL = {"size": 56, "patch": 14, "width": 16, "depth": 1, "heads": 2, "predictor_width": 8, "predictor_depth": 1}
SCENES = (
    "data=scenes",
    "data.train=32",
    "data.validation=32",
    "evaluators=[health]",
    "evaluators.health.images=16",
    "train.batch_size=8",
    "targets.min_keep=1",
)


def saved(folder, content):
    torch.save(content, folder / "ijepa.pth.tar")
    return folder / "ijepa.pth.tar"


def imported(folder, content, *words):
    file = saved(folder, content)
    assert dispatch(["import", "ijepa", str(file), str(folder / "run"), *SCENES, *words]) == 0
    return folder / "run"


def images(size, b=2):
    return torch.rand(b, 3, size, size, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("name", SCALED_DOWN)
def test_outputs_of_student_teacher_and_predictor_are_the_references(name, tmp_path):
    shape = SCALED_DOWN[name]
    encoder, target_encoder, predictor = reference(**shape)
    model = iwm_core.load(imported(tmp_path, checkpoint(encoder, target_encoder, predictor), "encoder.heads=4"), device="cpu")
    batch, n = images(shape["size"]), (shape["size"] // shape["patch"]) ** 2
    normalised = (batch - MEAN) / STD
    order = torch.stack([torch.randperm(n, generator=torch.Generator().manual_seed(seed)) for seed in range(2)])
    seen, asked = order[:, :6].sort().values, order[:, 6:14].reshape(2, 2, 4).sort().values
    with torch.no_grad():
        assert far(model.encode(batch), target_encoder(normalised)) < 1e-5
        assert far(model.student(batch), encoder(normalised)) < 1e-5
        context = model.model.student(batch, seen)
        assert far(context, encoder(normalised, seen)) < 1e-5
        predicted = model.model.predictor(context, Targets(seen, asked), torch.empty(2, 0))
        for group in range(2):
            assert far(predicted[:, group], predictor(encoder(normalised, seen), seen, asked[:, group])) < 1e-5


def far(one, other):
    assert one.shape == other.shape
    assert other.std() > 0.1, "there is something to compare"
    return (one - other).abs().max()


def test_weights_and_positions_are_taken_to_the_last_bit(tmp_path):
    encoder, target_encoder, predictor = reference(**SMALL)
    model = iwm_core.load(imported(tmp_path, checkpoint(encoder, target_encoder, predictor), "encoder.heads=2"), device="cpu").model
    assert torch.equal(model.teacher.positions, target_encoder.pos_embed)
    assert not torch.equal(model.teacher.positions, model.student.positions)
    assert torch.equal(model.predictor.positions, predictor.predictor_pos_embed[0])
    pairs = ((model.student.vit, encoder), (model.teacher.vit, target_encoder))
    for own, other in pairs:
        theirs = {key: tensor for key, tensor in other.state_dict().items() if key != "pos_embed"}
        assert own.state_dict().keys() == theirs.keys()
        assert all(torch.equal(own.state_dict()[key], theirs[key]) for key in theirs)


def published(size, patch, width, depth, ratio, predictor_depth):
    """The weights of a published file, without memory."""
    with torch.device("meta"):
        encoder = ReferenceEncoder(size, patch, width, depth, 16, ratio)
        predictor = ReferencePredictor(size // patch, width, 384, predictor_depth, 16)
        return checkpoint(encoder.to("meta"), encoder, predictor.to("meta"))


PUBLISHED = {  # the released configurations, and the width of the encoder's MLPs
    "H/14": ((224, 14, 1280, 32, 4.0, 12), 5120),
    "H/16-448": ((448, 16, 1280, 32, 4.0, 12), 5120),
    "g/16": ((224, 16, 1408, 40, 48 / 11, 16), 6144),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_shapes_fit_as_they_are(name):
    (size, patch, width, depth, mlp, predictor_depth), hidden = PUBLISHED[name]
    content = published(size, patch, width, depth, mlp, predictor_depth)
    _, recipe, taken, _ = understood(content, ["data=scenes", "evaluators=[health]"])
    assert (recipe.image_size, recipe.encoder.heads, recipe.predictor.heads) == (size, 16, 16)
    assert taken.weights["student.vit.blocks.0.mlp.fc1.weight"].shape == (hidden, width)
    assert len(taken.weights) == sum(len(content[part]) for part in ("encoder", "target_encoder", "predictor"))
    with torch.device("meta"):
        assert {key: t.shape for key, t in build_model(recipe).state_dict().items()} == {k: t.shape for k, t in taken.weights.items()}


def test_every_width_of_an_mlp_comes_back():
    for width in (88, 384, 1280, 1408, 1664):
        for hidden in range(width, 6 * width, 7):
            assert int(width * ratio(hidden, width)) == hidden


def spoilt(change):
    content = checkpoint(*reference(**SMALL))
    change(content)
    return content


def rename(part, key, other):
    def change(content):
        content[part][other] = content[part].pop(key)

    return change


REFUSED = {
    "renamed in the encoder": (rename("encoder", "module.norm.bias", "module.norm.beta"), ("encoder.norm.bias", "encoder.norm.beta")),
    "renamed in the teacher": (
        rename("target_encoder", "module.blocks.0.attn.qkv.weight", "module.blocks.0.attn.qkv.w"),
        ("target_encoder.blocks.0.attn.qkv.weight", "target_encoder.blocks.0.attn.qkv.w,"),
    ),
    "missing in the predictor": (lambda c: c["predictor"].pop("module.mask_token"), ("predictor.mask_token",)),
    "missing positions": (lambda c: c["encoder"].pop("module.pos_embed"), ("encoder.pos_embed",)),
    "extra in the encoder": (lambda c: c["encoder"].update({"module.cls_token": torch.zeros(1, 1, 16)}), ("encoder.cls_token",)),
    "a whole part missing": (lambda c: c.pop("target_encoder"), ("'target_encoder'",)),
    "an extra part": (lambda c: c.update(ema={}), ("'ema'",)),
    "another shape": (
        lambda c: c["predictor"].update({"module.predictor_norm.bias": torch.zeros(9)}),
        ("predictor.predictor_norm.bias", "(9,)"),
    ),
    "a swapped matrix": (
        lambda c: c["predictor"].update({"module.predictor_proj.weight": torch.zeros(8, 16)}),
        ("predictor.predictor_proj.weight", "(8, 16)", "(16, 8)"),
    ),
    "not finite": (lambda c: c["encoder"]["module.norm.bias"].fill_(float("nan")), ("encoder.norm.bias", "finite")),
    "double precision": (lambda c: c["encoder"].update({"module.norm.bias": torch.zeros(16).double()}), ("encoder.norm.bias", "float64")),
    "half of the keys distributed": (rename("encoder", "module.norm.bias", "norm.bias"), ("encoder.norm.bias", "module.")),
    "more blocks in one than in the other": (
        lambda c: c["target_encoder"].update({k.replace("s.0.", "s.1."): t for k, t in c["target_encoder"].items() if "s.0." in k}),
        ("target_encoder.blocks.1.",),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_explained_is_refused_by_name(case, tmp_path):
    change, words = REFUSED[case]
    with pytest.raises(UserError) as refused:
        imported(tmp_path, spoilt(change), "encoder.heads=2")
    line = str(refused.value)
    assert all(word in line for word in words), line
    assert len(line) <= 400
    assert "\n" not in line
    assert not (tmp_path / "run").exists()


def test_nothing_is_unpickled_but_tensors(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    with pytest.raises(UserError, match="not unpickled"):
        imported(tmp_path, {**checkpoint(*reference(**SMALL)), "loss": Hostile()}, "encoder.heads=2")
    assert not (tmp_path / "ran").exists()


def test_a_file_that_is_cut_short_or_none_is_refused(tmp_path):
    file = saved(tmp_path, checkpoint(*reference(**SMALL)))
    for content in (file.read_bytes()[:5000], b"", b"a text"):
        file.write_bytes(content)
        with pytest.raises(UserError, match="no file of torch.save, or is damaged"):
            dispatch(["import", "ijepa", str(file), str(tmp_path / "run"), *SCENES, "encoder.heads=2"])


def test_half_precision_is_taken_exactly(tmp_path):
    content = checkpoint(*reference(**SMALL))
    for part in ("encoder", "target_encoder", "predictor"):
        content[part] = {key: tensor.bfloat16() for key, tensor in content[part].items()}
    model = iwm_core.load(imported(tmp_path, content, "encoder.heads=2"), device="cpu").model
    assert torch.equal(model.teacher.vit.norm.weight, content["target_encoder"]["module.norm.weight"].float())


@pytest.mark.slow
def test_an_imported_run_is_told_measured_and_trained_on(tmp_path, capfd):
    content = checkpoint(*reference(**SMALL))
    run = imported(tmp_path, content, "encoder.heads=2", "train.steps=2", "train.lr.warmup=1", "licence=CC0", "source=us")
    told = json.loads((run / "import.json").read_text())
    assert (told["licence"], told["source"], told["file"]) == ("CC0", "us", "ijepa.pth.tar")
    assert str(tmp_path) not in (run / "import.json").read_text()
    became = {line["key"]: line.get("became") for line in told["keys"]}
    keys = {f"{part}.{key.removeprefix('module.')}" for part in ("encoder", "target_encoder", "predictor") for key in content[part]}
    assert became.keys() == keys | {"opt", "scaler", "epoch", "loss", "batch_size", "world_size", "lr"}
    assert became["predictor.predictor_blocks.0.mlp.fc2.bias"] == "predictor.blocks.0.mlp.2.bias"
    assert became["opt"] is None
    assert "licence: CC0, from us" in capfd.readouterr().out
    assert dispatch(["eval", str(run)]) == 0
    before = iwm_core.load(run, device="cpu").model.student.vit.norm.weight.clone()
    assert dispatch(["resume", str(run)]) == 0
    model = iwm_core.load(run, device="cpu")
    assert model.step == 2
    assert 0 < (model.model.student.vit.norm.weight - before).abs().max() < 0.1


def test_a_licence_that_is_not_told_is_that_of_the_published_weights(tmp_path):
    run = imported(tmp_path, checkpoint(*reference(**SMALL)), "encoder.heads=2")
    told = json.loads((run / "import.json").read_text())
    assert "NC" in told["licence"]
    assert "facebookresearch/ijepa" in told["source"]


MISTAKES = {
    "no heads": ([], "say encoder.heads=N"),
    "heads that do not fit": (["encoder.heads=3"], "divisor"),
    "a width": (["encoder.heads=2", "encoder.width=32"], "the weights decide on encoder.width"),
    "another predictor": (["predictor=feature"], "the weights decide on predictor"),
    "epochs": (["train.epochs=3", "train.steps=null"], "train.steps=N"),
    "a run": (["run=elsewhere"], "without run="),
    "an empty licence": (["licence="], "licence="),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_answered_in_one_line(case, tmp_path):
    words, answer = MISTAKES[case]
    with pytest.raises(UserError, match=answer) as refused:
        imported(tmp_path, checkpoint(*reference(**SMALL)), *words)
    assert len(str(refused.value)) <= 400
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "answer"),
    [([], "say what"), (["ijeppa"], "did you mean ijepa"), (["ijepa"], "FILE RUN"), (["ijepa", "no", "r"], "not there")],
)
def test_words_that_are_missing(words, answer):
    with pytest.raises(UserError, match=answer):
        dispatch(["import", *words])


def test_a_run_that_exists_is_left_alone(tmp_path):
    content = checkpoint(*reference(**SMALL))
    run = imported(tmp_path, content, "encoder.heads=2")
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="exists"):
        imported(tmp_path, content, "encoder.heads=2")
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_where_the_weights_cannot_be_kept_there_is_no_run(tmp_path, monkeypatch):
    def full(folder, *_):
        assert not (tmp_path / "run/config.yaml").exists(), "a kill while weights are written must leave no run"
        (folder / "step_0").mkdir(parents=True)
        raise UserError("cannot write") from OSError(errno.ENOSPC, "No space left on device")

    content = checkpoint(*reference(**SMALL))
    with monkeypatch.context() as patched:
        patched.setattr(import_run, "save_checkpoint", full)
        with pytest.raises(UserError, match=r"cannot keep the weights in .*run: No space left on device; .*, then the same command again"):
            imported(tmp_path, content, "encoder.heads=2")
    assert {path.name for path in (tmp_path / "run").iterdir()} <= LEFT, "what is left is free to take"
    (tmp_path / "run/.draft/checkpoints").mkdir(parents=True)  # as after a kill
    run = imported(tmp_path, content, "encoder.heads=2")
    assert {path.name for path in run.iterdir()} >= {"config.yaml", "import.json", "checkpoints"}
    assert not (run / ".draft").exists()
