"""The command line of `iwm reproduce`: what it means, and one line for each mistake."""

import json
from pathlib import Path

import pytest
from asked_by import asked_by
from claimed import Bringing, claim
from iwm_repro.command_line import read_arguments
from iwm_repro.registered import all_claims
from one_line import assert_one_line

from iwm_core.cli.main import dispatch
from iwm_core.plugins.loader import Plugin


@pytest.fixture
def brought(tiny, tmp_path, monkeypatch):
    """The tiny plugin, and one that brings a claim besides those that are installed."""
    monkeypatch.chdir(tmp_path)
    plugin = Bringing(claim(tmp_path / "results"))
    tiny.plugins.append(Plugin("mine", "dist-of-mine", "0", plugin))
    tiny.manager.register(plugin)
    all_claims.cache_clear()
    yield plugin
    all_claims.cache_clear()


def read(*words):
    return asked_by("reproduce", read_arguments, list(words))


@pytest.mark.usefixtures("brought")
def test_what_is_asked_for():
    asked = read("alike", "--seeds", "3,4,5", "--jobs=2", "out=there", "--scale=cpu")
    assert (asked.name, asked.seeds, asked.out, asked.at_once, asked.scale) == ("alike", (3, 4, 5), Path("there"), 2, "cpu")
    assert read(*asked.words[1:]) == asked
    assert [one.name for one in asked.claims] == ["alike"]
    assert {"alike", "conditioning"} <= {one.name for one in read("all").claims}
    assert "alike" not in {one.name for one in read("all", "--scale", "gpu").claims}
    assert read().claims == ()


@pytest.mark.usefixtures("brought")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("alik", "did you mean alike?"),
        ("alike --scale gpu", "alike has no --scale gpu; it has cpu"),
        ("alike --scale cpus", "--scale must be one of cpu, gpu, got 'cpus'; did you mean --scale cpu?"),
        ("alike --seeds", "--seeds needs a value"),
        ("alike --seeds x", "write --seeds 3,4,5"),
        ("alike --seeds 3,3", "each once"),
        ("alike --seeds -1", "write --seeds 3,4,5"),
        ("alike --seeds 3 --seeds 4", "--seeds is given twice"),
        ("alike --seed 3", "did you mean --seeds?"),
        ("alike train.steps=3", "takes no settings"),
        ("alike out=", "out= names one folder"),
        ("alike out=file", "out=file is a file"),
        ("alike conditioning", "takes one claim, or all"),
        ("out=there", "say which claim"),
        ("alike --jobs 0", "--jobs must be at least 1, got 0; write --jobs 4"),
        ("alike --json", "--json lists claims"),
    ],
)
def test_mistakes_are_one_line(iwm, words, told):
    Path("file").touch()
    assert_one_line(iwm("reproduce", *words.split()), told)


def test_a_claim_that_two_plugins_bring_is_told(iwm, brought, tiny):
    other = Bringing(*brought.claims)
    tiny.plugins.append(Plugin("theirs", "other", "0", other))
    tiny.manager.register(other)
    all_claims.cache_clear()
    assert_one_line(iwm("reproduce"), "dist-of-mine", "other", "the claim 'alike'; remove one of the two")


@pytest.mark.parametrize(("given", "told"), [(["x"], "gives str in iwm_claims"), (3, "failed in iwm_claims: TypeError")])
def test_a_plugin_that_brings_something_else_is_told(iwm, brought, given, told):
    brought.claims = given
    all_claims.cache_clear()
    assert_one_line(iwm("reproduce"), "dist-of-mine", told, "IWM_DISABLED_PLUGINS=mine")


@pytest.mark.usefixtures("brought")
def test_the_list_is_for_programs_too(capsys):
    assert dispatch(["reproduce", "--json"]) == 0
    (mine,) = (one for one in json.loads(capsys.readouterr().out) if one["name"] == "alike")
    assert mine.items() >= {"kind": "claim", "distribution": "dist-of-mine", "version": "0", "runs": "0 of 4", "verdict": "not run"}.items()
