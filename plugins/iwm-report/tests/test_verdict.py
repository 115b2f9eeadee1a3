"""The head of a report: its verdict, its facts, what leads; and what can be taken along."""

import base64
import csv
import io
import json
import os
import struct
from pathlib import Path

import pytest
from iwm_devkit.advice import length
from iwm_report.downloads import downloads, guarded
from iwm_report.facts import TRIAL, duration, facts, in_short, patches
from iwm_report.known_best import known_best
from iwm_report.run_record import read_run
from iwm_report.score_table import Mark, Tick
from iwm_report.verdict import in_a_sentence, rulings
from report_page import report
from report_runs import HOSTILE, evaluation, make_run, metric


def answering(path, answers, **more):
    """A run whose evaluators answer; ``answers``: by evaluator, question and yes."""
    make_run(path, charts=(), logs=False, measured=False, settings=None)
    (Path(path) / "config.yaml").write_text(
        json.dumps({"recipe": "quickstart", "evaluators": {name: {} for name in answers}, "train": {"seed": 3}, "run": str(path)})
    )
    for name, (question, yes) in answers.items():
        evaluation(Path(path) / "eval", name)
        file = Path(path) / "eval" / f"{name}.json"
        answer = {"question": question, "yes": yes, "evidence": f"{name} says so."}
        content = json.loads(file.read_text()) | {"answer": answer, "better": {"hit": "higher"}, "charts": []} | more
        file.write_text(json.dumps(content))
    return Path(path)


@pytest.mark.parametrize(
    ("answers", "word", "evidence", "agreeing"),
    [
        ([True, True], "Yes", "m0 says so.", "2 of 2"),
        ([False, False], "No", "m0 says so.", "2 of 2"),
        ([False, True, None], "In part", "m1 says so.", "1 of 3"),
        ([None], "Not shown", "m0 says so.", "0 of 1"),
        ([False, None], "Not shown", "m1 says so.", "0 of 2"),
    ],
)
def test_a_question_has_one_answer(here, answers, word, evidence, agreeing):
    path = answering("a", {f"m{place}": ("world_model", yes) for place, yes in enumerate(answers)})
    alive, world, features = rulings(read_run(path, "a"))
    assert (world.word, world.evidence, f"{world.agreeing} of {world.asked}") == (word, evidence, agreeing)
    assert (alive.word, features.word) == ("Not measured",) * 2


def test_a_run_of_an_earlier_version_has_no_verdict(here):
    run = read_run(make_run("a"), "a")
    assert rulings(run) == []
    assert "Is the encoder alive?" not in report("a").text


def test_a_reader_meets_verdict_pictures_and_curves_first(here):
    answering("a", {"health": ("alive", True), "mrr": ("world_model", True), "probe": ("features", False)})
    (Path("a") / "metrics.jsonl").write_text(json.dumps({"step": 2, "loss": 0.9}) + "\n")
    page = report("a")
    sentence = "The encoder is alive, its predictor is a world model, and its features tell no more than pixels do."
    order = [sentence, "What it imagines", "Training", "In numbers", "Configuration", "Reproduce"]
    main = page.text.partition("Unfold everything")[2]
    places = [main.index(words) for words in order]
    assert places == sorted(places)
    assert main.index("mrr says so.") < main.index("What it imagines")
    assert page.row("hit")[0].startswith("hit ↑ higher is better")


BEST = "best (hit 0.400) and blur least (0.900)"
HIGH = "best (hit 2.90) and a least (1.400)"


