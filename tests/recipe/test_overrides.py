"""Overrides do what they say, in one recipe, in a sweep, and in the evaluation of a run."""

import dataclasses
import json
import re
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iwm_cluster.children import Children, python
from iwm_devkit.advice.own_settings import check_settings, keys_below
from iwm_evals.measuring.settings import digest, plain, settings_of
from iwm_tasks.comparison.anchored import anchor_words
from omegaconf import OmegaConf
from places import FURNITURE

from iwm_core import hookimpl
from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces import Evaluation, Evaluator, Metric, option
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import schemas
from iwm_core.plugins.loader import Plugin
from iwm_core.recipe.compose import compose
from iwm_core.recipe.overrides import ON_RESUME, parse, quoted
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import Run
from iwm_core.run.new_run import new_run
from iwm_core.training.change import change


@pytest.mark.slow
def test_options_of_a_replaced_component_are_left_out_with_a_note(tiny, capsys):
    config, notes = compose("tiny", ["predictor=identity"])
    assert OmegaConf.to_container(config.predictor) == {"name": "identity"}
    assert notes == ["predictor=identity has no 'depth', 'width', 'heads': the recipe's values are left out"]
    assert dispatch(["show", "recipe=tiny", "predictor=identity"]) == 0
    assert capsys.readouterr().err.count("iwm: note: predictor=identity has no") == 1
    assert compose("tiny", [])[1] == []
    assert compose("tiny", ["predictor=feature"])[1] == [], "one that knows the same options keeps them"
    with pytest.raises(UserError, match="depth"):
        thaw(compose("tiny", ["predictor=identity", "predictor.depth=3"])[0])


def test_no_actions_drops_the_recipes_options_of_them(tiny):
    assert "jitter" in compose("quickstart", [])[0].actions
    config, _ = compose("quickstart", ["actions=[]"])
    assert config.actions == {}
    assert thaw(config).actions == {}


def test_an_option_of_an_action_that_is_not_chosen_is_an_error(tiny):
    """What the user writes is never left out in silence, also where the recipe sets an option of that action."""
    for overrides in (["actions=[]", "actions.jitter.hue=0.1"], ["actions=[blur]", "actions.jitter.hue=0.1"]):
        with pytest.raises(UserError, match="jitter"):
            thaw(compose("quickstart", overrides)[0])


@pytest.mark.parametrize(
    ("overrides", "order"),
    [
        ([], ["jitter", "grayscale", "blur", "solarize"]),
        (["actions=[solarize,jitter,blur]"], ["solarize", "jitter", "blur"]),
        (["actions=[gain,solarize,jitter]", "actions.solarize.p=0.3"], ["gain", "solarize", "jitter"]),
    ],
)
def test_actions_are_in_the_order_they_are_named(tiny, overrides, order):
    recipe = thaw(OmegaConf.create(OmegaConf.to_yaml(compose("quickstart", overrides)[0])))
    assert list(recipe.actions) == order
    assert recipe.actions["jitter"].brightness == 0.6, "the recipe's option stays"


# --- sweep


@pytest.fixture
def jobs(monkeypatch):
    done = []

    class Recorded(Children):
        def start(self, command, **_):
            done.append(command)

        def statuses(self):
            return [3 if "train.seed=7" in done[-1] else 0]

    monkeypatch.setattr("iwm_cluster.jobs.Children", Recorded)
    return done


@pytest.mark.slow
def test_a_sweep_runs_each_job_in_a_process_of_its_own(tiny, jobs):
    words = ["train", "-m", "recipe=tiny", "train.seed=0,1", "predictor=shift,identity", "train.lr.peak=2e-3"]
    assert guarded(lambda: dispatch(words)) == 0
    assert all(job[:6] == [*python("iwm_core.cli"), "train", "recipe=tiny"] for job in jobs)
    pairs = [(s, p) for s in ("train.seed=0", "train.seed=1") for p in ("predictor=shift", "predictor=identity")]
    named = [f"runs/tiny-seed-{s}-predictor-{p}" for s in (0, 1) for p in ("shift", "identity")]
    assert [job[6:] for job in jobs] == [[*pair, "train.lr.peak=2e-3", f"run='{name}'"] for pair, name in zip(pairs, named, strict=True)]
    assert [path.name for path in Path("runs").iterdir()] == ["tiny-sweep"], "a directory that a job has not used is removed"


