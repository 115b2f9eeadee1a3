"""`iwm_core.train`: a dataset in Python trains the same bits as a folder of the same images, and a run that goes on is given it again."""

import inspect
import signal
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from iwm_data import python
from iwm_interop.python.training import words_of
from iwm_report.displays import NotebookDisplay
from one_line import assert_one_line
from PIL import Image
from safetensors.torch import load_file
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset

import iwm_core
from iwm_core import hookimpl
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.display import PlainDisplay, make_display
from iwm_core.recipe.overrides import parse

BYTES = torch.randint(0, 256, (24, 3, 20, 22), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))


def weights(run):
    return load_file(run / "checkpoints" / (run / "checkpoints/latest").read_text() / "model.safetensors")


def assert_same(one, other):
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


def written(folder, images):
    """The images as files of one class."""
    for number, image in enumerate(images):
        (folder / "a").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"a/{number:03}.png")
    return folder


@pytest.mark.slow
def test_a_dataset_trains_what_a_folder_of_its_images_does(tiny, tmp_path):
    written(tmp_path / "images/train", BYTES), written(tmp_path / "images/validation", BYTES[:4])
    folder = iwm_core.train("tiny", data=tmp_path / "images")
    pairs = [(Image.fromarray(image.permute(1, 2, 0).numpy()), 0) for image in BYTES]
    kinds = [pairs, TensorDataset(BYTES), list(BYTES / 255), BYTES.permute(0, 2, 3, 1).numpy()]
    for workers, dataset in enumerate(kinds):
        data = {"train": dataset, "validation": Subset(dataset, range(4))}
        model = iwm_core.train("tiny", data, {"launch.workers": workers % 2})
        assert_same(folder.run, model.run)
    assert torch.equal(model.encode(BYTES[:2, :, 2:18, 2:18] / 255), folder.encode(BYTES[:2, :, 2:18, 2:18] / 255))
    assert python.here == {}
    config = (model.run / "config.yaml").read_text()
    assert "what: ndarray of 24 for train and Subset of 4 for validation" in config


@pytest.mark.slow
def test_an_interrupted_run_goes_on_with_its_data_alone(tiny, iwm):
    data = TensorDataset(BYTES, torch.arange(24) % 3)
    whole = iwm_core.train("tiny", data=data)
    stops = [3]
    plugin = SimpleNamespace(iwm_step_end=hookimpl(lambda event: event.step in stops and signal.raise_signal(signal.SIGINT)))
    tiny.manager.register(plugin)
    with pytest.raises(KeyboardInterrupt, match=r"stopped at step 3 of 6 .*go on with iwm_core.train\(resume='runs/tiny-2', data=…\)"):
        iwm_core.train("tiny", data=data)
    stops.clear()
    assert python.here == {}
    for words in (["resume", "runs/tiny-2"], ["eval", "runs/tiny-2", "evaluators=[health]"]):
        assert_one_line(iwm(*words), "TensorDataset of 24", "iwm_core.train(resume=RUN, data=DATASET)")
    with pytest.raises(UserError, match=r"iwm_core.train\(resume=RUN, data=DATASET\)"):
        iwm_core.train(resume="runs/tiny-2")
    with pytest.raises(UserError, match=r"began with \d+ training images, and now there are"):
        iwm_core.train(resume="runs/tiny-2", data=TensorDataset(BYTES[:12]))
    model = iwm_core.train(resume="runs/tiny-2", data=data, overrides={"launch.accumulate": 1})
    assert model.step == 6
    assert_same(whole.run, model.run)
    assert iwm_core.load("runs/tiny-2").step == 6, "to be used, a run needs no data"


class Torn(list):
    """A dataset whose code fails, and one of whose files is missing."""

    def __getitem__(self, index):
        if index == 5:
            raise FileNotFoundError(2, "No such file or directory", "5.png")
        if index == 7 and self.broken:
            raise ZeroDivisionError("my own fault")
        return super().__getitem__(index)


@pytest.mark.slow
def test_a_file_that_is_missing_is_left_out_and_a_fault_of_ones_own_code_is_shown(tiny, capsys):
    data = Torn(BYTES)
    data.broken = False
    iwm_core.train("tiny", data={"train": data, "validation": data}, overrides={"data.max_corrupt": 0.1})
    assert "train[5] (cannot be read: [Errno 2] No such file or directory: '5.png')" in capsys.readouterr().err
    data.broken = True
    with pytest.raises(ZeroDivisionError, match="my own fault"):
        iwm_core.train("tiny", data={"train": data, "validation": data}, overrides={"data.max_corrupt": 0.1})
    assert python.here == {}


class Endless(IterableDataset):
    def __iter__(self):
        return iter(BYTES)


class Unlabelled(list):
    classes = ("a", "b")


def asked(**words):
    """What is asked for, by its names."""
    return words


