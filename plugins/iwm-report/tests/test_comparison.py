"""What a page of several runs says first: which is better on which question, or why that cannot be said."""

import json
from pathlib import Path

import pytest
from iwm_report.comparison import compare
from iwm_report.differences import config_differences, in_short
from iwm_report.run_record import read_run
from iwm_report.sections import evaluator_sections
from report_page import report
from report_runs import evaluation, make_run, metric


def ranked(name, value, step=6, better="higher", chance=0.1, measured="rank", **config):
    """A run with one evaluator, which answers whether its predictor is a world model, where it tells what is ``better``."""
    path = make_run(name, charts=(), logs=False, measured=False, settings=None)
    (path / "config.yaml").write_text(json.dumps({"recipe": "r", "evaluators": {measured: {}}, "run": name, **config}))
    evaluation(path / "eval", measured)
    file = path / "eval" / f"{measured}.json"
    content = json.loads(file.read_text()) | {"step": step, "charts": [], "galleries": [], "better": {"hit": better} if better else {}}
    content["metrics"] = {"hit": metric(value, value - 0.01, value + 0.01) | {"controls": {"chance": metric(chance, chance, chance)}}}
    content["answer"] = {"question": "world_model", "yes": True, "evidence": "so."} if better else None
    content["format"] = 2
    file.write_text(json.dumps(content))
    return path


def said(*names):
    runs = [read_run(Path(name), name) for name in names]
    return [" ".join(one) for one in compare(runs, evaluator_sections(runs), config_differences([run.config for run in runs]))]


QUESTION = "Is the predictor a world model?"


@pytest.mark.parametrize(
    ("one", "two", "better", "told"),
    [
        (0.8, 0.3, "higher", "a is better by hit (0.800 against 0.300)."),
        (0.8, 0.3, "lower", "b is better by hit (0.300 against 0.800)."),
        (0.8, 0.1, "higher", "a is better by hit (0.800 against 0.100, which is chance)."),
        (0.30, 0.305, "higher", "No run is clearly better: intervals of hit overlap."),
    ],
)
def test_the_better_run_is_named(here, one, two, better, told):
    ranked("a", one, better=better), ranked("b", two, better=better)
    assert said("a", "b")[0] == f"{QUESTION} {told}"
    assert f"{QUESTION} {told}" in report("a", "b", out="x.html").text


def test_what_cannot_be_compared_is_said(here):
    ranked("a", 0.8), ranked("b", 0.3, measured="other")
    assert said("a", "b")[0] == f"{QUESTION} Cannot be compared: rank and other were each measured in one run alone."
    ranked("c", 0.3, image_size=64)
    assert said("a", "c")[0].startswith(f"{QUESTION} Cannot be compared: ")


def test_an_earlier_version_s_number_at_chance_is_a_no(here):
    ranked("a", 0.8), ranked("b", 0.09, better="")
    page = report("a", "b", out="x.html")
    assert page.row(QUESTION)[1:] == ["Yes", "No at chance"]
    assert page.row("Is the encoder alive?")[1:] == ["Not measured", "not measured"]


def test_reasons_to_doubt_stand_at_the_head(here):
    ranked("a", 0.8, train={"steps": 6}, predictor={"name": "adaln"}), ranked("b", 0.3, 4, train={"steps": 4}, predictor={"name": "none"})
    text = " ".join(said("a", "b"))
    assert "a was measured after 6 steps and b was measured after 4 steps." in text
    assert "cannot be told: train.steps, predictor differ" in text
    assert "over images, not over trainings" in text
    ranked("c", 0.3, train={"steps": 6}, predictor={"name": "none"})
    assert "cannot be told" not in " ".join(said("a", "c")), "one thing differs"


def test_what_runs_are_comes_before_how_they_are_measured():
    one, two = ({"evaluators": {"mrr": {"images": n}}, "checksum": f"{n}", "train": {"steps": n}} for n in (1, 2))
    found = config_differences([one, two])
    assert [(d.key, d.measuring) for d in found] == [("train.steps", False), ("evaluators.mrr.images", True)]
    assert in_short(found, 0) == "train.steps=1"
