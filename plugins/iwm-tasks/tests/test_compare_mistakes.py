"""What ``iwm compare`` refuses, each in one line, before anything is made."""

import shutil
from pathlib import Path

import pytest
from comparison_jobs import TWO, USUAL, refused, stand_in
from comparison_runs import write_tuned, write_world_model


@pytest.fixture
def outside(tiny, monkeypatch):
    return stand_in(tiny, monkeypatch)


LISTED = ", ".join([*USUAL, "multitask"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["protocols=[predictr]"], f"there is no protocol 'predictr'; did you mean predictor? there are {LISTED}"),
        (["protocols=[]"], f"protocols= names none; write protocols=[NAME,…] with some of {LISTED}"),
        (["seeds=0"], "seeds= is the number of trainings of each protocol, at least 1, got '0'; write seeds=3"),
        (["seeds=two"], "seeds= is the number of trainings of each protocol, at least 1, got 'two'; write seeds=3"),
        (["seeds=1", "seeds=2"], "seeds= is given twice; give it once"),
        (["run="], "run= names no folder; write run=FOLDER, or leave it out"),
        (
            [*TWO, "predicto:train.steps=8"],
            "'predicto:train.steps=8' is for 'predicto', which is not compared; did you mean predictor? compared are encoder, predictor",
        ),
        (
            ["train.seed=4"],
            "iwm compare sets train.seed of each tuning itself; leave 'train.seed=4' out (seeds=N trains with the seeds 0 to N-1, "
            "run=FOLDER names the folder of all)",
        ),
        (
            ["encoder:+run=x"],
            "iwm compare sets run of each tuning itself; leave '+run=x' out (seeds=N trains with the seeds 0 to N-1, "
            "run=FOLDER names the folder of all)",
        ),
    ],
)
def test_a_mistake_is_told_in_one_line(outside, capsys, words, told):
    assert refused(capsys, *words) == told
    assert outside.commands == outside.checked == []
    assert not Path("runs/compare").exists()


def test_what_cannot_be_compared_is_told_in_one_line(outside, capsys):
    assert "runs/none is not a run: it does not exist" in refused(capsys, run="runs/none")
    write_tuned("runs/tuned", {"shape": 0.5})
    assert "runs/tuned is tuned already" in refused(capsys, run="runs/tuned")
    write_world_model("runs/new")
    shutil.rmtree("runs/new/checkpoints/step_4")
    assert "the run runs/new has no checkpoint yet" in refused(capsys, run="runs/new")
    Path("notes").mkdir()
    Path("notes/todo").touch()
    assert refused(capsys, "run=notes") == "notes holds other things, and no comparison.yaml; choose another folder with run=OTHER"
    assert "holds no runs, as it is a file" in refused(capsys, "run=notes/todo")
    Path("notes/comparison.yaml").write_text("[")
    assert refused(capsys, "run=notes").startswith("notes/comparison.yaml is damaged")
    assert outside.commands == []
