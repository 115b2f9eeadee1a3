"""The reports of runs that claims have trained: what is on record of each claim, whichever of its runs they are of."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from claimed import MODELS, claim, copy_run
from iwm_cluster.jobs import Ended
from iwm_report.added import Page
from iwm_report.run_record import read_run
from iwm_repro.places import job_of
from iwm_repro.record import file_of, read, write
from iwm_repro.reported import add_claims
from iwm_repro.shown import cells, interval_of
from report_page import report
from report_runs import config, make_run

RESULT = Path("results/alike-cpu.json")


def run_of(name, seed=0):
    return job_of(MODELS[name], seed, "cpu").path


class Added:
    """What is added to the page of some runs: its texts, and the rows of its tables by their first cells."""

    def __init__(self, *runs):
        page = Page([read_run(run, run.name) for run in runs])
        add_claims(page)
        parts = [part for section in page.sections for part in section.parts]
        self.problems = [problem for run in page.runs for problem in run.problems]
        self.texts = [part.text for part in parts if part.kind in ("text", "heading")]
        self.rows = {row[0]: row for part in parts if part.kind == "table" for row in part.rows}
        self.tables = [part for part in parts if part.kind == "table"]

    def of_run(self, run):
        return list(self.rows[run.name][1:])


@pytest.fixture
def ruled(bring, reproduce):
    """Both runs of a claim, and its record."""
    bring(seeds=(0,))
    reproduce()
    return read(RESULT)


def test_a_report_has_the_claim_whole_whichever_of_its_runs_are_given(ruled):
    page = report(run_of("shift"))
    assert page.text.count("Tiny models err alike.") == 1
    for line in ruled.rows:
        assert page.row(line.label) == [line.label, cells(line, ruled.columns)[1], ""], "both models, with intervals"
    (rule,) = ruled.rules
    assert page.row(rule.says) == [rule.says, interval_of(rule), rule.verdict]
    assert "Verdict: holds. Measured on noise at 16 px; one training each (seed 0)" in page.text
    assert "This page has 1 of its 2 runs:" in page.text
    assert page.row(run_of("shift").name) == [run_of("shift").name, "shift", "0", "as it says"]
    assert "iwm reproduce alike --scale cpu" in page.text


def test_what_runs_are_of_a_claim_and_beside_its_record_is_told(ruled):
    """One tells another number, one has a seed that is not in it, one has not finished; the claim is told once for all of them."""
    seventh, eighth = run_of("shift", 7), run_of("none", 8)
    copy_run("trained/shift", seventh, 7)
    copy_run("trained/none", eighth, 8)
    shutil.rmtree(eighth / "checkpoints")
    file = run_of("shift") / "eval/error.json"
    held = json.loads(file.read_text())
    del held["checksum"]
    held["metrics"]["error"]["value"] = 0.125
    file.write_text(json.dumps(held))
    added = Added(run_of("shift"), run_of("none"), seventh, eighth)
    assert added.texts.count("Tiny models err alike.") == 1
    assert "This page has 2 of its 2 runs:" in added.texts
    kept = ruled.rows[0].numbers["error"].values["0"]
    assert added.of_run(run_of("shift")) == ["shift", "0", f"error 0.125, there {kept:.3f}"]
    assert added.of_run(run_of("none")) == ["none", "0", "as it says"]
    assert added.of_run(seventh) == ["shift", "7", "this seed is not in it"]
    assert added.of_run(eighth) == ["none", "8", "not finished"]
    assert "This page has none of its 2 runs, but others of its models:" in Added(seventh).texts
    copy_run("trained/shift", run_of("shift", 9))
    assert Added(run_of("shift", 9)).of_run(run_of("shift", 9)) == ["shift", "9", "it is of seed 0, and lies in the place of another"]


def test_a_missing_or_damaged_record_is_told_and_the_rest_is_shown(ruled):
    whole = RESULT.read_text()
    for text in ("{", "{}", whole[:300], whole.replace("holds", "does")):
        RESULT.write_text(text)
        added = Added(run_of("shift"))
        (problem,) = added.problems
        assert "alike-cpu.json" in problem
        assert "`iwm reproduce CLAIM` writes it anew" in problem
        assert f"Its record cannot be read: {problem}." in added.texts
        assert added.of_run(run_of("shift")) == ["shift", "0", "trained"]
    RESULT.unlink()
    added = Added(run_of("shift"))
    assert "It has not been ruled on yet: there is no alike-cpu.json." in added.texts
    assert added.of_run(run_of("shift")) == ["shift", "0", "trained"]
    assert added.texts[-1] == "iwm reproduce alike --scale cpu"
    write(replace(ruled, verdict="undecided"), file_of(Path("runs/repro"), "alike", "cpu"))
    texts = Added(run_of("shift")).texts
    assert any("Verdict: undecided." in text for text in texts), "where claims are installed, it lies beside the runs"


def test_what_was_not_run_is_called_so(bring, reproduce):
    bring(tuned=True, seeds=(0,))
    reproduce(ending=lambda words: Ended(7, 0) if words[0] == "tune" else None)
    added = Added(run_of("none"))
    assert added.rows["tuned"] == ["tuned", "not run", "not run"]
    assert added.tables[0].marks[2] is None, "without an interval"


def test_a_run_of_several_claims_is_told_of_each_and_a_tuned_model_as_such(bring, tmp_path):
    other = replace(claim(tmp_path / "elsewhere", tuned=True), name="other")
    size = other.sizes["cpu"]
    tuned = {label: row for label, row in size.rows.items() if label == "tuned"}
    bring(replace(other, sizes={"cpu": replace(size, rows=tuned, rules=())}))
    shutil.copytree("trained/none", run_of("none"))
    added = Added(run_of("none"))
    assert [table.rows[0][1] for table in added.tables] == ["none", "the world model that is tuned"]
    assert [text for text in added.texts if "--scale cpu" in text and "iwm" not in text] == ["alike, --scale cpu", "other, --scale cpu"]


def test_what_no_claim_asks_for_has_no_claims(bring):
    bring()
    for place in ("quickstart", "repro/cpu/tiny-predictor-shift-00000000-s0", f"repro/gpu/{run_of('shift').name}", run_of("shift").name):
        path = make_run(Path("runs") / place, settings=config(), charts=(), logs=False)
        assert Added(path).texts == []


def test_claims_that_cannot_be_loaded_do_not_spoil_a_report(bring):
    bring(3)
    shutil.copytree("trained/shift", run_of("shift"))
    (problem,) = Added(run_of("shift")).problems
    assert "claims are left out of this page: mine gives int in iwm_claims" in problem