WRONG = {
    "neither": (asked(), r"iwm_core.train\(\"quickstart\"\)"),
    "both": (asked(recipe="tiny", resume="runs/tiny"), "a recipe or a run"),
    "of no kind": (asked(recipe=5), "a recipe or a run"),
    "settings of no kind": (asked(recipe="tiny", data=BYTES, overrides=5), "hold a int"),
    "no such device": (asked(recipe="tiny", data=BYTES, device="gpu9"), "gpu9"),
    "no such recipe": (asked(recipe="tinny"), "did you mean"),
    "a recipe that tunes": (asked(recipe="tune/predictor"), "iwm tune"),
    "no dataset": (asked(recipe="tiny", data=3), "without a length and items"),
    "endless": (asked(recipe="tiny", data=Endless()), "map-style dataset"),
    "a loader": (asked(recipe="tiny", data=DataLoader(TensorDataset(BYTES))), "loader.dataset"),
    "empty": (asked(recipe="tiny", data=[]), "is empty"),
    "no split": (asked(recipe="tiny", data={"first": BYTES}), r'write \{"train"'),
    "two that may be one": (asked(recipe="tiny", data={"train": BYTES, "training": BYTES}), "may both be the train split"),
    "normalised": (asked(recipe="tiny", data=list(BYTES / 64 - 2)), "undo its normalisation"),
    "of 255": (asked(recipe="tiny", data=list(BYTES.float())), "divide by 255"),
    "channels last": (asked(recipe="tiny", data=BYTES.permute(0, 2, 3, 1)), r"permute\(2, 0, 1\)"),
    "words": (asked(recipe="tiny", data=["a", "b"]), "batch_size=8 is larger than the 1 training images|leaves no image|larger than the 2"),
    "numbers": (asked(recipe="tiny", data=[1, 2]), "got a int"),
    "rows without an image": (asked(recipe="tiny", data=[{"x": 1}]), "call it image"),
    "a folder that is not there": (asked(recipe="tiny", data="nowhere"), "there is no folder nowhere"),
    "too few": (asked(recipe="tiny", data=BYTES[:4]), "train.batch_size=8 is larger"),
    "an unknown key": (asked(recipe="tiny", data=BYTES, overrides={"train.step": 3}), "did you mean"),
    "a value of no kind": (asked(recipe="tiny", data=BYTES, overrides={"train.steps": object()}), "train.steps is a object"),
    "words of no kind": (asked(recipe="tiny", data=BYTES, overrides=[3]), "hold a int"),
    "several processes": (asked(recipe="tiny", data=BYTES, overrides={"launch.processes": 3}), "divisible by 3"),
    "a label too high": (asked(recipe="tiny", data=Unlabelled((image, 9) for image in BYTES), overrides={"evaluators": ["knn"]}), "knn"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_inputs_get_one_clear_line_and_make_no_run(tiny, tmp_path, wrong):
    given, words = WRONG[wrong]
    with pytest.raises(UserError, match=words) as told:
        inspect.unwrap(iwm_core.train)(**given)  # past the tests' own check of types
    assert len(str(told.value).splitlines()) == 1
    assert len(str(told.value)) <= 400
    assert list(tmp_path.iterdir()) == []
    assert python.here == {}


def test_overrides_in_python_mean_what_they_say():
    given = {
        **{
            "a": "it's a \\ test, with [signs]=${x}",
            "b": 3,
            "c": 1e-5,
            "d": True,
            "e": None,
            "f": ["x", 2.5, None],
            "g": {"h": "2 epochs"},
        },
        **{"train.steps": 7, "actions": ("jitter", "blur"), "evaluators": []},
    }
    read = {override.key_or_group: override.value() for override in parse(words_of(given))}
    assert read == given | {"actions": ["jitter", "blur"]}
    assert words_of("train.steps=3") == ["train.steps=3"]


class Line:
    """What IPython gives for a place in a cell's output."""

    def __init__(self):
        self.texts = []

    def update(self, content, raw):
        self.texts.append(content["text/plain"])


def test_in_a_notebook_progress_changes_in_its_place(monkeypatch, capsys):
    shown = []

    def show(content, raw, display_id):
        shown.append(Line())
        shown[-1].texts.append(content["text/plain"])
        return shown[-1]

    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1), display=SimpleNamespace(display=show))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setattr(time, "perf_counter", iter(range(10**6)).__next__)
    made = make_display()
    assert isinstance(made, NotebookDisplay)
    made.say("runs/x")
    line = {"loss": 0.5, "images_per_s": 100.0, "data_wait": 0.0}
    for step in made.steps(0, 3, "training"):
        made.logged(step + 1, line)
        assert list(made.track("ab", "measuring", 2)) == ["a", "b"]
    assert capsys.readouterr().out == "runs/x\n"
    assert [one.texts[-1].split("  ")[0] for one in shown] == ["training: 3 of 3", "measuring: 2 of 2"]
    assert "loss 0.5000" in shown[0].texts[-1]
    assert len(shown[0].texts) == 4


def test_without_one_plugin_that_shows_progress_there_are_plain_lines(monkeypatch):
    class Shows:
        display = staticmethod(NotebookDisplay)

    for modules in ([], [Shows, Shows]):
        monkeypatch.setattr(load_plugins(), "modules", lambda hook, modules=modules: modules)
        assert type(make_display()) is PlainDisplay
