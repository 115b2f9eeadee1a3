"""Runs go to a hub and come back by their address: whole, pinned, without anything of this machine, and with one line for each mistake.

The hub is a stand-in on the loopback interface (tests/furniture/hub_stand_in.py): the real one was not reached by any test.
"""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub_stand_in import TOKEN, stand_in
from huggingface_hub import constants

import iwm_core
from iwm_core.cli.main import dispatch, guarded

SMALL = [
    "image_size=32",
    "encoder.patch_size=8",
    "encoder.width=32",
    "encoder.depth=1",
    "encoder.heads=2",
    "predictor.width=16",
    "predictor.depth=1",
]
TRAINED = [*SMALL, "predictor.heads=2", "data.train=64", "data.validation=32", "train.batch_size=16", "launch.device=cpu", "train.steps=2"]
TRAINED += ["evaluators=[mrr]", "evaluators.mrr.images=8", "evaluators.mrr.bank=8", "train.lr.warmup=1", "train.log_every=1"]


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("a-secret-place") / "run"
    assert dispatch(["train", "recipe=quickstart", *TRAINED, f"run={path}"]) == 0
    return path


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub, and huggingface_hub as `HF_ENDPOINT`, `HF_HOME` and `HF_TOKEN` would set it."""
    with stand_in() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        yield hub


def pushed(capsys, run, *words):
    assert dispatch(["push", str(run), *words]) == 0
    out, err = capsys.readouterr()
    assert TOKEN not in out + err
    return next(line for line in out.splitlines() if line.startswith("hf://"))


def line(capsys, *words):
    assert guarded(lambda: dispatch([*map(str, words)])) == 2
    err = capsys.readouterr().err
    assert TOKEN not in err
    (told,) = [text for text in err.splitlines() if text.startswith("iwm: ")]
    assert len(told) <= 400
    return told


def images(count=3):
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_what_comes_back_is_the_run(hub, run, capsys):
    address = pushed(capsys, run, "me/small", "licence=Apache-2.0")
    assert hub.private == {"me/small": True}
    own, theirs = iwm_core.load(run, device="cpu"), iwm_core.load("hf://me/small", device="cpu")
    for one, other in zip(own.model.parameters(), theirs.model.parameters(), strict=True):
        assert torch.equal(one, other), "student, teacher and predictor"
    assert torch.equal(own.imagine(images(), {}), theirs.imagine(images(), {}))
    assert theirs.step == own.step == 2
    results = [{one.name: one.metrics for one in iwm_core.measured(place)} for place in (run, "hf://me/small")]
    assert repr(results[0]) == repr(results[1])
    assert [one.own and not one.differing for one in iwm_core.measured(address)] == [True]
    assert address == f"hf://me/small@{hub.at('me/small', 'main')}"


@pytest.mark.slow
def test_every_verb_that_reads_a_run_takes_an_address(hub, run, capsys):
    address = pushed(capsys, run, "me/small", "licence=CC0")
    assert dispatch(["eval", "hf://me/small", "launch.device=cpu", "evaluators.mrr.bank=4"]) == 0
    assert dispatch(["report", str(run), "hf://me/small", "out=both.html"]) == 0
    assert dispatch(["export", "hf://me/small", "out=e", "--format", "safetensors"]) == 0
    card = Path("e/README.md").read_text()
    assert address in card, "what is made of it tells the commit that it was made of"
    assert "license: cc0" in card
    tuning = ["launch.device=cpu", "budget=cpu", "train.epochs=null", "train.steps=1", "data.validation=16", "run=tuned"]
    assert dispatch(["tune", "hf://me/small", "recipe=tune/probe_linear", *tuning]) == 0
    assert f"hf--me--small@{address.partition('@')[2]}" in Path("tuned/config.yaml").read_text()


def test_a_revision_is_pinned(hub, run, capsys):
    first = pushed(capsys, run, "me/small")
    hub.commit("me/small", {"README.md": b"nothing else"})
    assert iwm_core.load(first, device="cpu").step == 2
    assert "holds no run of iwm" in line(capsys, "eval", "hf://me/small")
    assert "has no revision 'v9'" in line(capsys, "eval", "hf://me/small@v9")


def test_nothing_of_this_machine_is_pushed(hub, run, capsys):
    pushed(capsys, run, "me/small")
    files = hub.commits["me/small"][hub.at("me/small", "main")]
    assert set(files) >= {"README.md", "config.yaml", "iwm.json", "metrics.jsonl", "eval/mrr.json", "checkpoints/step_2/model.safetensors"}
    assert not any("optimizer" in name or name.startswith((".lock", "env", "report")) for name in files)
    secrets = [str(run.parent), run.parent.name, socket.gethostname(), str(Path.home()), sys.argv[0], str(Path.cwd())]
    for name, content in files.items():
        for secret in secrets:
            if len(secret) > 3:
                assert secret.encode() not in content, (name, secret)
    for record in ("config.yaml", "eval/mrr.json"):
        assert not re.search(rb"[\"' ](/|~)\w", files[record]), "no absolute path"
    assert json.loads(files["iwm.json"])["files"].keys() == set(files) - {"iwm.json", ".gitattributes"}


def test_what_was_fetched_is_there_offline(hub, run, capsys, monkeypatch):
    address = pushed(capsys, run, "me/small")
    before = iwm_core.load("hf://me/small", device="cpu").encode(images())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.asked)
    for place in ("hf://me/small", address):
        assert torch.equal(iwm_core.load(place, device="cpu").encode(images()), before)
    assert "go online once" in line(capsys, "eval", "hf://me/another")
    told = line(capsys, "push", run, "me/small")
    assert "HF_HUB_OFFLINE is set, and nothing was pushed to hf://me/small: go online, then the same command again" in told
    assert "cache" not in told
    assert len(hub.asked) == asked, "nobody was asked"


def test_a_push_that_is_interrupted_goes_on(hub, run, capsys):
    hub.failing = 1
    assert "failed with HTTP status 400: the same command goes on" in line(capsys, "push", run, "me/small")
    assert len(hub.commits["me/small"]) == 1, "no half of a run"
    pushed(capsys, run, "me/small")
    first = sum(one.startswith("PUT") for one in hub.asked)
    pushed(capsys, run, "me/small")
    assert sum(one.startswith("PUT") for one in hub.asked) == first == 2, "weights that are there are not sent again"


def test_a_public_repository_is_pushed_to_only_as_one(hub, run, capsys):
    pushed(capsys, run, "me/open", "--public")
    assert hub.private == {"me/open": False}
    assert "hf://me/open is public: add --public" in line(capsys, "push", run, "me/open")
    pushed(capsys, run, "me/open", "--public")


NO_ADDRESSES = [
    "a",
    "x/y@../..",
    "x/y@",
    "x/y@a b",
    "x/y@a//b",
    "x/../y",
    "../x/y",
    "x/y/z",
    "x/.y",
    "x--y/z",
    "x/y.git",
    "x/y?z",
    "é/y",
    "x/" + "y" * 99,
]
NO_ADDRESSES += ["@main", "/x/y", "x/y@-f", "x\\y/z", "x/y#z"]


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_nobody_is_asked_for_what_is_no_address(hub, capsys, address):
    for verb in ("eval", "report", "features"):
        assert "is no address of the Hub: write hf://OWNER/NAME" in line(capsys, verb, f"hf://{address}")
    assert hub.asked == []


@pytest.mark.parametrize("name", [name for name in NO_ADDRESSES if "@" not in name])
def test_nothing_is_pushed_to_what_is_no_name(hub, run, capsys, name):
    assert "say as what, once, with the owner before it" in line(capsys, "push", run, name)
    assert hub.asked == []


def test_mistakes_get_one_line(hub, run, capsys, monkeypatch):
    pushed(capsys, run, "me/small", "licence=MIT")
    for words, told in {
        ("push", run): "say as what, once, with the owner before it",
        ("push", run, "small"): "say as what, once, with the owner before it",
        ("push", run, "me/small", "--pubic"): "did you mean --public?",
        ("push", run, "me/small", "public=1"): "cannot read 'public=1'",
        ("push", run, "theirs/small"): "may not be changed or read by you",
        ("push", "nowhere", "me/small"): "nowhere is not a run",
        ("push", run, "me/small", "checkpoint=step_9"): "has no checkpoint=step_9",
        ("push", "hf://me/small", "me/again", "licence=CC0"): "these weights came under MIT, which is kept",
        ("eval", "hf://me/missing"): "is not there, or is private and you may not see it",
        ("eval", "hf://me/sm all"): "is no address of the Hub",
        ("eval", "hf://"): "is no address of the Hub",
        ("eval", "hff://me/small"): "no installed plugin brings models from hff://; did you mean hf://?",
    }.items():
        assert told in line(capsys, *words), words
    pushed(capsys, run, "me/other")
    monkeypatch.setenv("HF_TOKEN", "hf_another")
    assert "is not there, or is private and you may not see it: check the name, or log in" in line(capsys, "eval", "hf://me/other")
    assert "log in with `hf auth login`" in line(capsys, "push", run, "me/small")


@pytest.mark.parametrize("name", ["../outside", "checkpoints/step_2/../../../outside", "weights.pkl", "/etc/passwd", ".hidden"])
def test_a_strangers_file_of_another_name_is_not_taken(hub, run, capsys, tmp_path, name):
    hub.private["bad/one"] = False
    hub.commit("bad/one", {"config.yaml": b"a: 1", "iwm.json": json.dumps({"format": 1, "files": {name: "0" * 64}}).encode()})
    assert "it is not taken" in line(capsys, "eval", "hf://bad/one")
    assert not list(tmp_path.rglob("*outside*"))


def test_a_damaged_or_missing_file_is_told(hub, run, capsys):
    pushed(capsys, run, "me/small")
    for text in (b"{", b"[]", b'{"format": 9, "files": {}}', b'{"files": 3}'):
        hub.private["bad/torn"] = False
        hub.commit("bad/torn", {"iwm.json": text})
        assert "iwm.json of hf://bad/torn@" in line(capsys, "eval", "hf://bad/torn")
    files = dict(hub.commits["me/small"][hub.at("me/small", "main")])
    hub.commit("me/small", {**files, "config.yaml": files["config.yaml"] + b"\n"})
    assert "config.yaml of hf://me/small@" in line(capsys, "eval", "hf://me/small")
    hub.commit("me/small", {name: content for name, content in files.items() if name != "checkpoints/step_2/state.json"})
    assert "lacks checkpoints/step_2/state.json" in line(capsys, "eval", "hf://me/small")
    assert [path.name for path in (Path("cache/iwm")).iterdir()] == [], "nothing half is left"


@pytest.mark.slow
def test_as_a_user_sets_it_by_the_environment(hub, run, tmp_path):
    """The stand-in is found by ``HF_ENDPOINT``, and the library's own settings hold, in a process of its own."""
    names = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN}
    command = [sys.executable, "-m", "iwm_core.cli", "push", str(run), "me/small"]
    done = subprocess.run(command, env={**os.environ, **names}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    assert hub.at("me/small", "main")
    assert all(TOKEN.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()), "it is written nowhere"
