"""The door for others: a plugin adds a kind of run and a verb, and every verb of the core works on it, without a line elsewhere."""

import shutil
from pathlib import Path

import denoising_plugin
import iwm_devkit.plugin
import iwm_evals
import pytest
import tiny_plugin
import yaml
from one_line import assert_one_line
from safetensors.torch import load_file
from torch import nn

import iwm_core
from iwm_core.cli.main import dispatch, guarded

TINY, DENOISING = ("tiny", "tiny-plugin", tiny_plugin), ("denoising", "iwm-denoising", denoising_plugin)
DEVKIT = ("devkit", "iwm-devkit", iwm_devkit.plugin)
TRAIN = ("train", "recipe=denoise", "run=r")


@pytest.fixture
def door(fake_entry_points, tmp_path, monkeypatch, capsys):
    """Runs command lines where the core, the tiny plugin's data and the third party's plugin are all there is."""
    fake_entry_points(TINY, DENOISING)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        status = guarded(lambda: dispatch(list(words)))
        return status, *capsys.readouterr()

    return run


def test_a_third_partys_run_is_trained_resumed_and_loaded(door):
    status, out, err = door(*TRAIN)
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "r"
    assert yaml.safe_load(Path("r/config.yaml").read_text())["kind"] == "denoising"
    whole = load_file("r/checkpoints/step_4/model.safetensors")
    shutil.rmtree("r/checkpoints/step_4")
    assert door("resume", "r")[0] == 0
    again = load_file("r/checkpoints/step_4/model.safetensors")
    assert whole.keys() == again.keys()
    assert all(whole[name].equal(again[name]) for name in whole), "it goes on as if it had never stopped"
    assert "nothing to do" in door("resume", "r")[1]
    assert isinstance(iwm_core.load("r"), nn.Module)


def test_a_third_partys_verb_is_in_the_help_and_runs(door):
    assert "iwm denoise RUN" in door("--help")[1]
    assert door("denoise", "--help")[1].startswith("  iwm denoise RUN")
    assert door(*TRAIN)[0] == 0
    assert door("denoise", "r")[:2] == (0, "r: 223 parameters\n")


def test_its_settings_are_checked_as_the_cores_are(door, fake_entry_points):
    """The core alone refuses what is wrong; iwm-devkit knows what was meant, and shows recipes."""
    for fix in ("noise.strenght",), ("unknown key 'noise.strenght'", "noise.strength=1"):
        status, _, err = door(*TRAIN, "noise.strenght=1")
        assert_one_line((status, err), *fix)
        status, _, err = door(*TRAIN, "noise.strength=-1")
        assert_one_line((status, err), "noise.strength must be at least 0")
        fake_entry_points(DEVKIT, TINY, DENOISING)
    assert "strength: 0.3" in door("show", "recipe=denoise", "noise.strength=0.3")[1]
    assert not Path("r").exists()


def test_a_run_whose_plugin_is_gone_says_so(door, fake_entry_points):
    assert door(*TRAIN)[0] == 0
    fake_entry_points(TINY, ("evals", "iwm-evals", iwm_evals))
    for verb in ("resume", "eval"):
        status, _, err = door(verb, "r")
        assert_one_line((status, err), "no installed plugin gives runs of the kind 'denoising'", "pip install the plugin")
    status, _, err = door("denoise", "r")
    assert_one_line((status, err), "there is no verb 'denoise'", "pip install iwm")
