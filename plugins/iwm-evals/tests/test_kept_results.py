"""Results are kept by their settings: what the recipe measured is never replaced by, taken for, or ranked against what others did."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from iwm_evals.measuring.evaluate import usual_settings
from iwm_evals.measuring.scorecard import place_of
from iwm_evals.measuring.settings import against, alike, digest, otherwise, plain, settings_of
from omegaconf import OmegaConf
from PIL import Image
from report_page import report
from report_runs import config, make_run, metric

import iwm_core
from iwm_core import hookimpl
from iwm_core.cli.main import dispatch
from iwm_core.interfaces import Chart, Evaluation, Evaluator, Gallery, Metric, NotApplicable, Row, Series
from iwm_core.interfaces.component import option
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import Plugin, load_plugins
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw

SETTINGS = {
    "evaluator": {"name": "mrr", "bank": 64, "lrs": [0.1, 1.0]},
    "data": {"name": "noise"},
    "image_size": 16,
    "view": {"canvas": None},
}

words = st.text(max_size=3)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
nested = st.recursive(values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6)
mappings = st.dictionaries(words, nested, max_size=3)


def shuffled(content, random):
    """The same mapping with its keys in another order, all the way down."""
    if isinstance(content, list):
        return [shuffled(one, random) for one in content]
    if not isinstance(content, dict):
        return content
    keys = list(content)
    random.shuffle(keys)
    return {key: shuffled(content[key], random) for key in keys}


@settings(max_examples=100, deadline=None)
@given(mappings, mappings, st.randoms(use_true_random=False))
def test_two_settings_never_share_a_file_and_the_order_of_keys_is_no_setting(one, other, random):
    assert digest(shuffled(one, random)) == digest(one)
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) == same
    assert (place_of(Path("eval"), "mrr", one, other).file == Path("eval/mrr.json")) == same


@pytest.mark.slow
def test_a_digest_is_the_same_in_every_process():
    code = f"from iwm_evals.measuring.settings import digest; print(digest({SETTINGS!r}))"
    ran = [subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True) for seed in "12"]
    assert [one.stdout.strip() for one in ran] == [digest(SETTINGS)] * 2 == ["c68295d6a15eb77e"] * 2, ran[0].stderr


def test_what_differs_is_said_by_key():
    data = {"name": "folder", "path": "x"}
    other = SETTINGS | {"evaluator": {"name": "mrr", "bank": 16, "lrs": [0.1]}, "data": data}
    assert otherwise(other, SETTINGS) == {"bank": "16", "lrs": "[0.1]", "data.name": "folder"}
    assert against([SETTINGS, SETTINGS]) == ""
    told = "bank 64 against 16; lrs [0.1, 1] against [0.1]; data.name noise against folder; data.path not there against x"
    assert against([SETTINGS, SETTINGS, other]) == told
    assert alike(SETTINGS, SETTINGS | {"evaluator": SETTINGS["evaluator"] | {"new": 1}}), "an option that came with a later version"
    assert not alike(SETTINGS, other)


def other_value(field, value):
    """Another value that an option may have."""
    low, high, choices = (field.metadata.get(key) for key in ("low", "high", "choices"))
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        near = [value + 1, value - 1, value / 2, value * 2]
        return next(type(value)(v) for v in near if v != value and (low is None or v >= low) and (high is None or v <= high))
    if isinstance(value, list) and len(value) > 1:
        return value[:-1]
    if isinstance(value, list):
        return [other_value(field, value[0])]
    return next(choice for choice in choices or ("linear", "attentive") if choice != value)


def test_any_one_setting_of_any_installed_evaluator_is_kept_apart():
    """Whatever option is changed, alone, it has a file of its own; ``every``, which changes no value, has not."""
    names = list(load_plugins().entries("evaluator"))
    assert {"mrr", "probe", "attentive", "health"} <= set(names)
    for name in names:
        cls = load_plugins().component("evaluator", name)
        usual = {"name": name, **dataclasses.asdict(cls())}
        recipe = {"evaluators": {name: usual}, "data": {"name": "noise", "cache": "ram"}, "image_size": 8}
        changed = {f.name: other_value(f, usual[f.name]) for f in dataclasses.fields(cls) if f.name != "every"}
        assert changed, name
        files = {
            place_of(
                Path("eval"), name, settings_of(recipe | {"evaluators": {name: usual | {key: value}}}, name), settings_of(recipe, name)
            )
            for key, value in changed.items()
        }
        assert len({place.file for place in files}) == len(changed), f"{name}: {changed}"
        assert not any(place.own for place in files), name
        told = settings_of(recipe | {"evaluators": {name: usual | {"every": "7"}}, "data": {"name": "noise"}}, name)
        assert place_of(Path("eval"), name, told, settings_of(recipe, name)).own


@dataclasses.dataclass(kw_only=True)
class Dial(Evaluator):
    """Finds what it is set to, and shows it."""

    name = "dial"
    at: int = option(1, "a number")
    pair: list[int] = option([1, 2], "numbers")
    word: str = option("a", "a word")
    nothing: bool = option(False, "find nothing to measure")

    def evaluate(self, model, data, folder, track):
        if self.nothing:
            raise NotApplicable("it is told so")
        image = torch.full((3, 4, 4), self.at / 10)
        picture = folder / "dial_own.png"
        Image.new("RGB", (8, 8), (self.at, 0, 0)).save(picture)
        found = Metric(self.at, self.at, self.at, data.count("validation"))
        return Evaluation(
            {"dial": found.against(chance=found), "dial_random": found},
            {"at": self.at},
            about={"dial": "what it is set to", "dial_random": "a measure of its own"},
            summary=f"it is at {self.at}",
            charts=(Chart("curve", "A curve", "x", "y", "lines", (Series("a", [0, 1], [0.0, self.at]),), "it rises"),),
            galleries=(Gallery("dial", "Dials", "", ("dial",), (Row((image,)),), "look"),),
            pictures=((picture, "a dial"),),
        )


@pytest.fixture
def dial(tiny, iwm, kept):
    module = SimpleNamespace(iwm_evaluators=hookimpl(lambda: [Dial]))
    tiny.plugins.append(Plugin("dial", "dial-plugin", "0", module))
    tiny.manager.register(module)
    kept("train", "recipe=tiny", "evaluators=[dial]", "run=r")
    return iwm


def files(folder="r/eval"):
    """All files but the locks, which name their last holder."""
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file() and path.name not in (".lock", ".placing")}


def content(path):
    """A record, without its checksum, so that tests may change it."""
    return {key: value for key, value in json.loads(Path(path).read_text()).items() if key != "checksum"}


@pytest.mark.parametrize("word", ["evaluators.dial.at=2", "evaluators.dial.pair=[2,1]", "evaluators.dial.word=b", "data.count=32"])
def test_other_settings_leave_the_recipes_result_and_pictures_as_they_are(dial, capsys, word):
    before = files("r")
    assert len([path for path in before if "eval" in path.parts]) == 4, "numbers, gallery, tile, picture"
    assert dial("eval", "r", word) == (0, "")
    assert {path: found for path, found in files("r").items() if path in before} == before
    (other,) = Path("r/eval/dial").glob("*.json")
    folder = other.with_suffix("")
    assert {path.relative_to(folder).as_posix() for path in files(folder)} == {"dial.png", "dial/00_0.png", "dial_own.png"}
    named = content(other)
    assert [*named["galleries"][0]["rows"][0]["images"], named["pictures"][0]["file"]] == [
        f"{folder.name}/dial/00_0.png",
        f"{folder.name}/dial_own.png",
    ]
    assert set(files("r")) - set(before) == {other, *files(folder)}
    again = files("r")
    assert dial("eval", "r", word) == dial("eval", "r") == (0, "")
    assert files("r") == again, "the same settings measure the same into the same place"


@pytest.mark.slow
def test_it_is_said_what_is_the_recipes(dial, capsys):
    assert dispatch(["eval", "r", "evaluators.dial.at=2"]) == 0
    out = capsys.readouterr().out
    (other,) = Path("r/eval/dial").glob("*.json")
    assert "dial at step 6, measured otherwise: at=2" in out
    assert f"wrote {other}" in out
    assert "measured with at=2: kept apart; what the recipe's own settings measure, r/eval/dial.json, is as it was" in out
    own, apart = iwm_core.measured("r")
    assert (own.own, own.differing, own.metrics["dial"].value) == (True, "", 1.0)
    assert (apart.own, apart.differing, apart.metrics["dial"].value) == (False, "at=2", 2.0)
    page = report("r")
    assert "measured otherwise: at=2 (step 6)" in page.text
    assert page.row("dial", table=0)[1] == "1.000"
    assert page.row("dial", table=2)[1] == "2.00"


def test_what_a_recipe_lacks_is_measured_by_its_name(dial, capsys):
    assert dispatch(["eval", "r", "evaluators=[health]", "evaluators.health.images=3"]) == 0
    out = capsys.readouterr().out
    (line,) = (line for line in out.splitlines() if "kept apart" in line)
    assert line.endswith('kept apart; what the recipe\'s own settings measure, is not measured yet: iwm eval r "evaluators=[health]"')
    assert dial("eval", "r", "evaluators=[health]") == (0, "")
    assert Path("r/eval/health.json").exists()


def test_a_newer_checkpoint_replaces_the_same_settings_alone(dial):
    assert dial("eval", "r", "evaluators.dial.at=2") == (0, "")
    (other,) = Path("r/eval/dial").glob("*.json")
    for path in (other, Path("r/eval/dial.json")):
        path.write_text(json.dumps(content(path) | {"step": 4}))
    assert dial("eval", "r", "evaluators.dial.at=3") == (0, "")
    assert [content(path)["step"] for path in (other, Path("r/eval/dial.json"))] == [4, 4]
    assert dial("eval", "r", "evaluators.dial.at=2") == (0, "")
    assert [content(path)["step"] for path in (other, Path("r/eval/dial.json"))] == [6, 4]
    assert dial("resume", "r") == (0, ""), "what other settings measured is not what the recipe asks for"
    assert content("r/eval/dial.json")["step"] == 6


@pytest.mark.slow
def test_an_older_checkpoint_is_measured_beside_the_newest(dial, capsys):
    assert dial("train", "recipe=tiny", "evaluators=[dial]", "train.checkpoint_every=2", "run=r2") == (0, "")
    before = content("r2/eval/dial.json")
    assert dial("eval", "r2", "checkpoint=step_6") == (0, ""), "the newest, by its name"
    assert not list(Path("r2/eval/dial").glob("*.json"))
    assert dispatch(["eval", "r2", "checkpoint=step_4"]) == 0
    assert "measured with checkpoint=step_4: kept apart" in capsys.readouterr().out
    assert content("r2/eval/dial.json") == before
    (other,) = Path("r2/eval/dial").glob("*.json")
    assert (content(other)["checkpoint"], content(other)["step"]) == ("step_4", 4)
    assert [one.differing for one in iwm_core.measured("r2")] == ["", "checkpoint=step_4"]
    assert "measured otherwise: checkpoint=step_4" in report("r2").text


def test_nothing_to_measure_with_other_settings_says_nothing_of_the_recipes(dial):
    Path("r/eval/dial.json").unlink()
    assert dial("eval", "r", "evaluators.dial.nothing=true")[0] == 2
    assert not Path("r/not_applicable.json").exists()
    assert not Path("r/eval/dial").exists() or not list(Path("r/eval/dial").rglob("*.json"))
    assert dial("resume", "r") == (0, "")
    assert content("r/eval/dial.json")["step"] == 6


@pytest.mark.slow
def test_an_evaluator_that_the_recipe_lacks_has_its_defaults_as_its_own(dial):
    assert dial("train", "recipe=tiny", "evaluators=[]", "run=r2") == (0, "")
    assert dial("eval", "r2", "evaluators=[dial]", "evaluators.dial.at=5") == (0, "")
    assert not Path("r2/eval/dial.json").exists()
    assert dial("eval", "r2", "evaluators=[dial]") == (0, "")
    assert content("r2/eval/dial.json")["metrics"]["dial"]["value"] == 1
    assert [one.metrics["dial"].value for one in iwm_core.measured("r2")] == [1, 5]
    assert "its recipe does not have dial, which was measured with its default settings" in report("r2").text
    assert "its recipe does not have" not in report("r").text


@pytest.mark.slow
def test_images_that_have_moved_are_the_recipes_to_resume_and_others_to_eval(dial):
    Path("r/eval/dial.json").unlink()
    assert dial("eval", "r", "data.size=21") == (0, "")
    assert not Path("r/eval/dial.json").exists()
    assert dial("resume", "r", "data.size=21") == (0, "")
    assert content("r/eval/dial.json")["settings"]["measured_with"]["data"]["size"] == 21
    before = files()
    assert dial("resume", "r") == (0, "")
    assert files() == before
    assert "r: measured with data.size=21, which differs from its recipe" in report("r").text


@pytest.mark.slow
def test_a_metric_that_is_called_as_a_control_is_a_metric(dial):
    found = content("r/eval/dial.json")["metrics"]
    assert found.keys() == {"dial", "dial_random"}
    assert found["dial"]["controls"].keys() == {"chance"}
    page = report("r")
    assert page.row("dial_random", table=1)[1] == "1.000"
    assert "random" not in page.tables[0][0]


OLD = {
    "evaluator": "dial",
    "step": 6,
    "checkpoint": "step_6",
    "metrics": {"dial": metric(0.95, 0.9, 1.0), "dial_chance": metric(0.2), "dial.part_shuffled": metric(0.1)},
    "settings": {"at": 16, "images": 8},
    "summary": "as an earlier version wrote it",
    "about": {"dial": "what it is set to"},
    "charts": [],
    "galleries": [],
    "pictures": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["resume", "eval"])
def test_a_result_of_the_old_format_is_read_measured_anew_and_kept(dial, verb):
    Path("r/eval/dial.json").write_text(json.dumps(OLD))
    (found,) = iwm_core.measured("r")
    assert (found.own, found.old, found.differing) == (True, True, "at=16")
    assert found.metrics["dial"].controls["chance"].value == 0.2
    page = report("r")
    assert page.row("dial", table=0)[1:3] == ["0.950", "0.900 to 1.000"]
    assert dial(verb, "r") == (0, "")
    assert content("r/eval/dial.json")["format"] == 2
    assert content("r/eval/dial.json")["metrics"]["dial"]["value"] == 1
    (kept,) = Path("r/eval/dial").glob("*.json")
    assert content(kept) == OLD
    page = report("r")
    assert page.row("dial", table=0)[1] == "1.000"
    assert "measured otherwise: at=16 (step 6, by an earlier version)" in page.text
    assert page.row("dial", table=2)[1] == "0.950"
    before = files()
    assert dial("resume", "r") == (0, "")
    assert files() == before


def test_a_newer_format_is_refused_by_name(dial):
    Path("r/eval/dial.json").write_text(json.dumps(OLD | {"format": 3}))
    assert "r/eval/dial.json was made by a newer iwm (format 3; this one reads up to 2) and is left out" in report("r").text


def rank_of(path, bank=64, chance=0.016, n=64, step=6, data="noise", **more):
    """A run as `make_run` makes it, its result in the form of today."""
    whole = config(evaluators={"rank": {"name": "rank", "bank": bank}}, data={"name": data}, image_size=16, run=str(path))
    path = make_run(path, settings=whole, charts=("curve",), logs=False, **more)
    kept = content(path / "eval/rank.json")
    numbers = {
        "hit": metric(kept["metrics"]["hit"]["value"], kept["metrics"]["hit"]["low"], kept["metrics"]["hit"]["high"], n)
        | {"controls": {"chance": metric(chance)}}
    }
    asked = {"measured_with": settings_of(whole, "rank"), "bank": bank}
    (path / "eval/rank.json").write_text(json.dumps(kept | {"format": 2, "metrics": numbers, "settings": asked, "step": step}))
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bank": 16}, "bank 64 against 16: not comparable, so that no run is marked"),
        ({"data": "folder"}, "data.name noise against folder: not comparable, so that no run is marked"),
        ({"chance": 0.5}, "hit: chance 0.016 against 0.500: not comparable, so that no run is marked"),
    ],
)
def test_what_was_measured_otherwise_is_not_ranked(here, change, reason):
    page = report(rank_of("a", best=0.9), rank_of("b", best=0.2, **change), out="x.html")
    assert "▲" not in "".join(cell for table in page.tables for row in table for cell in row)
    assert page.text.count(reason) == 2, "at a glance, and with the evaluator"
    labels = [a["aria-label"] for a in page.each("div") if a.get("class") == "plot"]
    assert sum("Chart of curve" in label for label in labels) == 2, "they are not drawn into one chart"


def test_three_runs_of_different_settings_and_data_are_not_ranked(here):
    runs = [rank_of("a", best=0.9), rank_of("b", best=0.2, bank=16), rank_of("c", best=0.5, data="folder")]
    page = report(*runs, out="x.html")
    assert not {"▲", "▼"} & {*"".join(cell for table in page.tables for row in table for cell in row)}
    for reason in ("bank 64 against 16", "data.name noise against folder"):
        assert page.text.count(f"{reason}") == 2, "at a glance, and with the evaluator"


def test_old_and_new_results_are_not_ranked(here):
    page = report(rank_of("a", best=0.9), make_run("b", best=0.2, charts=(), logs=False), out="x.html")
    assert "▲" not in "".join(cell for table in page.tables for row in table for cell in row)
    assert "an earlier version, which did not keep its settings, measured some of them" in page.text


def test_other_numbers_of_images_and_steps_are_compared_and_said(here):
    page = report(rank_of("a", best=0.9), rank_of("b", best=0.2, n=32, step=4), out="x.html")
    assert page.row("hit", table=0)[1].startswith("0.900 ▲")
    assert "64 and 32 images" in page.text
    assert "measured at different steps: 6 and 4" in page.text


def test_usual_settings_are_those_of_the_recipe_or_the_defaults(dial):
    from iwm_core.recipe.thaw import thaw
    from iwm_core.run.directory import Run

    recipe = thaw(Run.open("r").config())
    assert (
        usual_settings(recipe, "dial", Dial(at=7))
        == settings_of(plain(recipe), "dial")
        == settings_of(Run.open("r").plain_config(), "dial")
    )


def test_configs_of_before_may_have_an_option_that_is_gone():
    """Runs of earlier versions froze `resamples`, which nothing has used since intervals are in closed form."""
    config = compose("quickstart", ["evaluators=[scorecard]"])[0]
    now = thaw(config)
    for node in config.evaluators.values():
        OmegaConf.update(node, "resamples", 1000, force_add=True)
    retired = {name for name, one in now.evaluators.items() if "resamples" in one.retired}
    assert retired >= {"mrr", "error", "undo", "dose", "compose", "planning"}
    for name in now.evaluators.keys() - retired:
        del config.evaluators[name].resamples
    assert thaw(config).evaluators == now.evaluators
    config.evaluators.mrr.resample = 1000
    with pytest.raises(UserError, match=r"unknown key 'evaluators\.mrr\.resample'"):
        thaw(config)
