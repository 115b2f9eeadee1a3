"""Runs that cannot be used, as they are damaged, copied or of another recipe, and two commands at once: told, and the rest goes on."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from claimed import MODELS, claim, copy_run
from iwm_repro.places import RUNS, job_of
from iwm_repro.record import HOLDS, read
from iwm_repro.registered import all_claims

from iwm_core.cli.main import dispatch

RESULT = Path("results/alike-cpu.json")


def run_of(name, seed=0):
    return job_of(MODELS[name], seed, "cpu").path


def no_config(run):
    (run / "config.yaml").unlink()


def broken_config(run):
    (run / "config.yaml").write_text("recipe: [")


def no_state(run):
    for file in run.glob("checkpoints/*/state.json"):
        file.unlink()


def a_file(run):
    shutil.rmtree(run)
    run.write_text("")


def of_another_seed(run):
    shutil.rmtree(run)
    copy_run("trained/none", run, 5)


DAMAGES = {
    no_config: "it has no config.yaml, and so is no run; bring that back, or move it away to make it anew: mv ",
    broken_config: "config.yaml is damaged",
    no_state: "state.json is missing",
    a_file: "it has no config.yaml, and so is no run",
    of_another_seed: "it was made with train.seed=5, and its place is that of 0; move it away to make it anew: mv ",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_one_run_that_cannot_be_used_is_told_and_the_rest_goes_on(bring, reproduce, tmp_path, capsys, damage):
    bring(replace(claim(tmp_path / "results", seeds=(3,)), name="other"), seeds=(0,))
    run = run_of("none")
    copy_run("trained/none", run)
    copy_run("trained/none", run_of("none", 3), 3)
    damage(run)
    assert dispatch(["reproduce", "--json"]) == 0
    printed = capsys.readouterr()
    told = {one["name"]: one for one in json.loads(printed.out)}
    assert (told["alike"]["runs"], told["other"]["runs"]) == ("0 of 2, 1 unusable", "1 of 2")
    assert DAMAGES[damage] in told["alike"]["problem"]
    assert told["other"]["problem"] == ""
    (warned,) = (line for line in printed.err.splitlines() if str(run) in line)
    assert f"{run} (alike) cannot be used: " in warned

    begun, status, said = reproduce()
    assert status == 2
    assert [words[0] for words in begun] == ["train"], "the other model is trained all the same"
    assert said.count(f"{run} (alike) cannot be used: ") == 2, "before the first run, and at the end"
    assert DAMAGES[damage] in said
    record = read(RESULT)
    assert (record.missing, record.rows[1].numbers, record.cost.runs) == (1, {}, 1)
    assert run.exists()
    assert reproduce()[:2] == ([], 2), "nor is it used later"


def test_what_a_killed_start_left_is_begun_again(bring, reproduce):
    bring(seeds=(0,))
    run_of("none").mkdir(parents=True)
    (run_of("none") / "env.json").write_text("{}")
    begun, status, _ = reproduce()
    assert (len(begun), status) == (2, 0)


def test_a_result_that_cannot_be_read_is_measured_again(bring, reproduce):
    bring(seeds=(0,))
    reproduce()
    for texts in (("[" * 100_000, "[]"), ('{"format": 1, "metrics": 3, "step": 6}', '{"format": 99}')):
        for name, text in zip(MODELS, texts, strict=True):
            (run_of(name) / "eval/error.json").write_text(text)
        begun, status, _ = reproduce()
        assert (begun, status) == ([["resume", str(run_of(name))] for name in MODELS], 0)
        assert read(RESULT).verdict == HOLDS


def test_a_damaged_record_leaves_out_its_claim_alone(bring, reproduce, tmp_path, monkeypatch):
    bring(replace(claim(tmp_path / "results", seeds=(3,)), name="other"), seeds=(0,))
    brought = {name: one for name, one in all_claims().items() if one.plugin.name == "mine"}
    monkeypatch.setattr("iwm_repro.command_line.all_claims", lambda: brought)
    RESULT.parent.mkdir()
    RESULT.write_text("{")
    begun, status, said = reproduce(name="all")
    assert (len(begun), status) == (2, 2)
    assert "alike is left out: " in said
    assert read(Path("results/other-cpu.json")).verdict == HOLDS
    assert RESULT.read_text() == "{", "it is left as it is"


def test_a_recipe_that_is_edited_meanwhile_is_told(bring, reproduce):
    """What the first run was made with is no longer what the recipe says once the second ends: two recipes are not compared as one."""
    bring(seeds=(0,))
    config = run_of("shift") / "config.yaml"

    def edit(words):
        if "predictor=none" in words:
            config.write_text(config.read_text().replace("batch_size: 8", "batch_size: 4"))

    begun, status, said = reproduce(ending=edit)
    assert (len(begun), status) == (2, 2)
    told = f"{config.parent} (alike) cannot be used: it was made with train.batch_size=4, and recipe=tiny has 8 now; move it away"
    assert said.count(told) == 1, "at the end"
    assert read(RESULT).missing == 1


HOLDING = """
import sys
from pathlib import Path
from iwm_core.run.lock import writer
with writer(Path(sys.argv[1]), "reproduce", print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_two_commands_at_once(bring, reproduce):
    """One makes the runs, and the other says so; what is there can be looked at meanwhile."""
    bring(seeds=(0,))
    (RUNS / "cpu").mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", HOLDING, RUNS / "cpu"], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "held\n"
        begun, status, said = reproduce()
        assert (begun, status) == ([], 2)
        assert f"runs/repro/cpu is in use by iwm reproduce, process {other.pid} " in said.splitlines()[-1]
        assert "wait until that ends, then ask again: what it has finished is not run again" in said.splitlines()[-1]
        for name in MODELS:
            copy_run(f"trained/{name}", run_of(name))
        begun, status, said = reproduce()
        assert (begun, status) == ([], 0)
        assert read(RESULT).verdict == HOLDS
        other.stdin.close()


def test_what_another_command_finishes_meanwhile_is_not_run_again(bring, reproduce):
    bring(seeds=(0,))
    begun, status, _ = reproduce(ending=lambda words: copy_run("trained/none", run_of("none")))
    assert (len(begun), status) == (1, 0)
    assert read(RESULT).missing == 0