def knowing(path, parts, better="lower", yes=True):
    """A run whose evaluator has parts of a measure: value, low, high, and those of not acting."""
    answering(path, {"seen": ("world_model", yes)}, better={"hit": better}, galleries=[])
    file = Path(path) / "eval/seen.json"
    content = json.loads(file.read_text())
    content["metrics"] = {"hit": metric(0.5)} | {
        f"hit.{name}": metric(*numbers) | {"controls": {"null": metric(1.0)}} for name, numbers in parts.items()
    }
    content["format"] = 2
    file.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("parts", "better", "told"),
    [
        ({"hue": (0.4, 0.3, 0.5), "blur": (0.9, 0.8, 1.0)}, "lower", f"hue {BEST}"),
        ({"a": (1.4, 1.3, 1.5), "b": (2.9, 1.8, 3), "c": (2, 1, 3)}, "higher", f"b {HIGH}"),
        ({"hue": (0.4, 0.3, 0.85), "blur": (0.9, 0.8, 1.0)}, "lower", ""),
        ({"hue": (1.4, 1.3, 1.5), "blur": (1.9, 1.8, 2.0)}, "lower", ""),
        ({"hue": (0.4, 0.3, 0.5)}, "lower", ""),
    ],
    ids=["lower", "higher", "intervals meet", "no better than not acting", "one part"],
)
def test_what_is_known_best_is_told_where_intervals_tell_it(here, parts, better, told):
    known = known_best(read_run(knowing(Path("a"), parts, better), "a"))
    assert (known.told() if known else "") == (told and f"Of what was asked alone, it knows {told}.")
    if known:
        own = known_best(read_run(knowing(Path("b"), {f"jitter.{name}": numbers for name, numbers in parts.items()}, better), "b"))
        assert own.told() == f"Of jitter's parameters, it knows {told}."


def test_the_page_tells_what_is_known_best_of_a_world_model_alone(here):
    parts = {"hue": (0.4, 0.3, 0.5), "blur": (0.9, 0.8, 1.0)}
    knowing(Path("a"), parts), knowing(Path("b"), parts, yes=False)
    assert "Of what was asked alone, it knows hue best (hit 0.400) and blur least (0.900)." in report("a").text
    assert "it knows" not in report("b").text
    assert report("a", "b", out="x.html").row("Knows best")[1:] == ["hue hit 0.400", "–"]


def test_a_trial_is_told(here):
    make_run("a", charts=(), logs=False)
    assert "a trial of at most 100 steps" in report("a").text
    assert "step 6 of 8, a trial" in report("a").text
    make_run("b", charts=(), logs=False)
    (Path("b") / "checkpoints/step_6/state.json").write_text('{"step": 6, "steps": 101}')
    assert "a trial" not in report("b").text
    page = report("a", "b", out="x.html")
    assert "a : a trial of at most 100 steps tells that all works" in page.text
    assert TRIAL == length.TRIAL, "what is taken for one where it is composed"


def test_galleries_that_ask_for_it_lead(here):
    answering("a", {"mrr": ("world_model", True), "seen": ("world_model", True)})
    file = Path("a/eval/seen.json")
    content = json.loads(file.read_text())
    content["galleries"] = [dict(content["galleries"][0], name="other", title="Imagined", leads=True)]
    file.write_text(json.dumps(content))
    main = report("a").text.partition("Unfold everything")[2]
    assert main.index("What it imagines") < main.index("Imagined") < main.index("Training") < main.index("Retrieval")
    assert main.count("Imagined") == 1


