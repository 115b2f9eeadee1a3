"""The command line: listings that tools can read, and recipes that print as they run."""

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from places import FURNITURE

from iwm_core import __version__
from iwm_core.cli.main import at_home, dispatch, guarded
from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw


def told(capsys, *words):
    assert dispatch(list(words)) == 0
    return capsys.readouterr().out


# --- listings


@pytest.mark.parametrize(
    ("words", "kind", "names"),
    [
        (["recipes"], "recipe", {"tiny", "quickstart"}),
        (["components"], "encoder", {"vit", "feature", "gain", "folder"}),
        (["components", "predictor"], "predictor", {"feature", "sequence", "adaln", "none", "identity", "shift"}),
        (["components", "predictor", "feature"], "predictor", {"depth", "width", "heads", "mlp_ratio"}),
        (["plugins"], "plugin", {"core", "tiny"}),
    ],
)
def test_json_listings_are_arrays_of_flat_objects(tiny, capsys, words, kind, names):
    rows = json.loads(told(capsys, *words, "--json"))
    assert names <= {row["name"] for row in rows}
    assert kind in {row["kind"] for row in rows}
    for row in rows:
        assert {"kind", "name", "distribution", "version"} <= row.keys()
        assert all(isinstance(value, str) for value in row.values())
        assert row.keys() == rows[0].keys()
    versions = {row["distribution"]: row["version"] for row in rows}
    assert versions.get("iwm-core", __version__) == __version__
    text = told(capsys, *words)
    assert all(any(line.split()[:2].count(name) for line in text.splitlines()) for name in names), "the table shows the same"


def test_options_of_a_component_in_json(tiny, capsys):
    text = " ".join(told(capsys, "components", "action", "jitter").split())
    assert "told brightness, contrast, saturation, hue: about -1 to 1 each" in text
    # Of the widest difference of two sides, 2 x 0.4 for a factor of strength 0.4, 0.3 is 0.24.
    assert "0.3 is brightness ×1.24, contrast ×1.24, saturation ×1.12, hue +0.06 turns" in text
    rows = {row["name"]: row for row in json.loads(told(capsys, "components", "data_source", "folder", "--json"))}
    assert {name: rows["max_corrupt"][name] for name in ("type", "default", "range")} == {
        "type": "float",
        "default": "0.01",
        "range": "0 … 1",
    }
    assert rows["cache"]["range"] == "none | ram | device"
    assert rows["path"]["default"] == "required"
    assert "float" in json.loads(told(capsys, "components", "action", "gain", "--json"))[0]["type"]


def test_every_component_and_every_option_is_documented(tiny):
    entries = [entry for kind in tiny.kinds for entry in tiny.entries(kind).values()]
    assert len(entries) > 15
    for entry in entries:
        label = f"{entry.kind} {entry.name} of {entry.plugin.distribution}"
        first = (entry.component.__doc__ or "").split("\n")[0]
        assert len(first) > 10, label
        assert not first.startswith(f"{entry.component.__name__}("), f"{label}: only the docstring that dataclass makes"
        for field in dataclasses.fields(entry.component):
            assert len(field.metadata.get("doc", "")) > 3, f"{label}.{field.name}"


def test_help_names_every_verb_and_version_is_the_packages(capsys):
    text = told(capsys, "--help")
    for verb in load_plugins().commands:
        assert re.search(rf"^  iwm {verb}\b", text, re.MULTILINE), verb
        own = told(capsys, *verb.split(), "--help")
        assert told(capsys, *verb.split(), "x", "-h") == own
        assert set(own.split("\n\n")[0].splitlines()) <= set(text.splitlines()), "the same forms"
        assert own.partition("examples:")[2].count(f"\n  iwm {verb}") >= 1
        assert 1 <= len(load_plugins().commands[verb].examples) <= 3
    assert told(capsys) == told(capsys, "-h") == text
    assert told(capsys, "--version") == f"iwm {__version__}\n"


@pytest.mark.parametrize("words", [["components", "gizmo"], ["components", "predictor", "featur"], ["plugins", "x"], ["recipes", "--jsno"]])
def test_wrong_listings(tiny, capsys, words):
    assert guarded(lambda: dispatch(words)) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- show


@pytest.mark.parametrize(
    "words",
    [
        ["tiny"],
        ["quickstart"],
        ["tiny", "actions.gain.strength=0.5", "train.lr.warmup=1 epochs", "encoder.depth=2", "view.scale=[0.5,0.9]"],
    ],
)
def test_what_show_prints_is_the_recipe(tiny, capsys, words):
    name, *overrides = words
    text = told(capsys, "show", f"recipe={name}", *overrides)
    assert thaw(OmegaConf.create(text)) == thaw(compose(name, overrides)[0])
    if overrides:
        assert thaw(OmegaConf.create(text)) != thaw(compose(name, [])[0])


def test_show_begins_with_the_recipes_header(tiny, capsys):
    lines = told(capsys, "show", "recipe=tiny").splitlines()
    assert lines[:4] == ["# " + line for line in tiny_header()]
    assert lines[4] == "recipe: tiny"


def tiny_header():
    lines = (FURNITURE / "tiny_recipes/tiny.yaml").read_text().splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("#")]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["show", "recipe=quickstart"], ["plugins"]])
def test_a_reader_that_leaves_early_is_no_error(words, monkeypatch):
    """As `iwm … | head -1`, but the reader is gone before the first byte; output is buffered, as it is for users."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    command = [sys.executable, "-c", "import sys; sys.stdin.read(); from iwm_core.cli.main import main; main()", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        _, error = process.communicate("", timeout=60)
    assert error == ""
    assert process.returncode == 0


@pytest.mark.slow
def test_a_place_below_home_is_there_and_no_folder_of_that_sign(tiny, monkeypatch, tmp_path):
    """Shells leave ``run=~/mine`` as it is."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert dispatch(["train", "recipe=tiny", "run=~/mine", "evaluators=[]", "train.steps=1"]) == 0
    assert dispatch(["report", str(tmp_path / "home/mine"), "out=~/page.html"]) == 0
    assert {path.name for path in (tmp_path / "home").iterdir()} >= {"mine", "page.html"}
    Path("below.yaml").write_text("defaults: [tiny, _self_]\nrun: ~/from-file\n")
    assert dispatch(["train", "recipe=below.yaml", "evaluators=[]", "train.steps=1"]) == 0
    assert (tmp_path / "home/from-file/config.yaml").is_file()
    assert not Path("~").exists()


def test_only_places_of_output_are_looked_for_at_home(monkeypatch):
    monkeypatch.setenv("HOME", "/h")
    words = ["run=~/r", "out=~/o", "map=~/m", "data.path=~/d", "~/x", "a=~", "run=a~", "run=r"]
    assert [at_home(word) for word in words] == ["run=/h/r", "out=/h/o", "map=/h/m", *words[3:]]


def test_train_and_resume_print_the_runs_directory_on_their_first_line(tiny, capsys):
    for words in (["train", "recipe=tiny", "evaluators=[]"], ["resume", "runs/tiny"]):
        assert told(capsys, *words).splitlines()[0] == "runs/tiny"
