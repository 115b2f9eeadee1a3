"""A tuned run, from training to its answers: loaded, it is the trained model to the bit, and ``iwm predict`` says what it says."""

import copy
import csv
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import tiny_plugin
import torch
from iwm_tasks.interfaces import Backbone, Protocol, Task
from iwm_tasks.prediction.options import read_options
from iwm_tasks.prediction.predict import run_predict
from iwm_tasks.tuning.tuned import Tuned
from kit_examples import MeanHead
from torch.nn import functional as F

import iwm_core
from iwm_core import hookimpl
from iwm_core.cli.main import dispatch, guarded
from iwm_core.model.frozen import FrozenModel
from iwm_core.plugins.loader import Plugin, load_plugins

RECIPE = """
defaults:
  - tuning
  - protocol: teacher
  - tasks: [parity]
  - heads: [mean]
  - data: world_model
  - launch: auto
  - _self_
view: {scale: [0.5, 1.0]}
train: {steps: 4, batch_size: 8, checkpoint_every: 2, log_every: 2, resamples: 5, lr: {start: 0.1, peak: 0.1, end: 0.1, warmup: 0}}
launch: {workers: 0, device: cpu}
"""


class TeacherBackbone(Backbone):
    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.width, self.grid = encoder.requires_grad_(False), encoder.width, encoder.grid

    def forward(self, images, task):
        return self.encoder(images)


@dataclass(kw_only=True)
class Teacher(Protocol):
    name = "teacher"

    def build(self, parts, tasks):
        return TeacherBackbone(parts.encoder)


@dataclass(kw_only=True)
class Parity(Task):
    name = "parity"
    main = "accuracy"
    answer_kind = "class"

    def outputs(self, images):
        return images.classes

    def target(self, images, index):
        return torch.tensor(images.label(index))

    def loss(self, output, target):
        return F.cross_entropy(output, target)

    def rows(self, output, target):
        return (output.argmax(1) == target).float()[:, None]

    def metrics(self, rows):
        return {"accuracy": rows.mean().item()}

    def answer(self, output):
        return output.softmax(1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A world model's run, a tuned run of it, and the tuned model as it was in memory after its last step."""
    folder, ends = tmp_path_factory.mktemp("tuned"), []
    (folder / "recipes/tune").mkdir(parents=True)
    (folder / "recipes/tune/teacher.yaml").write_text(RECIPE)
    parity = SimpleNamespace(
        iwm_protocols=hookimpl(lambda: [Teacher]),
        iwm_heads=hookimpl(lambda: [MeanHead]),
        iwm_task_types=hookimpl(lambda: [Parity]),
        iwm_recipe_dirs=hookimpl(lambda: [folder / "recipes"]),
        iwm_train_end=hookimpl(lambda event: ends.append(copy.deepcopy(event.model))),
    )
    load_plugins.cache_clear()
    plugins = load_plugins()
    for name, module in (("tiny", tiny_plugin), ("parity", parity)):
        plugins.plugins.append(Plugin(name, f"{name}-plugin", "0", module))
        plugins.manager.register(module)
    assert dispatch(["train", "recipe=tiny", f"run={folder}/world"]) == 0
    assert dispatch(["tune", f"{folder}/world", "recipe=tune/teacher", f"run={folder}/tuned"]) == 0
    yield str(folder / "world"), str(folder / "tuned"), ends[-1]
    load_plugins.cache_clear()


def pictures():
    return torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
def test_a_loaded_model_answers_as_the_trained_one(runs):
    _, tuned, live = runs
    before = torch.get_rng_state()
    loaded = iwm_core.load(tuned, device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(loaded, Tuned)
    assert loaded.outputs == {"parity": ("even", "odd")}
    assert loaded.step == 4
    with torch.no_grad():
        tokens = live.eval().backbone.encoder(pictures())
        expected = live.heads["parity"].linear(tokens.mean(1)).softmax(1)
    assert torch.equal(loaded.tokens(pictures()), tokens)
    assert torch.equal(loaded.predict(pictures())["parity"], expected)
    assert expected.std() > 0.001, "else equal answers prove nothing"


def test_tuning_left_the_teacher_as_it_was(runs):
    world, tuned, _ = runs
    loaded, source = iwm_core.load(tuned, device="cpu"), iwm_core.load(world, device="cpu")
    assert isinstance(source, FrozenModel)
    assert torch.equal(loaded.tokens(pictures()), source.encode(pictures()))


@pytest.mark.slow
def test_predict_writes_what_the_model_answers(runs, image_folder, capfd):
    tuned = runs[1]
    paths = sorted((image_folder / "train").rglob("*.png"))
    assert guarded(lambda: run_predict(read_options([tuned, str(image_folder / "train"), "device=cpu", "batch=5"]))) == 0
    rows = list(csv.DictReader((Path(tuned) / "predictions/predictions.csv").read_text().splitlines()))
    model = iwm_core.load(tuned, device="cpu")
    answers = model.predict(model.read(paths))["parity"]
    assert [row["file"] for row in rows] == [str(path) for path in paths]
    assert [float(row["parity.odd"]) for row in rows] == pytest.approx(answers[:, 1].tolist(), abs=1e-5)
    assert [row["parity"] for row in rows] == [("even", "odd")[i] for i in answers.argmax(1).tolist()]


def test_a_world_model_is_told_from_a_tuned_one(runs, image_folder, capfd):
    world = runs[0]
    assert guarded(lambda: run_predict(read_options([world, str(image_folder)]))) == 2
    assert capfd.readouterr().err == f"iwm: {world} is a world model; tune it first: iwm tune {world} recipe=tune/predictor\n"
    assert not (Path(world) / "predictions").exists()