@pytest.mark.slow
def test_a_sweep_over_lists_and_texts_passes_them_on_whole(tiny, jobs):
    assert (
        guarded(lambda: dispatch(["train", "-m", "recipe=tiny", "predictor=feature", "actions=[gain],[]", "train.lr.warmup='1 epochs',2"]))
        == 0
    )
    recipes = [thaw(compose("tiny", job[6:])[0]) for job in jobs]
    asked = [(list(recipe.actions), recipe.train.lr.warmup) for recipe in recipes]
    assert asked == [(["gain"], "1 epochs"), (["gain"], "2"), ([], "1 epochs"), ([], "2")]


@pytest.mark.slow
def test_a_sweep_checks_all_jobs_before_the_first_one_runs(tiny, jobs, capsys):
    assert guarded(lambda: dispatch(["train", "-m", "recipe=tiny", "encoder.heads=2,4,3"])) == 2
    assert "not divisible by encoder.heads 3" in capsys.readouterr().err
    assert jobs == []


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_job_that_fails(tiny, jobs):
    assert guarded(lambda: dispatch(["train", "-m", "recipe=tiny", "train.seed=6,7,8"])) == 3
    assert len(jobs) == 3


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["encoder=glob(*)"], "key=a,b"),
        (["train.seed=0,1", "run=r"], "run"),
    ],
)
def test_sweeps_that_cannot_be(tiny, jobs, capsys, words, fix):
    """Two jobs cannot have one directory; that is said before the first has trained for a day."""
    assert guarded(lambda: dispatch(["train", "-m", "recipe=tiny", *words])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert fix in line
    assert jobs == []


def test_a_sweep_needs_its_flag(tiny, jobs, capsys):
    assert guarded(lambda: dispatch(["train", "recipe=tiny", "train.seed=6,7"])) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert jobs == []


@pytest.mark.parametrize(
    "value", ["interval(0,1)", "glob(*)", "tag(a,interval(0,1))", "range(0,99999999)", "[range(3)]", "{a: [choice(1,2)]}"]
)
def test_values_that_cannot_be_listed_are_refused(tiny, value):
    for words in ([], ["-m"]):
        with pytest.raises(UserError, match=r"wri(te|tten)"):
            dispatch(["train", *words, "recipe=tiny", f"train.seed={value}"])
    with pytest.raises(UserError):
        change(compose("tiny", [])[0], [f"launch.workers={value}"], ("launch",), "eval")


# --- eval


@dataclasses.dataclass(kw_only=True)
class Noted(Evaluator):
    """Writes down what it was told."""

    name = "noted"
    x: int = option(1, "a number")
    y: int = option(2, "another number")

    def evaluate(self, model, data, folder, track):
        return Evaluation({"x": Metric(self.x, self.x, self.x, 1)}, {"x": self.x, "y": self.y, "seed": data.seed})


def settings(file="r/eval/noted.json"):
    told = json.loads(Path(file).read_text())["settings"]
    return {key: told[key] for key in ("x", "y", "seed")}


def test_a_run_takes_ready_made_data_by_their_name(tiny):
    config = compose("tiny", [])[0]
    changed = change(config, ["data=cifar10", "data.folder=mine"], ON_RESUME, "resume").data
    assert (changed.name, changed.path, changed.folder) == ("hub", "uoft-cs/cifar10", "mine")
    assert change(config, ["data=cifar10", "data.path=mine"], ON_RESUME, "resume").data.path == "mine"
    with pytest.raises(UserError, match="no installed plugin gives the data source 'cifar11'; did you mean cifar10"):
        change(config, ["data=cifar11"], ON_RESUME, "resume")


def test_eval_changes_what_is_asked_and_nothing_else(tiny, capsys):
    module = SimpleNamespace(iwm_evaluators=hookimpl(lambda: [Noted]))
    tiny.plugins.append(Plugin("noted", "noted-plugin", "0", module))
    tiny.manager.register(module)
    assert dispatch(["train", "recipe=tiny", "evaluators=[noted]", "evaluators.noted.y=5", "run=r", "train.seed=3"]) == 0
    assert settings() == {"x": 1, "y": 5, "seed": 3}
    before = {p: p.read_bytes() for p in Path("r").rglob("[!.]*") if p.is_file()}
    capsys.readouterr()
    assert dispatch(["eval", "r", "evaluators.noted.x=9"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "next: iwm report r"
    (other,) = Path("r/eval/noted").glob("*.json")
    assert settings(other) == {"x": 9, "y": 5, "seed": 3}
    assert {p: p.read_bytes() for p in Path("r").rglob("[!.]*") if p.is_file() and p != other} == before

    config = Run.open("r").config()
    changed = change(config, ["evaluators.noted.x=9"], ("evaluators",), "eval")
    assert changed.evaluators.noted.pop("x") == 9
    assert config.evaluators.noted.pop("x") == 1
    assert changed == config


def test_a_run_can_be_launched_otherwise_by_name(tiny, capsys):
    config = compose("tiny", [])[0]
    assert config.launch.precision == "fp32"
    changed = change(config, ["launch.workers=3", "launch=gpu"], ("launch",), "resume")
    assert (changed.launch.precision, changed.launch.compile, changed.launch.workers) == ("bf16", True, 3)
    with pytest.raises(
        UserError, match=r"there is no launch=tpu: did you mean launch=gpu\? there are auto, cpu, gpu; or give single settings"
    ):
        change(config, ["launch=tpu"], ("launch",), "resume")


def test_images_of_a_relative_path_are_the_same_from_two_folders(tiny, tmp_path, monkeypatch):
    (tmp_path / "a/photos").mkdir(parents=True)
    config, found = compose("tiny", [])[0], set()
    for here, path in (
        (tmp_path / "a", "photos"),
        (tmp_path, "a/photos"),
        (tmp_path / "a", "../a/photos"),
        (tmp_path, str(tmp_path / "a/photos")),
    ):
        monkeypatch.chdir(here)
        changed = change(config, ["data=folder", f"data.path={path}"], ("data",), "eval")
        assert changed.data.path == str(tmp_path / "a/photos")
        found.add(digest(settings_of(plain(thaw(changed)), "noted")))
    assert len(found) == 1
    monkeypatch.chdir(tmp_path / "a")
    changed.data.path = "photos"  # of a hub, or of an earlier version: what is not changed stays as it is
    assert change(changed, ["launch.workers=1"], ("launch",), "eval").data.path == "photos"


def test_a_reference_in_a_change_is_followed_once_or_refused(tiny, tmp_path, monkeypatch):
    """As in a recipe: a run's own settings are plain data."""
    monkeypatch.chdir(tmp_path)
    Path("7").mkdir()
    config = compose("tiny", ["train.seed=7"])[0]
    changed = change(config, ["data=folder", "data.path=${train.seed}", "launch.workers=${train.seed}"], ("data", "launch"), "eval")
    assert OmegaConf.to_container(changed, resolve=False)["data"]["path"] == str(tmp_path / "7")
    assert changed.launch.workers == 7
    for words in (
        ["data=folder", "data.path=${x}"],
        ["launch.workers=${x}"],
        ["launch=${x}"],
        ["evaluators=[mrr]", "evaluators.mrr.bank=${x}"],
    ):
        with pytest.raises(UserError):
            change(config, words, ("data", "launch", "evaluators"), "eval")
    with pytest.raises(UserError, match="'mrr' is not chosen"):
        thaw(change(config, ["evaluators=[]", "evaluators.mrr.bank=8"], ("evaluators",), "eval"))


@given(st.text(alphabet="ab\\'\"=[]{},: $é\t", max_size=12).filter(lambda text: "${" not in text))
def test_any_text_can_be_a_quoted_value(text):
    assert parse([f"run={quoted(text)}"])[0].value() == text


def test_paths_in_overrides_have_one_spelling(tmp_path, monkeypatch):
    """So a comparison goes on from another folder with the same images, and `..` makes no other settings; what is no path stays."""
    here = tmp_path / "it's"
    (here / "photos").mkdir(parents=True)
    (tmp_path / "link").symlink_to("it's/photos")
    monkeypatch.chdir(here)
    there = f"data.path={quoted(str(here / 'photos'))}"
    others = ["data.path=nowhere", "train.seed=photos", "view=photos", "data=photos"]
    assert anchor_words(["data.path=photos", "+data.path='../it\\'s/./photos'", *others]) == [there, f"+{there}", *others]
    assert anchor_words([there]) == [there]
    through = str(here / "../link/../photos")  # a folder beside the one that the link leads to: without `..`, it would be another
    assert anchor_words(["data.path=../link/../photos"]) == [f"data.path={quoted(through)}"]


def test_a_path_that_recipes_would_read_as_a_reference_is_refused(tiny, tmp_path, monkeypatch):
    """A folder's name gets no environment into a config, and no traceback out of it."""
    here = tmp_path / "w ${oc.env:HOME}"
    here.mkdir()
    monkeypatch.chdir(here)
    run = tmp_path / "r"
    config = compose("tiny", ["data=folder", "data.path=.", f"run={run}"])[0]
    with pytest.raises(UserError, match=r"cannot keep the path .*\{oc\.env:HOME\}: .* rename the folder"), new_run(config, "train", print):
        pass
    assert not run.exists()


@pytest.mark.parametrize("value", ["feature", "3", "0.5", "true", "[1,2]"])
@pytest.mark.parametrize("schema", schemas(), ids=lambda schema: schema.base)
def test_what_is_proposed_in_place_of_a_section_is_accepted(tiny, schema, value):
    keys = [
        key for key in (*schema.sections, *keys_below(schema.sections)) if any(k.startswith(f"{key}.") for k in keys_below(schema.sections))
    ]
    assert {"launch", "train", "train.lr"} <= set(keys)
    for key in keys:
        with pytest.raises(UserError) as refused:
            check_settings(parse([f"{key}={value}"]), schema)
        (proposed,) = re.findall(r"(?:such as|write|settings,) (\S+?=\S+?)(?:;|$)", str(refused.value))
        if not proposed.endswith("KEY=VALUE"):
            check_settings(parse([proposed]), schema)


@pytest.mark.parametrize("place", ["a b+ü", "jo@corp,x=1"])
def test_recipes_are_found_below_any_folder(tiny, tmp_path, place):
    """Where a checkout or an environment lies must not matter: groups of a recipe's own folder are found too."""
    folder = tmp_path / place / "recipes"
    (folder / "deep").mkdir(parents=True)
    (folder / "launch").mkdir()
    (folder / "launch" / "mine.yaml").write_text("accumulate: 2\n")
    text = (FURNITURE / "tiny_recipes/tiny.yaml").read_text()
    (folder / "deep" / "own.yaml").write_text(text.replace("launch: auto", "launch: mine"))
    module = SimpleNamespace(iwm_recipe_dirs=hookimpl(lambda: [folder]))
    tiny.plugins.append(Plugin("own", "own-plugin", "0", module))
    tiny.manager.register(module)
    assert compose("deep/own", [])[0].launch.accumulate == 2


def brought(plugins, folder, files):
    """Files of recipes that a plugin brings from a folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    module = SimpleNamespace(iwm_recipe_dirs=hookimpl(lambda: [folder]))
    plugins.plugins.append(Plugin("own", "own-plugin", "0", module))
    plugins.manager.register(module)


@pytest.mark.parametrize("file", ["mine/base.yaml", "base.yaml", "mine/encoder/vit.yaml", "actions/gain.yaml"])
def test_a_file_that_hides_what_recipes_are_built_on_is_named(tiny, tmp_path, file):
    """Hydra would take it in the place of the core's base, or of a component, in whichever recipes can see it."""
    text = (FURNITURE / "tiny_recipes/tiny.yaml").read_text()
    brought(tiny, tmp_path, {"mine/bright.yaml": text, file: "defaults: [bas, _self_]\n"})
    with pytest.raises(UserError, match=f"^{tmp_path / file} hides '{Path(file).stem}', which recipes are built on"):
        compose("mine/bright", [])


@pytest.mark.parametrize(
    ("own", "shared", "where", "fix"),
    [
        ("bas", "base", "bright", "did you mean base?"),
        ("common", "bas", "common", "did you mean base?"),
        ("comon", "base", "bright", "did you mean common?"),
    ],
)
def test_a_missing_default_is_told_with_the_file_that_names_it(tiny, tmp_path, own, shared, where, fix):
    text = (FURNITURE / "tiny_recipes/tiny.yaml").read_text()
    files = {"mine/bright.yaml": text.replace("- base", f"- {own}"), "mine/common.yaml": f"defaults: [{shared}, _self_]\n"}
    brought(tiny, tmp_path, files)
    missing = "comon" if own == "comon" else "bas"
    with pytest.raises(UserError) as refused:
        compose("mine/bright", [])
    file = tmp_path / "mine" / f"{where}.yaml"
    assert str(refused.value) == f"there is no '{missing}', which the defaults of {file} name; {fix}"


@pytest.mark.parametrize(
    ("files", "fix"),
    [
        ({"launch/mine.yaml": "accumulate: ?"}, "mine.yaml is not valid YAML in UTF-8"),
        ({"launch/mine.yaml": "defaults: 3\n"}, "mine.yaml: its defaults must be a list"),
        (
            {"launch/mine.yaml": "defaults: [yours]\n", "launch/yours.yaml": "defaults: [mine]\n"},
            "includes itself, or over 100 files, by its defaults: mine → yours → mine",
        ),
        (
            {
                f"launch/{name}.yaml": f"defaults: [{below}]\n"
                for name, below in pairwise(["mine", *(f"own_{number}" for number in range(1500))])
            },
            r"launch/own_99.yaml includes itself, or over 100 files, by its defaults: mine → own_0 → own_1 → ",
        ),
        ({"launch/mine.yaml": "accumulate: \udcff"}, "mine.yaml is not valid YAML in UTF-8"),
    ],
)
def test_a_ready_made_choice_that_cannot_be_read_is_named(tiny, tmp_path, files, fix):
    brought(tiny, tmp_path, {})
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=fix):
        compose("tiny", ["launch=mine"])
    assert compose("tiny", [])[0].recipe == "tiny", "and the rest works"


@pytest.mark.parametrize("length", [2, 1500])
def test_ready_made_choices_without_end_are_told_wherever_one_is_made(tiny, tmp_path, length):
    names = [f"own_{number}" for number in range(length)]
    files = {f"data/{name}.yaml": f"defaults: [{names[(number + 1) % length]}]\n" for number, name in enumerate(names)}
    text = (FURNITURE / "tiny_recipes/tiny.yaml").read_text()
    brought(tiny, tmp_path, {**files, "mine.yaml": f"{re.sub('- data: .*', '- data: own_0', text)}\ndata: {{path: x}}\n"})
    for name, overrides in (("mine", []), ("tiny", ["data=own_0"])):
        with pytest.raises(UserError, match=r"includes itself|no installed plugin gives the data source"):
            compose(name, overrides)


def test_a_recipe_that_does_not_name_itself_is_told_how(tiny, tmp_path):
    text = (FURNITURE / "tiny_recipes/tiny.yaml").read_text()
    brought(tiny, tmp_path, {"bright.yaml": text.replace("  - _self_\n", "")})
    (note,) = compose("bright", [])[1]
    assert note.startswith(f"end the defaults of {tmp_path / 'bright.yaml'} with `- _self_`")
    assert compose("tiny", [])[1] == []


def test_an_old_evaluation_is_not_the_end_of_a_run(tiny):
    """Numbers of an earlier checkpoint do not count as those of the last one."""
    module = SimpleNamespace(iwm_evaluators=hookimpl(lambda: [Noted]))
    tiny.plugins.append(Plugin("noted", "noted-plugin", "0", module))
    tiny.manager.register(module)
    assert dispatch(["train", "recipe=tiny", "evaluators=[noted]", "run=r"]) == 0
    path = Path("r/eval/noted.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"step": 4}))
    assert dispatch(["resume", "r"]) == 0
    assert json.loads(path.read_text())["step"] == 6
