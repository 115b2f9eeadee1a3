"""How a run ends on a terminal: its verdict, the headline numbers, and no line that a narrow terminal would break."""

import json

import pytest
from iwm_report.closing import sum_up
from report_runs import evaluation, make_run

from iwm_core.interfaces.events import RunMeasured


@pytest.mark.parametrize("columns", [20, 60, 80, 300])
def test_a_run_ends_in_about_ten_lines(here, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    path, said = make_run("a", measured=False, logs=False), []
    for name, (question, yes) in {"m": ("world_model", True), "n": ("alive", True), "o": ("features", False), "p": ("", None)}.items():
        content = evaluation(path / "eval", name)
        answer = {"question": question, "yes": yes, "evidence": f"What {name} says, {'and more ' * 9}is long."} if question else None
        (path / "eval" / f"{name}.json").write_text(json.dumps(content | {"answer": answer, "charts": []}))
    sum_up(RunMeasured(path, ["m", "n", "p"], said.append))
    assert max(map(len, said)) <= min(max(columns, 40), 110)
    assert len(said) <= (20 if columns < 60 else 11)
    text = " ".join(line.strip() for line in said)
    alive, world, features = (text.index(words) for words in ("encoder alive? Yes.", "world model? Yes.", "keep? No more than pixels."))
    assert alive < world < features
    assert text.count("hit 0.700 (0.650–0.750)") == 3, "of those that have measured now"


def test_what_answers_nothing_ends_in_its_numbers(here):
    path, said = make_run("a", logs=False), []
    sum_up(RunMeasured(path, ["rank"], said.append))
    assert said == ["hit 0.700 (0.650–0.750)"]