def test_facts_are_those_that_are_known(here):
    path = make_run("a", charts=(), logs=False)
    assert facts(read_run(path, "a")) == {"seed": "0"}
    names = {"student.x": [2, 3], "student.y": [4], "teacher.x": [2, 3], "predictor.z": [1000]}
    header = json.dumps({name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in names.items()}).encode()
    (path / "checkpoints/step_6/model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    state = {"step": 6, "steps": 8, "images": 4096, "seconds": 140.0, "device": HOSTILE}
    (path / "checkpoints/step_6/state.json").write_text(json.dumps(state))
    environment = json.loads((path / "env.json").read_text())
    (path / "env.json").write_text(json.dumps(environment | {"started": "2026-11-28T06:29:27+00:00", "git_commit": "a" * 40, "seed": 7}))
    assert facts(read_run(path, "a")) == {
        "started": "2026-11-28 06:29 UTC",
        "trained for": "2.33 min",
        "device": HOSTILE,
        "parameters": "predictor 1 k, student 10",
        "training images": "4,096",
        "seed": "7",
        "commit": "a" * 10,
    }
    assert HOSTILE in report(path).text


SPOILT = [b"", b"\xff" * 8, struct.pack("<Q", 2) + b"[]", struct.pack("<Q", 9) + b"{", struct.pack("<Q", 8) + b'{"a": 1}']


@pytest.mark.parametrize("content", SPOILT)
def test_weights_that_cannot_be_read_have_no_number(here, content):
    path = make_run("a", charts=(), logs=False)
    (path / "checkpoints/step_6/model.safetensors").write_bytes(content)
    assert "parameters" not in facts(read_run(path, "a"))


def test_a_pipe_in_the_place_of_weights_is_not_waited_for(here):
    path = make_run("a", charts=(), logs=False)
    os.mkfifo(path / "checkpoints/step_6/model.safetensors")
    assert "parameters" not in facts(read_run(path, "a"))


def test_numbers_as_people_write_them():
    assert [duration(s) for s in (3, 140, 5400, 86400, None, float("nan"))] == ["3 s", "2.33 min", "1.5 h", "24 h", "", ""]
    assert [in_short(n) for n in (12, 383_000, 86_400_000, 1_100_000_000)] == ["12", "383 k", "86.4 M", "1.1 G"]


def test_labels_of_controls_do_not_lie_on_each_other():
    mark = Mark(70, 65, 75, {"chance": 7.0, "null": 7.5, "raw": 70.0, "shuffled": 6.0})
    assert mark.ticks() == [Tick(6.0, "shuffled, chance, null"), Tick(70.0, "raw")]
    long = Mark(20, 15, 25, {"null": 64.0, "identity": 65.0, "shuffled": 94.0})
    assert long.ticks() == [Tick(64.0, "null, identity, shuffled")], "the last ends at its place, and would begin on the others"


def files(page):
    """The content of a page's files by their names."""
    found = {}
    for link in page.each("a"):
        if "download" in link:
            kind, _, content = link["href"].partition(";base64,")
            assert kind == {"csv": "data:text/csv", "json": "data:application/json"}[link["download"].rpartition(".")[2]]
            found[link["download"]] = base64.b64decode(content).decode()
    return found


def test_tables_and_curves_can_be_taken_along(here):
    found = files(report(make_run("a")))
    rows = json.loads(found["rank.json"])
    assert {"run": "a", "metric": "hit", "control": "chance", "value": 0.016, "low": 0.016, "high": 0.016, "n": 64} in rows
    assert next(row for row in rows if row["metric"] == "lost")["value"] is None
    table = list(csv.DictReader(io.StringIO(found["rank.csv"])))
    assert [row["value"] for row in table] == ["" if row["value"] is None else str(row["value"]) for row in rows]
    curve = list(csv.DictReader(io.StringIO(found["loss.csv"])))
    assert [(row["x"], row["y"]) for row in curve] == [("2", "0.9"), ("6", "0.4")]
    assert json.loads(found["many.json"])[0] == {"series": "told", "x": 0, "y": 0.1, "low": 0.0, "high": 0.2}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_no_spreadsheet_computes_a_name(text):
    assert guarded(text) == f"'{text}"
    csv_file = base64.b64decode(downloads("a", [{"run": text, "value": -1.5}])[0].address.partition(",")[2]).decode()
    assert f"'{text}" in csv_file
    assert "-1.5" in csv_file.splitlines()[-1].rpartition(",")[2], "numbers are numbers"


def test_the_sentence_says_what_was_answered(here):
    path = answering("a", {"health": ("alive", False)})
    assert in_a_sentence(rulings(read_run(path, "a"))) == "The encoder has collapsed."


def test_what_was_not_measured_is_named_with_the_reason(here):
    path = answering("a", {"mrr": ("world_model", True)})
    config = json.loads((path / "config.yaml").read_text())
    (path / "config.yaml").write_text(json.dumps(config | {"evaluators": {"mrr": {}, "inverse": {}, "later": {}}}))
    (path / "not_applicable.json").write_text(json.dumps({"inverse": {"step": 6, "reason": "there are no pairs"}}))
    assert "Not measured: inverse (there are no pairs), later (iwm eval a)" in report("a").text.replace(" ,", ",")


def test_an_encoder_s_patches_are_told():
    assert patches({"image_size": 48, "encoder": {"patch_size": 16}}) == "3×3 of 16 px"
    assert [patches(config) for config in ({}, {"image_size": 48}, {"image_size": 4, "encoder": {"patch_size": 16}})] == [""] * 3
