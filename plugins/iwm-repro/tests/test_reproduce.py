"""Claims that are run: each run once, gone on with, named where it fails, ruled on; other seeds held against the record."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from claimed import MISSING, MODELS, claim
from iwm_cluster.jobs import Ended
from iwm_repro.claim import Correlation, Rule
from iwm_repro.places import job_of, name_of
from iwm_repro.record import HOLDS, MEASURED, NOT, OPEN, read, write
from iwm_repro.record import MISSING as NOT_RUN
from iwm_repro.registered import all_claims
from iwm_repro.ruling import verdict_of
from iwm_repro.shown import as_markdown

from iwm_core.cli.main import dispatch

RESULT = Path("results/alike-cpu.json")


def test_each_run_is_made_once_and_ruled_on(bring, reproduce):
    bring()
    begun, status, said = reproduce()
    assert status == 0
    assert "4 of 4 runs to do: about 0 minutes on two CPU cores" in said
    assert [words[:2] for words in begun] == [["train", "recipe=tiny"]] * 4
    assert [word for words in begun for word in words if word.startswith("train.seed")] == ["train.seed=0"] * 2 + ["train.seed=1"] * 2
    record = read(RESULT)
    assert (record.verdict, record.missing, record.seeds, record.cost.runs) == (HOLDS, 0, [0, 1], 4)
    told = json.loads((job_of(MODELS["shift"], 1, "cpu").path / "eval/error.json").read_text())["metrics"]["error"]
    assert record.rows[0].numbers["error"].values["1"] == told["value"]

    begun, status, said = reproduce()
    assert (begun, status) == ([], 0)
    assert "all 4 runs are there" in said
    assert f"verdict: {HOLDS}" in said

    begun, status, said = reproduce("--seeds", "0,2")
    assert status == 0
    assert len(begun) == 2, "seed 0 is there"
    assert "seeds 0, 2: 2 of 2 values lie inside of the intervals on record (seeds 0, 1)" in " ".join(said.split())
    assert read(RESULT) == record, "other seeds do not replace it"


def test_it_goes_on_where_it_was_stopped(bring, reproduce):
    bring(seeds=(0,))
    begun, status, said = reproduce(ending=lambda words: Ended(130, 2) if "predictor=none" in words else None)
    assert status == 130
    assert len(begun) == 2
    assert said.splitlines()[3:] == ["ended by Ctrl-C; go on with: iwm reproduce alike --scale cpu"], "after the cost and the two runs"
    record = read(RESULT)
    assert (record.verdict, record.missing) == (NOT_RUN, 1)
    assert record.rows[1].numbers == {}, "what was not run is no figure"
    run = job_of(MODELS["none"], 0, "cpu").path
    shutil.copytree("trained/none", run)
    (run / "eval/error.json").unlink()  # trained, and stopped before it was measured
    begun, status, said = reproduce()
    assert begun == [["resume", str(run)]]
    assert "1 of 2 runs to do, 1 are there" in said
    assert read(RESULT).verdict == HOLDS


def test_what_fails_is_named_and_the_rest_goes_on(bring, reproduce):
    bring(tuned=True, seeds=(0,))
    begun, status, said = reproduce(ending=lambda words: Ended(7, 0) if "predictor=none" in words else None)
    assert status == 7
    assert len(begun) == 2, "what the failed model would be tuned for is not begun"
    assert f"not finished: runs/repro/cpu/{name_of(MODELS['none'])}-s0 (alike): status 7" in said
    assert f"{name_of(MISSING)}-s0 (alike): not begun, as" in said
    assert said.splitlines()[-1] == "go on with: iwm reproduce alike --scale cpu"
    assert "verdict: not run (2 runs have not finished)" in said


def test_a_claim_that_cannot_be_ruled_on_does_not_stop_the_others(bring, reproduce, tmp_path, monkeypatch):
    other = replace(claim(tmp_path / "results", seeds=(0,)), name="other")
    bring(other, seeds=(0,), most=1e-6)
    brought = {name: one for name, one in all_claims().items() if one.plugin.name == "mine"}
    monkeypatch.setattr("iwm_repro.command_line.all_claims", lambda: brought)
    fails = {words: Ended(7, 0) for words in ("predictor=none",)}
    begun, status, said = reproduce(name="all", ending=lambda words: next((fails[word] for word in words if word in fails), None))
    assert (len(begun), status) == (2, 7), "they share both runs"
    assert f"not finished: runs/repro/cpu/{name_of(MODELS['none'])}-s0 (alike, other): status 7" in said
    assert "go on with: iwm reproduce all --scale cpu" in said
    assert "other (cpu): tiny models err alike" in said
    assert [line for line in said.splitlines() if "alike: runs/repro" in line and "it lies from 0 to 1e-06" in line]
    assert read(Path("results/other-cpu.json")).missing == 1
    assert reproduce(name="all")[1] == 2


RULES = {
    HOLDS: Rule(says="", left=("shift", "error"), right=0.0, low=0.0),
    NOT: Rule(says="", left=("shift", "error"), right=0.0, low=1e6),
    OPEN: Rule(says="", left=("shift", "error"), right=("none", "error"), low=-1e-9, high=1e-9),
    NOT_RUN: Rule(says="", left=("tuned", "accuracy"), right=0.0),
}


def test_verdicts(bring, reproduce):
    """Of one seed: the interval over images has a width. One rule that does not hold is enough, and nothing holds that is not run."""
    bring(rules=(*RULES.values(), Correlation(says="", x="error", y="error")), tuned=True, seeds=(0,))
    reproduce(ending=lambda words: Ended(7, 0) if words[0] == "tune" else None)
    record = read(RESULT)
    assert [rule.verdict for rule in record.rules] == [*RULES, NOT_RUN], "two rows correlate with nothing"
    assert record.verdict == NOT
    assert verdict_of([HOLDS, OPEN, NOT_RUN]) == NOT_RUN
    assert verdict_of([HOLDS, OPEN]) == OPEN
    assert verdict_of([HOLDS, HOLDS]) == HOLDS


def test_a_claim_without_rules_has_no_verdict(bring, reproduce):
    bring(rules=(), seeds=(0,))
    _, _, said = reproduce(ending=lambda words: Ended(7, 0) if "predictor=none" in words else None)
    assert "no rule, and so no verdict (1 run has not finished)" in said
    assert read(RESULT).verdict == NOT_RUN
    _, status, said = reproduce()
    assert (status, read(RESULT).verdict) == (0, MEASURED)
    assert "**No rule, and so no verdict**. Measured on noise" in as_markdown(read(RESULT))
    assert "| rule |" not in as_markdown(read(RESULT))
    assert "verdict: holds" not in said


def test_a_record_is_not_replaced_by_less(bring, reproduce, monkeypatch, tmp_path):
    bring()
    reproduce()
    record = read(RESULT)
    Path("other").mkdir()
    monkeypatch.chdir("other")
    _, status, said = reproduce(ending=lambda words: Ended(7, 0) if "train.seed=1" in words else None)
    assert status == 7
    assert "holds 4 runs, and here are 2; it is left as it is: write out=FOLDER" in said
    assert read(tmp_path / RESULT) == record
    _, status, said = reproduce(ending=lambda words: Ended(130, 2))
    assert (status, said.splitlines()[-1]) == (130, "ended by Ctrl-C; go on with: iwm reproduce alike --scale cpu")
    assert read(tmp_path / RESULT) == record
    bring(seeds=(0,))
    assert reproduce()[1] == 0
    assert read(tmp_path / RESULT).cost.runs == 2, "of a claim that asks for fewer runs, it is whole"


def test_other_seeds_are_held_against_the_record(bring, reproduce):
    bring(seeds=(0,))
    _, status, said = reproduce("--seeds", "3")
    assert status == 0
    assert "nothing is on record to hold them against: `iwm reproduce alike --scale cpu` makes the record" in said
    assert not RESULT.exists()
    reproduce()
    record = RESULT.read_bytes()
    found = job_of(MODELS["shift"], 3, "cpu").path / "eval/error.json"
    held = json.loads(found.read_text())
    del held["checksum"]
    held["metrics"]["error"]["value"] = held["metrics"]["error"]["high"] + 1
    found.write_text(json.dumps(held))
    begun, status, said = reproduce("--seeds", "3")
    assert (begun, status) == ([], 0), "where values lie is no failure"
    lines = said.splitlines()
    assert [line.split()[-1] for line in lines if line.startswith(("shift", "none"))][-2:] == ["no", "yes"]
    (told,) = (line for line in lines if "values lie inside" in line)
    assert told.startswith("seeds 3: 1 of 2 values lie inside of the intervals on record (seeds 0); with one training each on record")
    assert RESULT.read_bytes() == record, "it is left as it is"

    shutil.rmtree(job_of(MODELS["none"], 3, "cpu").path)
    _, status, said = reproduce("--seeds", "3", ending=lambda words: Ended(7, 0))
    assert status == 7
    assert "0 of 1 values lie inside of the intervals on record (seeds 0); 1 more are on record, and have not been run" in said
    assert RESULT.read_bytes() == record


@pytest.mark.parametrize("where", ["out=file/below", "out=/proc/none", "runs"])
def test_what_cannot_be_written_is_refused_before_the_first_run(bring, reproduce, where):
    bring(seeds=(0,))
    Path("file").write_text("")
    if where == "runs":
        Path("runs").write_text("")
    begun, status, said = reproduce(*([where] if where != "runs" else []))
    assert (begun, status) == ([], 2)
    assert "cannot make the folder" in said.splitlines()[-1]


def test_a_damaged_record_is_refused_before_the_first_run(bring, reproduce):
    bring(seeds=(0,))
    RESULT.parent.mkdir()
    RESULT.write_text("{")
    begun, status, said = reproduce()
    assert (begun, status) == ([], 2)
    assert "alike-cpu.json is damaged" in said


def test_a_damaged_record_is_told(iwm, bring, reproduce):
    bring(seeds=(0,))
    reproduce()
    RESULT.write_text(RESULT.read_text().replace('"value": ', '"value": 1'))
    for told in ("alike-cpu.json is damaged", "is no record of iwm reproduce"):
        status, warned = iwm("reproduce")
        assert status == 0, "the list goes on"
        assert len(warned.splitlines()) == 1
        assert told in warned
        assert "`iwm reproduce CLAIM` writes it anew" in warned
        RESULT.write_text("{}")


def test_a_record_of_another_claim_is_no_verdict_on_this(iwm, bring, reproduce):
    bring(seeds=(0,))
    reproduce()
    record = read(RESULT)
    for other in (replace(record, claim="alik"), replace(record, claim="alike-cpu"), replace(record, scale="gpu")):
        write(other, RESULT)
        assert f"alike-cpu.json is a record of the claim {other.claim}, --scale {other.scale}; remove it" in iwm("reproduce")[1]
    assert reproduce()[:2] == ([], 2)


def test_a_number_that_is_not_measured_is_told(bring, reproduce):
    bring(seeds=(0,))
    reproduce()
    run = job_of(MODELS["none"], 0, "cpu").path
    held = json.loads((run / "eval/error.json").read_text())
    del held["metrics"]["error"], held["checksum"]
    (run / "eval/error.json").write_text(json.dumps(held))
    _, status, said = reproduce()
    assert status == 2
    assert "eval/error.json tells no error; the claim asks for a number" in said
    for odd in ({"value": 1.0, "low": 1.0, "high": 1.0}, {"value": "1", "low": 1.0, "high": 1.0, "n": 9}, [1.0]):
        held["metrics"]["error"] = odd
        (run / "eval/error.json").write_text(json.dumps(held))
        assert "eval/error.json tells no error; the claim asks for a number" in reproduce()[2]
    (run / "eval/error.json").write_text('{"metrics": [], "step": 6}')
    assert [words[0] for words in reproduce()[0]] == ["resume"], "what is no result is measured anew"


def test_a_run_of_another_recipe_is_refused(bring, reproduce):
    bring(seeds=(0,))
    run = job_of(MODELS["none"], 0, "cpu").path
    shutil.copytree("trained/shift", run)
    _, status, said = reproduce()
    assert status == 2
    assert f"{run} (alike) cannot be used: it was made with predictor.name=shift, and recipe=tiny has none now; move it away" in said
    assert (run / "config.yaml").exists()


def test_the_list_tells_what_is_there(bring, reproduce, capsys):
    def line():
        assert dispatch(["reproduce"]) == 0
        return next(line for line in capsys.readouterr().out.splitlines() if line.startswith("alike"))

    bring(seeds=(0,))
    assert "0 of 2" in line()
    run = job_of(MODELS["shift"], 0, "cpu").path
    shutil.copytree("trained/shift", run)
    (run / "eval/error.json").unlink()
    assert "0 of 2, 1 begun" in line()
    reproduce()
    assert "2 of 2" in line()
    assert HOLDS in line()


def test_names_of_runs_tell_what_is_run_and_no_two_alike():
    assert name_of(MODELS["none"]).startswith("tiny-predictor-none-evaluators-error-")
    assert name_of(MISSING).startswith("predictor-none-evaluators-error-recipe-") or "probe_linear" in name_of(MISSING)
    assert len({name_of(work) for work in (*MODELS.values(), MISSING)}) == 3


@pytest.mark.parametrize("rule", [Rule(says="odd", left=("shift", "eror")), Correlation(says="odd", x="error", y="eror")])
def test_a_rule_about_no_number_of_the_table_is_told(tmp_path, rule):
    with pytest.raises(ValueError, match=r"the rule 'odd' is about .*eror, which the table does not have"):
        claim(tmp_path, rules=(rule,))
