"""Evaluators at work: what they find is written whole, one that cannot measure keeps none from measuring, and they measure in training."""

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from iwm_evals.measuring import evaluate as evaluating
from iwm_evals.measuring.tables import show_table
from PIL import Image

import iwm_core
from iwm_core import hookimpl
from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces import Answer, Chart, Evaluation, Evaluator, Gallery, Metric, NotApplicable, Row, Series, option
from iwm_core.plugins.loader import Plugin
from iwm_core.process.display import PlainDisplay
from iwm_core.recipe.config import Recipe
from iwm_core.run.directory import Run

SEEN: list[list[str]] = []
"""What lies in the run's folder of results whenever `Full` has written a file."""


@dataclasses.dataclass(kw_only=True)
class Full(Evaluator):
    """Gives everything that an evaluator can give."""

    name = "full"

    def evaluate(self, model, data, folder, track):
        torch.rand(3), torch.manual_seed(5)  # the core undoes both
        tokens = model.encode(next(iter(data.batches("validation", 4, 4))).images)
        spread = tokens.std().item()
        picture = folder / "full_own.svg"
        picture.write_text("<svg/>")
        SEEN.append([path.name for path in Path("r/eval").glob("*")])
        curve = Series("a", [0.0, 1.0], [0.5, float("nan")], low=[0.4, 0.4], high=[0.6, 0.6])
        grey, white = torch.full((3, 5, 7), 0.5), torch.ones(3, 5, 5)
        return Evaluation(
            {"spread": Metric(spread, spread, spread, 4).against(chance=Metric(float("inf"), 0.0, 0.0, 4))},
            {"images": 4},
            about={"spread": "how far tokens lie apart"},
            summary="tokens lie apart",
            charts=(Chart("curve", "A curve", "x", "y", "lines", (curve,), "it rises", {"chance": 0.1}),),
            galleries=(Gallery("pair", "Pairs", "of two", ("left", "right"), (Row((grey, white), {"a.b": 0.5}, "good", True),), "look"),),
            pictures=((picture, "nothing"),),
            answer=Answer("alive", True, "Tokens lie apart."),
            better={"spread": "higher"},
        )


@dataclasses.dataclass(kw_only=True)
class Nothing(Evaluator):
    """Never has anything to measure."""

    name = "nothing"

    def evaluate(self, model, data, folder, track):
        raise NotApplicable("this recipe knows no tides")


@dataclasses.dataclass(kw_only=True)
class Unable(Evaluator):
    """Fails in a way that it foresees."""

    name = "unable"
    disk: bool = option(False, "fail as a full disk does")

    def evaluate(self, model, data, folder, track):
        (folder / "unable_half.png").write_bytes(b"half")
        raise OSError(28, "No space left on device") if self.disk else ValueError("latents are not finite; has training diverged?")


@pytest.fixture
def evaluators(tiny):
    module = SimpleNamespace(iwm_evaluators=hookimpl(lambda: [Full, Nothing, Unable]))
    tiny.plugins.append(Plugin("more", "more-plugin", "0", module))
    tiny.manager.register(module)
    return tiny


def train(*words: str) -> int:
    return guarded(lambda: dispatch(["train", "recipe=tiny", "run=r", *words]))


def lines(name: str) -> list[dict]:
    return [json.loads(line) for line in Path("r", name).read_text().splitlines()]


def test_all_that_was_found_is_written(evaluators, capsys):
    assert train("evaluators=[full]") == 0
    found = json.loads(Path("r/eval/full.json").read_text())
    assert found["settings"].pop("measured_with") == {
        "evaluator": {"name": "full"},
        "data": {"name": "noise", "count": 64, "size": 20},
        "image_size": 16,
        "view": {"canvas": None, "source_from": "view"},
    }
    assert sorted(found.pop("files")) == ["full_own.svg", "pair/00_0.png", "pair/00_1.png"], "each with its checksum"
    owned = ("config", "checksum")
    assert {key: value for key, value in found.items() if key not in ("metrics", "charts", "galleries", "pictures", *owned)} == {
        "format": 2,
        "evaluator": "full",
        "step": 6,
        "checkpoint": "step_6",
        "settings": {"images": 4},
        "summary": "tokens lie apart",
        "about": {"spread": "how far tokens lie apart"},
        "answer": {"question": "alive", "yes": True, "evidence": "Tokens lie apart."},
        "better": {"spread": "higher"},
    }
    (read,) = iwm_core.measured("r")
    assert (read.answer, read.better) == (Answer("alive", True, "Tokens lie apart."), {"spread": "higher"})
    assert found["metrics"]["spread"]["value"] > 0
    assert found["metrics"].keys() == {"spread"}, "a control stands beside what it controls"
    assert found["metrics"]["spread"]["controls"]["chance"]["value"] is None, "JSON has no infinity"
    (chart,) = found["charts"]
    assert (chart["levels"], chart["series"][0]["y"], chart["series"][0]["high"]) == ({"chance": 0.1}, [0.5, None], [0.6, 0.6])
    (gallery,) = found["galleries"]
    told = {"numbers": {"a.b": 0.5}, "verdict": "good", "right": True, "title": "", "captions": []}
    assert gallery["rows"] == [{"images": ["pair/00_0.png", "pair/00_1.png"], **told}]
    for file, size, value in zip(gallery["rows"][0]["images"], [(7, 5), (5, 5)], [128, 255], strict=True):
        with Image.open(Path("r/eval") / file) as image:
            assert (image.size, image.getpixel((2, 2))) == (size, (value,) * 3)
    assert found["pictures"] == [{"file": "full_own.svg", "about": "nothing"}]
    out = capsys.readouterr().out
    for file in ("full.json", "pair.png", "full_own.svg"):
        assert f"wrote r/eval/{file}" in out
        assert Path("r/eval", file).is_file()
    assert "tokens lie apart" in out


