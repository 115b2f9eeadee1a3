"""Reports of runs that have only begun, are old, damaged or misnamed: what is missing is named, with the command that mends it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from report_page import report
from report_runs import config, make_run, metric, png

from iwm_core.cli.main import dispatch, guarded


def test_a_run_that_has_only_begun(here):
    path = Path("runs/new")
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(yaml.safe_dump(config()))
    page = report(path)
    for words in (
        "no checkpoint yet",
        "iwm eval runs/new",
        "iwm resume runs/new",
        "There is no env.json",
        "iwm train recipe=runs/new/config.yaml run=runs/new-again",
    ):
        assert words in page.text


def test_an_evaluation_of_an_earlier_version(here):
    path = make_run("a", measured=False, charts=(), logs=False)
    png(path / "eval", "mrr.png", 40)
    old = {"evaluator": "mrr", "step": 6, "checkpoint": "step_6", "metrics": {"mrr": metric(0.6, 0.5, 0.7)}, "settings": {"bank": 64}}
    (path / "eval/mrr.json").write_text(json.dumps(old))
    page = report(path)
    assert page.row("mrr")[1:3] == ["0.600", "0.500 to 0.700"]
    assert len(page.each("img")) == 1
    assert "In words" not in page.text


DEEP = '{"value": 1, "low": 1, "high": 1, "n": 1, "controls": {"null": '
WORDS = '"name": "c", "title": "t", "x": "x", "y": "y", "about": "a", '


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"metrics": {', "Expecting"),
        ('{"step": 6, "metrics": {}, "charts": [{"name": "c", "kind": "bars", "series": []}]}', "it lacks charts[0].title"),
        ('{"step": 6, "metrics": {}, "charts": [{' + WORDS.replace('"c"', '"../c"') + '"kind": "bars", "series": []}]}', "is not a name"),
        ("[]", "it is a list, not a mapping"),
        ('{"step": 6}', "it lacks 'metrics'"),
        ('{"step": 1e999, "metrics": {}}', "step is a number, not an integer"),
        ('{"step": 6, "metrics": {"x": {"value": 1}}}', "it lacks metrics.x.low"),
        ('{"step": 6, "metrics": {"x": 3}}', "not of the form"),
        ('{"step": "6", "metrics": {}}', "step is a text, not an integer"),
        ('{"step": 6, "metrics": {}, "summary": ["a"]}', "summary is a list, not a text"),
        ('{"step": 6, "metrics": {}, "about": [["hit", "x"]]}', "about is a list, not a mapping"),
        ('{"step": 6, "metrics": {}, "settings": [["bank", 1]]}', "settings is a list, not a mapping"),
        ('{"step": 6, "metrics": {}, "pictures": [{"file": 3, "about": "a"}]}', "pictures[0].file is an integer, not a text"),
        ('{"step": 6, "metrics": {}, "answer": {"question": "q", "yes": "yes", "evidence": "e"}}', "yes is a text"),
        ('{"step": 6, "metrics": {}, "charts": [{' + WORDS + '"kind": "pie", "series": []}]}', "unknown kind, 'pie'"),
        (
            '{"step": 6, "metrics": {}, "charts": [{' + WORDS + '"kind": "bars", "series": [{"label": "s", "x": [1], "y": []}]}]}',
            "more numbers",
        ),
        ('{"format": 2, "step": 6, "metrics": {"x": ' + DEEP * 320 + "3" + "}}" * 320 + "}}", "damaged"),  # Python's stack is not that deep
    ],
)
def test_a_damaged_evaluation_is_named_and_left_out(here, capsys, text, reason):
    path = make_run("a", charts=(), logs=False)
    (path / "eval/broken.json").write_text(text)
    page = report(path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: a/eval/broken.json is damaged ")
    assert "left out" in line
    assert reason in line
    assert "broken.json is damaged" in page.text
    assert page.row("hit", table=0)[1] == "0.700", "the rest is there"


def test_damaged_logs_are_named_and_left_out(here, capsys):
    path = make_run("a", charts=())
    (path / "metrics.jsonl").write_text('{"step": 2, "loss": 1}\n{"loss" 3}\n')
    (path / "env.json").write_text("{")
    report(path)
    assert {line.split()[1] for line in capsys.readouterr().err.splitlines()} == {"a/metrics.jsonl", "a/env.json"}
    (path / "metrics.jsonl").write_text('{"step": 2, "loss": 1.5}\n{"step": 4, "lo')
    assert "1.500 at 2" in report(path).source, "a line that a kill cut short is no damage"


def test_a_picture_that_is_gone(here, capsys):
    path = make_run("a", charts=(), logs=False)
    (path / "eval/grid/00_1.png").unlink()
    (path / "eval/grid/01_0.png").write_text("no image")
    page = report(path)
    lines = capsys.readouterr().err.splitlines()
    assert [re.search(r"cannot show (\S+): ", line)[1] for line in lines] == ["a/eval/grid/00_1.png", "a/eval/grid/01_0.png"]
    assert all("iwm eval" in line for line in lines)
    assert page.text.count(" missing ") == 2
    assert len(page.each("img")) == 3


def test_numbers_of_an_older_checkpoint_are_marked(here):
    path = make_run("a", charts=(), logs=False)
    (path / "checkpoints/step_8").mkdir()
    (path / "checkpoints/step_8/state.json").write_text('{"step": 8, "steps": 8}')
    assert "measured at step 6, but the newest checkpoint is of step 8: iwm eval a" in report(path).text


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ([], "say which runs: iwm report RUN"),
        (["out=x.html"], "say which runs: iwm report RUN"),
        (["a", "--open"], "iwm report has no --open; it has no switches"),
        (["a", "title=x"], "cannot read 'title=x'"),
        (["a", "out="], "out=FILE"),
        (["gone"], "gone is not a run: it does not exist"),
        (["empty"], "empty is not a run: it has no config.yaml"),
        (["a", "b", "./a"], "the run a is given twice; name each run once"),
        (["a", "out=nowhere/r.html"], "there is no folder nowhere"),
        (["a", "out=b"], "out=b/report.html"),
        (["a", "out=a/config.yaml"], "a/config.yaml exists and is not a report"),
        (["broken"], "broken/config.yaml is damaged"),
    ],
)
def test_mistakes_get_one_line(here, capsys, words, fix):
    make_run("a", charts=(), logs=False), make_run("b", charts=(), logs=False)
    Path("empty").mkdir()
    Path("broken").mkdir()
    Path("broken/config.yaml").write_text("a: [")
    before = {p: p.read_bytes() for p in here.rglob("*") if p.is_file()}
    assert guarded(lambda: dispatch(["report", *words])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("iwm: ")
    assert fix in line
    assert {p: p.read_bytes() for p in here.rglob("*") if p.is_file()} == before


def test_reports_among_the_runs_are_passed_over(here, capsys):
    make_run("runs/a", charts=(), logs=False), make_run("runs/b", charts=(), logs=False)
    for _ in range(2):  # as the shell writes out `iwm report runs/*`
        assert guarded(lambda: dispatch(["report", *map(str, sorted(Path("runs").iterdir()))])) == 0
    assert capsys.readouterr().out.splitlines() == ["wrote runs/report.html"] * 2


@pytest.mark.slow
def test_a_report_needs_no_torch(here):
    make_run("a", charts=(), logs=False)
    code = "import sys; from iwm_core.cli.main import dispatch; dispatch(['report', 'a']); assert not {'torch', 'hydra'} & set(sys.modules)"
    # Old libraries beside new ones warn of their own doings.
    subprocess.run([sys.executable, "-W", "error", "-W", "default::DeprecationWarning", "-c", code], check=True, capture_output=True)
