"""Recipes as files of one's own: what `iwm show` prints, what changes another recipe, and every way in which they can be wrong."""

import os
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase
from threading import Event, Thread

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from places import FURNITURE

from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.kinds import groups, several
from iwm_core.plugins.lineage import dotted, lineage_of
from iwm_core.plugins.recipe_files import find_recipe, ready_made
from iwm_core.plugins.recipe_text import Strict, recipe_in, settings_of, values_of
from iwm_core.recipe.compose import compose
from iwm_core.recipe.shelf import shelved
from iwm_core.recipe.thaw import thaw
from iwm_core.run.directory import frozen
from iwm_core.run.stored import checksum

CHILD = "defaults: [{}, _self_]\ntrain: {{seed: 3}}\n"


def kept(capsys, words, path):
    """What `iwm show` prints, in a file."""
    assert dispatch(["show", *words]) == 0
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(capsys.readouterr().out)


def written(**files):
    for name, text in files.items():
        path = Path(f"{name.replace('__', '/')}.yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)


@pytest.mark.parametrize(
    "words",
    [
        ["recipe=tiny", "actions.gain.strength=0.5", "train.lr.warmup=1 epochs"],
        ["recipe=quickstart", "actions=[blur,jitter,crop]", "evaluators=[mrr]", "data=cifar10"],
        ["recipe=repro/cifar10", "size=gpu"],
        ["recipe=tune/predictor", "budget=cpu"],
    ],
)
def test_what_show_prints_is_a_recipe_of_the_same_config(tiny, capsys, words):
    kept(capsys, words, "deep/mine.yaml")
    name, *overrides = words
    own = compose(name.removeprefix("recipe="), overrides)[0]
    again, notes = compose("deep/mine.yaml", [])
    assert notes == []
    assert again.recipe == "mine"
    again.recipe = own.recipe
    assert frozen(again) == frozen(own), "its text and its checksum, but for the name"
    assert list(again.get("actions", ())) == list(own.get("actions", ())), "which are applied in this order"


def test_a_runs_config_is_a_recipe_and_can_be_changed_like_any(tiny):
    assert dispatch(["train", "recipe=tiny", "run=r", "evaluators=[]"]) == 0
    again, notes = compose("r/config.yaml", ["predictor=identity", "train.seed=5"])
    assert again.run is None, "a run's place is not a part of its recipe"
    assert (again.predictor.name, again.train.seed) == ("identity", 5)
    assert "depth" in notes[0]
    thaw(again)


@pytest.mark.slow
def test_a_file_is_trained_from_any_place_and_names_its_runs(tiny, capsys, monkeypatch):
    kept(capsys, ["recipe=tiny"], "mine.yaml")
    monkeypatch.setenv("HOME", str(Path.cwd()))
    assert dispatch(["train", "recipe=./mine.yaml", "evaluators=[]"]) == 0
    assert dispatch(["train", "recipe=~/mine.yaml", "evaluators=[]"]) == 0
    assert dispatch(["train", "recipe=tiny", "evaluators=[]"]) == 0
    first, second, own = (OmegaConf.load(f"runs/{name}/config.yaml") for name in ("mine", "mine-2", "tiny"))
    weights = [
        (next(Path(f"runs/{name}/checkpoints").glob("step_6/model.safetensors"))).read_bytes() for name in ("mine", "mine-2", "tiny")
    ]
    assert weights[0] == weights[1] == weights[2], "to the last bit"
    differing = {key for key in own if own[key] != first[key]}
    assert differing == {"recipe", "run", "checksum"}
    assert first.recipe == second.recipe == "mine"


@pytest.mark.parametrize("name", ["repro/scenes", "tiny", "tune/predictor"])
def test_a_recipe_names_the_one_that_it_changes(tiny, name):
    written(mine=CHILD.format(name))
    own, notes = compose(name, ["train.seed=3"])
    changed = compose("mine.yaml", [])
    changed[0].recipe = own.recipe
    assert changed == (own, notes)


def test_choices_replace_those_of_the_changed_recipe_as_on_the_command_line(tiny):
    written(mine="defaults: [quickstart, predictor: none, actions: [blur, jitter], size: cpu, _self_]\n")
    own, notes = compose("quickstart", ["predictor=none", "actions=[blur,jitter]", "+size=cpu"])
    changed = compose("mine.yaml", [])
    changed[0].recipe = own.recipe
    assert changed == (own, notes)
    assert compose("mine.yaml", ["predictor=identity"])[1][0].startswith("predictor=identity has no 'depth'")


def test_recipes_change_recipes_from_where_they_lie(tiny):
    """``middle`` replaces the predictor, so the options of ``tiny`` that the new one lacks go, and those set afterwards stay."""
    middle = "defaults: [tiny, predictor: identity, _self_]\ntrain: {batch_size: 8}\n"
    written(deep__middle=middle, deep__mine="defaults: [middle.yaml, predictor: feature, _self_]\npredictor: {depth: 2}\n")
    written(mine="defaults: [deep/mine.yaml, _self_]\ntrain: {seed: 4}\n")
    config, notes = compose("mine.yaml", [])
    assert (config.predictor.name, config.predictor.depth, config.train.batch_size, config.train.seed) == ("feature", 2, 8, 4)
    assert notes == []
    thaw(config)


def test_what_a_recipe_sets_of_a_component_that_it_has_replaced_is_never_left_out(tiny):
    written(mine="defaults: [tiny, predictor: identity, _self_]\npredictor: {depth: 2}\n")
    with pytest.raises(UserError, match="depth"):
        thaw(compose("mine.yaml", [])[0])


def test_a_name_is_an_installed_recipe_also_where_a_file_lies_beside(tiny):
    written(tiny="a: 1\n", mine=CHILD.format("tiny"), other=CHILD.format("./tiny.yaml"))
    assert compose("mine.yaml", [])[0].encoder == compose("tiny", [])[0].encoder
    with pytest.raises(UserError, match="does not say what it changes"):
        compose("other.yaml", [])


def test_a_chain_of_recipes_has_a_limit_that_is_told(tiny):
    """One of 1,500 files is refused once the limit is reached, before Python's own limit of calls; up to it, all count."""
    written(**{f"r{number}": CHILD.format(f"r{number + 1}") for number in range(1499)}, r1499=CHILD.format("tiny"))
    with pytest.raises(UserError, match=r"r0\.yaml is made of more than 100 recipes, each of which changes the next; write fewer files"):
        compose("r0.yaml", [])
    parts = lineage_of(find_recipe("r1410.yaml")).parts
    assert [part.path.stem for part in parts if part.path.stem.startswith("r1")] == [f"r{number}" for number in range(1499, 1409, -1)]
    assert compose("r1496.yaml", [])[0].train.seed == 3


WRONG = {
    "empty": ("", "empty.yaml is empty"),
    "comment": ("# nothing\n", "comment.yaml is empty"),
    "torn": ("a: [\n", "torn.yaml is not valid YAML in UTF-8"),
    "latin": ("# é\ntrain: {}\n".encode("latin-1"), "latin.yaml is not valid YAML in UTF-8"),
    "twice": ("defaults: [tiny, _self_]\nview: {}\nview: {}\n", "found duplicate key view"),
    "items": ("- a\n", "items.yaml holds a list"),
    "text": ("hello\n", "text.yaml holds a single value"),
    "five": ("5\n", "five.yaml holds a single value"),
    "endless": ("a: &a [*a]\n", "endless.yaml repeats values by aliases (*name)"),
    "bomb": ("a: &a [x]\n" + "".join(f"{new}: &{new} [*{old},*{old}]\n" for old, new in pairwise(ascii_lowercase)), "by aliases"),
    "deep": (f"train: {'[' * 3000}{']' * 3000}\n", "deep.yaml, line 1: it is nested too deeply for a recipe, over 100 levels"),
    "steep": ("".join(f"{' ' * level}a:\n" for level in range(900)), "steep.yaml, line 101: it is nested too deeply"),
    "nameless": ("defaults: [tiny, _self_]\ntrain: {null: 3}\n", "nameless.yaml has the key null, and a recipe's keys are names"),
    "digit": ("defaults: [tiny, _self_]\nactions: [{7: 3}]\n", "digit.yaml has the key 7, and a recipe's keys are names"),
    "octal": ("defaults: [tiny, _self_]\ntrain:\n  steps: 010\n", "octal.yaml, line 3: YAML reads 010 as 8; write 8, or quote it: '010'"),
    "clock": (
        "defaults: [tiny, _self_]\ntrain: {steps: 1:30}\n",
        "clock.yaml, line 2: YAML reads 1:30 as 90; write 90, or quote it: '1:30'",
    ),
    "yes": ("defaults: [tiny, _self_]\non: 3\n", "yes.yaml, line 2: YAML reads on as true; write true, or quote it: 'on'"),
    "huge": ("#" * 1_000_001, "huge.yaml has more than 1 MB"),
    "bare": ("train: {steps: 3}\n", "bare.yaml does not say what it changes: begin it with a line defaults: [quickstart, _self_]"),
    "single": ("defaults: tiny\n", "the defaults of single.yaml are no list"),
    "number": ("defaults: [3, _self_]\n", "the defaults of number.yaml hold 3"),
    "lost": (CHILD.format("tinny"), "there is no 'tinny', which the defaults of lost.yaml name; did you mean tiny?"),
    "gone": (CHILD.format("gonne.yaml"), "there is no 'gonne.yaml', which the defaults of gone.yaml name; did you mean gone.yaml?"),
    "self": (CHILD.format("self.yaml"), "includes itself: self.yaml is named by the defaults of"),
    "one": (CHILD.format("two"), "includes itself: one.yaml is named by the defaults of"),
    "kinds": ("defaults: [tiny, tune/predictor, _self_]\n", "is made of recipes of two kinds, pretraining and tuning"),
    "key": ("defaults: [tiny, _self_]\ntrian: {steps: 3}\n", "unknown key 'trian' in the recipe; did you mean train?"),
    "option": ("defaults: [tiny, _self_]\nencoder: {dpeth: 3}\n", "unknown key 'encoder.dpeth'; did you mean encoder.depth=3?"),
    "choice": ("defaults: [tiny, encoder: vti, _self_]\n", "no installed plugin gives the encoder 'vti'; did you mean vit?"),
    "size": ("defaults: [tiny, size: cup, _self_]\n", "the defaults of size.yaml have size: there is no 'size/cup'; did you mean cpu?"),
    "kind": ("kind: pretrainning\n", "no installed plugin gives runs of the kind 'pretrainning'; did you mean pretraining?"),
    "reads": ("defaults: [tiny, _self_]\nrun: ${oc.env:HOME}\n", "reads.yaml holds ${oc.env:HOME…}, which would read this machine"),
    "listed": ("defaults: [tiny, _self_]\ntrain: [1, 2]\n", "listed.yaml, line 2: train is a section with the keys"),
    "nested": ("defaults: [tiny, _self_]\ntrain: {lr: [1]}\n", "nested.yaml, line 2: train.lr is a section with the keys"),
    "chosen": ("defaults: [tiny, _self_]\n\nencoder: vit\n", "chosen.yaml, line 3: write encoder: {OPTION: VALUE} to set options"),
    "acts": ("defaults: [tiny, _self_]\nactions: [gain]\n", "acts.yaml, line 2: write actions: {NAME: {OPTION: VALUE}}"),
    "form": ("defaults: [tiny, _self_]\nactions:\n  gain: [1]\n", "form.yaml, line 3: actions.gain is a section"),
    "typo": ("defaults: [tiny, _self_]\nactions:\n  gian: {}\n", "typo.yaml, line 3: no installed plugin gives the action 'gian'"),
    "below": ("defaults: [tiny, _self_]\ntrain:\n  seed: 1\n  steps: -3\n", "below.yaml, line 4: train.steps must be at least 1"),
    "named": ("defaults: [tiny, _self_]\nencoder: {name: vit}\n", "chosen among the defaults: encoder: NAME"),
    "open": ("defaults: [tiny, _self_]\nimage_size: ???\n", "open.yaml, line 2: image_size is left open, ???"),
    "flow": ("defaults: [tiny, _self_]\ntrain: {steps: ???}\n", "quote it: '???'"),
    "many": (
        "defaults: [tiny, _self_]\ntrain: {steps: 100000000000000000000000000}\n",
        "line 2: train.steps has a number that is",
    ),
    "ages": ("defaults: [tiny, _self_]\ntrain: {steps: null, epochs: 1.0e+26}\n", "ages.yaml, line 2: train.epochs must be at most 1e+09"),
    "side": (
        "defaults: [tiny, _self_]\nimage_size: 99999999999999999999\n",
        "line 2: image_size has a number that is",
    ),
    "never": (f"defaults: [tiny, _self_]\ntrain: {{log_every: {10**26}}}\n", "never.yaml, line 2: train.log_every is longer than any run"),
    "hydra": ("defaults: [tiny, _self_]\nhydra: {run: {dir: x}}\n", "hydra.yaml, line 2: unknown key 'hydra' in the recipe"),
    "group": ("defaults: [tiny, hydra/launcher: x, _self_]\n", "there is no group 'hydra/launcher'; did you mean launch?"),
    "package": ("# mine\n# @package encoder\ndefaults: [tiny, _self_]\n", "package.yaml has a line '# @package encoder'"),
    "refers": ("defaults: [tiny, _self_]\nimage_size: ${train.sed}\n", "refers.yaml, line 2: image_size: Interpolation key 'train.sed'"),
    "zero": (
        "defaults: [tiny, _self_]\ntrain: {seed: 0}\nimage_size: ${train.seed}\n",
        "line 3: image_size must be at least 1, got 0",
    ),
    "dots": ("defaults: [tiny, _self_]\ntrain.steps: 3\n", "write train: {steps: …}"),
    "again": ("defaults: [tiny, tiny, _self_]\n", "the defaults of again.yaml have 'tiny' twice"),
    "both": ("defaults: [tiny, encoder: vit, encoder: tiny, _self_]\n", "the defaults of both.yaml have 'encoder:' twice"),
    "null": ("defaults: [tiny, encoder: null, _self_]\n", "the defaults of null.yaml have encoder: None; write encoder: NAME"),
    "pair": ("defaults: [tiny, encoder: [vit], _self_]\n", "have encoder: ['vit']; write encoder: NAME"),
    "missing": ("defaults: [tiny, data: world_model, _self_]\n", "no installed plugin gives the data source 'world_model'"),
    "listing": ("kind: [a]\n", "no installed plugin gives runs of the kind"),
    "long": (f"defaults: [{'x' * 400}, _self_]\n", "which the defaults of long.yaml name"),
    "tiny": (CHILD.format("tiny"), "recipe=tiny.yaml has the name of an installed recipe"),
    "a b": (CHILD.format("tiny"), "'a b' is not a name"),
    "folder": (None, "recipe=folder.yaml is a folder; name a file in it, such as recipe=folder.yaml/inner.yaml"),
    "absent": (None, "recipe=absent.yaml does not exist"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_wrong_gets_one_line(tiny, capsys, name):
    text, told = WRONG[name]
    written(two=CHILD.format("one"), **({name: text} if text is not None else {}))
    if name == "folder":
        Path("folder.yaml").mkdir()
        Path("folder.yaml/inner.yaml").touch()
    assert guarded(lambda: dispatch(["show", f"recipe={name}.yaml"])) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert told in line
    assert len(line) <= 400


def test_a_value_means_what_it_means_on_the_command_line(tmp_path, monkeypatch):
    """Or it is refused: Hydra's grammar is the reference."""
    monkeypatch.chdir(tmp_path)
    refused, parser = ["010", "-010", "00", "1__0", "1_", "0x1F", "0b11", "1:30", "1:30.5", "yes", "Off"], OverridesParser.create()
    read_alike = ["7", "+7", "-7", "0", "1_000", "0o10", "1e3", "1.5", ".5", "2026-01-01", "true", "FALSE", "n", "null", "8-9"]
    for text in refused + read_alike:
        written(one=f"a: {text}\n")
        if text in refused:
            with pytest.raises(UserError, match="one.yaml, line 1: YAML reads "):
                recipe_in(Path("one.yaml"))
        else:
            assert repr(recipe_in(Path("one.yaml"))["a"]) == repr(parser.parse_override(f"a={text}").value()), text


NO_FILE = {
    ".": "recipe=. is a folder; name a file in it, such as recipe=mine.YAML",
    "~": "recipe=~ is a folder; name a file in it",
    "dangling.yaml": "is a link to nowhere, which is not there",
    "pipe.yaml": "is no file of text, but a pipe or a device",
    "~nobody-here/mine.yaml": "does not exist, nor does such a user",
    "mine.yaml": "did you mean recipe=mine.YAML?",
    f"{'x' * 300}.yaml": "does not exist",
}


@pytest.mark.parametrize("name", NO_FILE)
def test_what_is_no_file_is_said_to_be_what_it_is(tiny, capsys, monkeypatch, name):
    monkeypatch.setenv("HOME", str(Path.cwd()))
    Path("mine.YAML").write_text(CHILD.format("tiny"))
    Path("dangling.yaml").symlink_to("nowhere")
    os.mkfifo("pipe.yaml")
    assert guarded(lambda: dispatch(["show", f"recipe={name}"])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert NO_FILE[name] in line
    assert compose("mine.YAML", [])[0].train.seed == 3


def readymade():
    """Every ready-made choice of a group or a section, but for those upon which recipes are made, such as ``size``."""
    return [(group, name) for group in [*groups(), "launch"] for name in ready_made(group) if settings_of(group, name)]


def other(value):
    """Another value of the same form."""
    if isinstance(value, dict):
        return {key: other(one) for key, one in value.items()}
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else [] if isinstance(value, list) else f"{value}-other"


@pytest.mark.slow
@pytest.mark.parametrize("way", ["command line", "recipe"])
def test_what_a_choice_sets_wins_over_the_recipe_that_it_changes(tiny, way, monkeypatch):
    """``data=cifar10`` is CIFAR-10, whatever path the recipe has; for every choice that is installed."""
    monkeypatch.setattr("iwm_devkit.advice.check_parts", lambda *_: None)  # the other values need not mean anything
    assert {group for group, _ in readymade()} >= {"data", "encoder", "launch", "tasks"}
    for group, name in readymade():
        own = settings_of(group, name)
        base = "tune/predictor" if group == "tasks" else "quickstart"
        choice = f"[{name}]" if group in several() else name
        before = {"defaults": [base, {group: [name] if group in several() else name}, "_self_"], **other(own)}
        Path("before.yaml").write_text(OmegaConf.to_yaml(before))
        Path("after.yaml").write_text(f"defaults: [before.yaml, {group}: {choice}, _self_]\n")
        config = compose("before.yaml", [f"{group}={choice}"])[0] if way == "command line" else compose("after.yaml", [])[0]
        for key, value in dotted(own).items():
            if not isinstance(value, dict):
                assert OmegaConf.select(config, key) == value, (group, name, key)


def test_what_is_said_last_wins_over_a_choice_and_size_is_what_recipes_are_made_upon(tiny):
    assert compose("import/encoder", ["data=cifar10"])[0].data.path == "uoft-cs/cifar10"
    written(mine="defaults: [import/encoder, data: cifar10, _self_]\ndata: {path: mine}\n")
    assert compose("mine.yaml", [])[0].data.path == "mine"
    assert compose("tune/encoder", ["budget=cpu"])[0].train.lr.peak == 2e-3, "the recipe's own, whatever its budget"


def test_recipes_that_change_the_same_one_can_be_named_together(tiny):
    written(a="defaults: [tiny, _self_]\ntrain: {seed: 1}\n", b="defaults: [tiny, _self_]\ntrain: {steps: 4}\n")
    written(mine="defaults: [a.yaml, b.yaml, _self_]\n")
    config = compose("mine.yaml", [])[0]
    assert (config.train.seed, config.train.steps) == (1, 4)


@pytest.mark.slow
def test_show_checks_what_training_checks_wherever_it_runs(tiny, capsys):
    """The parts' fit, but neither this machine's devices nor whether the data is there."""
    for words in (["encoder.model=vti"], ["image_size=13"], ["launch.accumulate=7"], ["actions=[crop]", "actions.crop.size=17"]):
        assert guarded(lambda words=words: dispatch(["show", "recipe=quickstart", *words])) == 2
        shown = capsys.readouterr().err
        assert guarded(lambda words=words: dispatch(["train", "recipe=quickstart", *words])) == 2
        assert capsys.readouterr().err == shown
        assert shown.count("\n") == 1
    assert dispatch(["show", "recipe=quickstart", "launch.device=cuda:7", "launch.processes=8", "data=folder", "data.path=nowhere"]) == 0


# --- trials


def evaluators(name, *overrides):
    config, notes = compose(name, list(overrides))
    return list(config.evaluators), [note for note in notes if "trial" in note]


def test_a_trial_is_measured_quickly_and_says_so(tiny):
    every = evaluators("quickstart")[0]
    assert len(every) > 10
    measured, (note,) = evaluators("quickstart", "train.steps=100")
    assert measured == [name for name in every if name in ("health", "mrr", "error")]
    assert '"evaluators=[scorecard]"' in note
    assert evaluators("quickstart", "train.steps=101") == (every, [])
    assert evaluators("quickstart", "train.steps=20", "evaluators=[scorecard]") == (every, []), "what is asked for is measured"
    assert evaluators("quickstart", "train.steps=20", "evaluators.dose.images=8")[0] == [
        name for name in every if name in ("health", "mrr", "error", "dose")
    ]
    assert evaluators("quickstart", "train.steps=20", "evaluators=[quick]") == (["health", "mrr", "error"], [])


def test_a_recipe_that_is_short_itself_is_as_it_says(tiny):
    written(mine="defaults: [quickstart, _self_]\ntrain: {steps: 50}\n")
    every = evaluators("quickstart")[0]
    assert evaluators("mine.yaml") == (every, [])
    assert evaluators("mine.yaml", "train.steps=50") == (every, [])
    assert len(evaluators("mine.yaml", "train.steps=40")[0]) == 3
    assert evaluators("paper/ijepa_vitb16", "train.epochs=null", "train.steps=10")[0] == ["health", "mrr", "error"], "where it has epochs"


def test_a_trial_of_a_recipe_without_quick_evaluators_keeps_its_own(tiny):
    written(mine="defaults: [quickstart, evaluators: [dose, pca], _self_]\nevaluators: {}\n")
    assert evaluators("mine.yaml", "train.steps=5") == (["dose", "pca"], [])


def test_the_furniture_is_what_these_tests_take_it_for():
    assert checksum({"a": 1}) != checksum({"a": 2})
    assert "steps: 6" in (FURNITURE / "tiny_recipes/tiny.yaml").read_text()


def test_a_composition_reads_each_file_once_and_changes_nothing_that_is_kept(tiny, monkeypatch):
    written(mine="defaults: [quickstart, size: cpu, _self_]\ntrain: {seed: 3}\n")
    parsed, listed = [], []
    monkeypatch.setattr("iwm_core.plugins.recipe_text.Strict", lambda path, text: parsed.append(path) or Strict(path, text))
    monkeypatch.setattr("iwm_core.recipe.overrides.lineage_of", lambda file: listed.append(file) or lineage_of(file))
    values_of.cache_clear()
    first = compose("mine.yaml", ["train.steps=7"])[0]
    assert len(listed) == 1
    assert len(parsed) == len(set(parsed)) > 2
    assert compose("mine.yaml", ["train.steps=7"])[0] == first
    assert len(parsed) == len(set(parsed))
    written(mine="defaults: [quickstart, size: cpu, _self_]\ntrain: {seed: 4}\n")
    assert compose("mine.yaml", [])[0].train.seed == 4, "what has changed is read anew"


def test_threads_compose_one_at_a_time(tiny):
    """Hydra has one store for the whole process: of two at once, each would find the other's recipe, and the program lose its own store."""
    lineage, entered, own = lineage_of(find_recipe("tiny")), Event(), ConfigStore.instance().repo

    def beside():
        with shelved(lineage, {}):
            entered.set()

    other = Thread(target=beside)
    with shelved(lineage, {}):
        other.start()
        assert not entered.wait(0.1)
    other.join()
    assert entered.is_set()
    assert ConfigStore.instance().repo is own