@pytest.mark.slow
def test_measuring_again_gives_the_same_file_to_the_byte(evaluators):
    assert train("evaluators=[full]") == 0
    first = Path("r/eval/full.json").read_bytes()
    assert dispatch(["eval", "r"]) == 0
    assert Path("r/eval/full.json").read_bytes() == first


def test_an_evaluator_that_has_nothing_to_measure_is_told_and_left_out(evaluators, capsys):
    assert train("evaluators=[nothing,full]") == 0
    assert "nothing to measure for evaluator nothing: this recipe knows no tides" in capsys.readouterr().out
    assert sorted(path.name for path in Path("r/eval").glob("*.json")) == ["full.json"]


@pytest.mark.slow
def test_a_finished_run_is_not_asked_again_where_there_was_nothing_to_measure(evaluators, capsys):
    assert train("evaluators=[nothing,full]") == 0
    capsys.readouterr()
    assert guarded(lambda: dispatch(["resume", "r"])) == 0
    out = capsys.readouterr().out
    assert "nothing to do" in out
    assert "tides" not in out
    assert guarded(lambda: dispatch(["eval", "r", "evaluators=[nothing]"])) == 2, "asked by name, it says why"


def test_nothing_at_all_to_measure_is_the_users_to_mend(evaluators, capsys):
    assert train("evaluators=[nothing]") == 2
    assert "no evaluator of nothing has anything to measure in this run" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("disk", "cause"), [("false", "has training diverged?"), ("true", "No space left on device")])
def test_one_that_cannot_measure_keeps_none_from_measuring(evaluators, capsys, disk, cause):
    assert train("evaluators=[unable,full]", f"evaluators.unable.disk={disk}") == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("iwm: evaluator unable: ")
    assert cause in last
    assert Path("r/eval/full.json").is_file()
    assert not list(Path("r").rglob("unable*")), "what it wrote before it failed is no result"


@pytest.mark.slow
def test_an_evaluators_own_files_are_put_in_place_with_its_result(evaluators):
    SEEN.clear()
    assert train("evaluators=[full]", "evaluators.full.every=2") == 0
    assert SEEN == [[], [], []], "in training, and at its end"
    assert Path("r/eval/full_own.svg").read_text() == "<svg/>"
    Path("mine").write_text("precious")
    Path("r/eval/full_own.svg").unlink()
    Path("r/eval/full_own.svg").symlink_to(Path("mine").absolute())
    assert guarded(lambda: dispatch(["eval", "r"])) == 2
    assert Path("mine").read_text() == "precious"


@pytest.mark.slow
def test_they_measure_in_training_and_change_nothing(evaluators):
    assert train("evaluators=[]") == 0
    Path("r").rename("without")
    assert train("evaluators=[full,nothing]", "evaluators.full.every=2", "evaluators.nothing.every=3") == 0
    found = lines("evaluations.jsonl")
    assert [(line["step"], line["evaluator"]) for line in found] == [(2, "full"), (4, "full")], (
        "the last step is measured from its checkpoint"
    )
    assert found[0]["metrics"]["spread"]["value"] != found[1]["metrics"]["spread"]["value"]
    assert json.loads(Path("r/eval/full.json").read_text())["step"] == 6
    weights = [(Path(run) / "checkpoints/step_6/model.safetensors").read_bytes() for run in ("without", "r")]
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_a_live_model_is_measured_as_its_checkpoint_is(evaluators):
    assert train("evaluators=[full]", "evaluators.full.every=4", "train.keep=9") == 0
    Path("r/checkpoints/step_6").rename("gone")
    assert dispatch(["eval", "r"]) == 0
    assert json.loads(Path("r/eval/full.json").read_text())["step"] == 4
    assert json.loads(Path("r/eval/full.json").read_text())["metrics"]["spread"] == lines("evaluations.jsonl")[0]["metrics"]["spread"]


@pytest.mark.slow
def test_a_resumed_run_has_each_measurement_once(evaluators):
    assert train("evaluators=[full]", "evaluators.full.every=1", "train.keep=9") == 0
    before = lines("evaluations.jsonl")
    Path("r/checkpoints/step_6").rename("gone")
    with Path("r/evaluations.jsonl").open("a") as file:
        file.write('{"step": 5, "evalua')  # cut short by a kill
    assert dispatch(["resume", "r"]) == 0
    assert lines("evaluations.jsonl") == before
    assert [line["step"] for line in before] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("every", ["often", "-1", "2.5"])
def test_how_often_is_checked_before_a_run_begins(evaluators, capsys, every):
    assert train("evaluators=[full]", f"evaluators.full.every='{every}'") == 2
    assert "evaluators.full.every is a duration" in capsys.readouterr().err
    assert not Path("r").exists()


def test_epochs_are_durations_too(evaluators):
    assert train("evaluators=[full]", "evaluators.full.every='0.5 epochs'", "train.batch_size=16") == 0  # 64 images: 4 steps an epoch
    assert [line["step"] for line in lines("evaluations.jsonl")] == [2, 4]


def test_a_failure_in_training_is_told_and_training_goes_on(evaluators, capsys):
    assert train("evaluators=[unable]", "evaluators.unable.every=2") == 2
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if line.startswith("warning: step")] == [
        f"warning: step {step}: evaluator unable: latents are not finite; has training diverged?" for step in (2, 4)
    ]
    assert Path("r/checkpoints/step_6").is_dir()


def test_a_set_of_evaluators_has_a_name(evaluators, tmp_path):
    folder = tmp_path / "recipes"
    (folder / "evaluators").mkdir(parents=True)
    (folder / "evaluators" / "both.yaml").write_text("# @package _global_\ndefaults:\n  - nothing\n  - full\n")
    module = SimpleNamespace(iwm_recipe_dirs=hookimpl(lambda: [folder]))
    evaluators.plugins.append(Plugin("sets", "sets-plugin", "0", module))
    evaluators.manager.register(module)
    assert train("evaluators=[both]", "evaluators.full.every=3") == 0
    assert [line["step"] for line in lines("evaluations.jsonl")] == [3]
    Path("r/eval/full.json").unlink()
    assert dispatch(["eval", "r", "evaluators=[both]"]) == 0
    assert Path("r/eval/full.json").is_file()


def test_a_recipe_that_includes_itself_is_named(evaluators, tmp_path, capsys):
    folder = tmp_path / "recipes"
    (folder / "evaluators").mkdir(parents=True)
    (folder / "evaluators" / "loop.yaml").write_text("# @package _global_\ndefaults:\n  - /evaluators: [full]\n")
    module = SimpleNamespace(iwm_recipe_dirs=hookimpl(lambda: [folder]))
    evaluators.plugins.append(Plugin("sets", "sets-plugin", "0", module))
    evaluators.manager.register(module)
    assert train("evaluators=[loop]") == 2
    assert "includes itself" in capsys.readouterr().err


def test_a_table_shows_each_control_beside_its_measure(capsys):
    exact = Metric.constant(0.5, 3)
    metrics = {
        "mrr": Metric(0.8, 0.7, 0.9, 64).against(chance=exact),
        "mrr.jitter.a_long_enough_name_of_a_number": exact,
        "size_chance": exact,
        "spread": Metric(1.0, 1.0, 1.0, 3).against(null=Metric(0.25, 0.25, 0.25, 3)),
        "one": Metric(1.0, -math.inf, math.inf, 1),
    }
    show_table(PlainDisplay(), "mrr at step 6", metrics)
    assert capsys.readouterr().out.splitlines() == [
        "mrr at step 6",
        "metric                                     value  95 % interval  chance   null  images",
        "mrr                                        0.800  0.700 – 0.900   0.500             64",
        "mrr.jitter.a_long_enough_name_of_a_number  0.500          exact                      3",
        "size_chance                                0.500          exact                      3",  # a metric, whatever it is called
        "spread                                     1.000  1.000 – 1.000          0.250       3",  # images may agree by chance
        "one                                        1.000                                     1",
    ]


def test_what_is_to_be_known_of_validation_is_told_by_eval_and_not_again_after_training(monkeypatch):
    class Enough(Exception):
        pass

    def enough(*_):
        raise Enough

    data = SimpleNamespace(split=lambda name: SimpleNamespace(images=SimpleNamespace(notes=(f"a note of {name}",))))
    monkeypatch.setattr(evaluating, "load_world_model", lambda *_: SimpleNamespace(device="cpu"))
    monkeypatch.setattr(evaluating, "data_of", lambda *_: data)
    monkeypatch.setattr(evaluating, "placing", enough)
    recipe, run, display = Recipe.__new__(Recipe), Run.__new__(Run), PlainDisplay.__new__(PlainDisplay)
    vars(recipe)["launch"], vars(run)["path"] = SimpleNamespace(device="cpu"), Path("r")
    for own, expected in (None, []), (recipe, ["a note of validation"]):
        told = []
        monkeypatch.setattr(PlainDisplay, "warn", lambda _, text, told=told: told.append(text))
        with pytest.raises(Enough):
            evaluating.evaluate(run, recipe, display, own=own)
        assert told == expected
