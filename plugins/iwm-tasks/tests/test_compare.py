"""``iwm compare``: which tunings it runs, how it goes on, and what it refuses; tunings themselves are stood in for."""

import json
import signal
from pathlib import Path

import pytest
import yaml
from comparison_jobs import TWO, USUAL, asked, finish, refused, stand_in
from comparison_runs import write_checkpoint, write_tuned, write_world_model
from iwm_cluster.jobs import Ended

from iwm_core.interfaces.errors import UserError
from iwm_core.run.stored import sealed


@pytest.fixture
def outside(tiny, monkeypatch):
    return stand_in(tiny, monkeypatch)


def table(folder="runs/compare/pets"):
    (found,) = json.loads((Path(folder) / "comparison.json").read_text())["tables"]
    return {entry["protocol"]: list(entry["values"]) for entry in found["entries"]}


def test_the_usual_protocols_are_tuned(outside, capsys):
    asked("seeds=1", "data=noise", "train.epochs=8")
    assert outside.commands == [
        [
            *("tune", "runs/pets", f"recipe=tune/{name}", "train.seed=0", f"run='runs/compare/pets/{name}-seed0'"),
            *("checkpoint=step_4", "data=noise", "train.epochs=8"),
        ]
        for name in USUAL
    ]
    assert outside.checked == [("runs/pets", f"tune/{name}", ["data=noise", "train.epochs=8"]) for name in USUAL]
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["runs/compare/pets", "tuning 1 of 6: probe_linear, seed 0", "probe_linear-seed0: shape accuracy 0.780, in 1:00"]
    assert lines[-1].startswith("wrote runs/compare/pets/comparison.md, ")
    assert table() == {name: ["0"] for name in USUAL}


def test_three_seeds_are_usual_each_of_all_protocols_before_the_next(outside):
    asked("protocols=[predictor, encoder]")
    assert [words[2:4] for words in outside.commands] == [
        [f"recipe=tune/{name}", f"train.seed={seed}"] for seed in range(3) for name in ("encoder", "predictor")
    ]


def test_nothing_begins_where_a_recipe_does_not_fit(outside, monkeypatch, capsys):
    def check(path, name, overrides):
        if name == "tune/encoder":
            raise UserError("unknown key 'train.stepz'; did you mean train.steps=4?")

    monkeypatch.setattr("iwm_tasks.tuning.start.check", check)
    assert refused(capsys, "train.stepz=4") == "unknown key 'train.stepz'; did you mean train.steps=4?"
    assert outside.commands == []
    assert not Path("runs/compare").exists()


def test_an_override_for_one_protocol_comes_last_and_reaches_it_alone(outside):
    asked(*TWO, "data=noise", "predictor:train.lr.peak=1e-3", "predictor:tasks=[a:b]", "data.note=a:b")
    overrides = {words[2]: words[6:] for words in outside.commands}
    assert overrides == {
        "recipe=tune/encoder": ["data=noise", "data.note=a:b"],
        "recipe=tune/predictor": ["data=noise", "data.note=a:b", "train.lr.peak=1e-3", "tasks=[a:b]"],
    }
    command = json.loads(Path("runs/compare/pets/comparison.json").read_text())["command"]
    assert "predictor:train.lr.peak=1e-3 'predictor:tasks=[a:b]'" in command


def test_what_is_done_is_kept_and_what_has_begun_goes_on(outside, capsys):
    asked(*TWO)
    (Path("runs/compare/pets/predictor-seed1") / "cost.json").unlink()
    outside.commands.clear()
    outside.checked.clear()
    capsys.readouterr()
    asked(*TWO)
    assert outside.commands == [["resume", "runs/compare/pets/predictor-seed1"]]
    assert outside.checked == [], "its recipe is frozen"
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == ["encoder-seed0: done already", "predictor-seed0: done already", "encoder-seed1: done already"]
    assert lines[4] == "tuning 4 of 4: predictor, seed 1"


def test_a_finished_comparison_shows_its_table_again(outside, capsys):
    asked(*TWO)
    first = Path("runs/compare/pets/comparison.html").read_bytes()
    Path("runs/compare/pets/comparison.html").unlink()
    outside.commands.clear()
    capsys.readouterr()
    asked(*TWO)
    assert outside.commands == []
    assert "pets: shape" in capsys.readouterr().out
    assert Path("runs/compare/pets/comparison.html").read_bytes() == first


def test_without_the_plugin_of_reports_the_results_are_written_and_the_page_is_told_of(outside, tiny, capsys):
    del tiny.specs["iwm_report_page"]
    asked(*TWO)
    assert table() == {"encoder": ["0", "1"], "predictor": ["0", "1"]}
    assert sorted(path.name for path in Path("runs/compare/pets").glob("comparison.*")) == [
        f"comparison.{e}" for e in ("json", "md", "yaml")
    ]
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "wrote runs/compare/pets/comparison.md, runs/compare/pets/comparison.json",
        "the page and the plots are made by iwm-report, which is not installed: `pip install iwm-report`, then compare again",
    ]


def test_a_world_model_called_like_a_switch_is_told_as_one_types_it(outside):
    Path("runs/pets").rename("-pets")
    asked(*TWO, "run=a b", run="./-pets")
    told = json.loads(Path("a b/comparison.json").read_text())["command"]
    assert told == "iwm compare ./-pets 'protocols=[encoder,predictor]' seeds=2 'run=a b'"


@pytest.mark.slow
def test_seeds_and_protocols_may_be_added_and_what_is_there_stays_in_the_table(outside):
    asked("protocols=[predictor]", "seeds=1")
    asked("protocols=[predictor,encoder]", "seeds=2")
    asked("protocols=[multitask]", "seeds=1", "multitask:train.epochs=8")
    begun = [words[4].rpartition("/")[2].strip("'") for words in outside.commands]
    assert begun == ["predictor-seed0", "encoder-seed0", "encoder-seed1", "predictor-seed1", "multitask-seed0"]
    assert table() == {"encoder": ["0", "1"], "predictor": ["0", "1"], "multitask": ["0"]}
    held = yaml.safe_load(Path("runs/compare/pets/comparison.yaml").read_text())
    assert (held["protocols"], held["seeds"], held["own"]) == (["encoder", "predictor", "multitask"], 2, {"multitask": ["train.epochs=8"]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "difference"),
    [
        (["data=other"], "a comparison with data=noise, not with data=other"),
        ([], "a comparison with data=noise, not with no overrides"),
        (["data=noise", "predictor:train.epochs=9"], "tunings by predictor with train.epochs=8, not with train.epochs=9"),
    ],
)
def test_another_comparison_has_a_folder_of_its_own(outside, capsys, words, difference):
    asked(*TWO, "data=noise", "predictor:train.epochs=8")
    asked(*TWO, *words)
    assert table("runs/compare/pets-2") == table()
    assert refused(capsys, *TWO, *words, "run=runs/compare/pets") == (
        f"runs/compare/pets holds {difference}; choose another folder with run=OTHER"
    )


def test_another_checkpoint_of_the_world_model_is_another_comparison(outside, capsys):
    asked(*TWO, "run=here")
    write_checkpoint("runs/pets", 9, "00000001")
    told = refused(capsys, *TWO, "run=here")
    assert told == (
        "here holds a comparison at step_4 of runs/pets, which is at step_9 now (ask for checkpoint=step_4 to go on with it); "
        "choose another folder with run=OTHER"
    )
    write_world_model("runs/cats")
    assert "here holds a comparison of runs/pets, not of runs/cats" in refused(capsys, *TWO, "run=here", run="runs/cats")


@pytest.mark.slow
def test_a_comparison_goes_on_from_another_folder(outside, capsys, monkeypatch):
    Path("photos").mkdir()
    Path("elsewhere/photos").mkdir(parents=True)
    here = Path.cwd()
    asked(*TWO, "run=here", "data.path=photos")
    commands = list(outside.commands)
    assert commands[0][-1] == f"data.path='{here}/photos'"
    monkeypatch.chdir("elsewhere")
    asked(*TWO, "run=../here", f"data.path={here}/photos", run="../runs/pets")
    asked(*TWO, "run=../here", "data.path=../photos", run=str(here / "runs/pets"))
    assert outside.commands == commands, "all are done already"
    told = f"../here holds a comparison with data.path='{here}/photos', not with data.path='{here}/elsewhere/photos'"
    assert told in refused(capsys, *TWO, "run=../here", "data.path=photos", run="../runs/pets")


def test_a_comparison_may_move_with_its_world_model(outside, monkeypatch):
    path = Path("runs/pets/config.yaml")
    path.write_text(yaml.safe_dump(sealed(yaml.safe_load(path.read_text()))))
    asked(*TWO, "run=here")
    commands = list(outside.commands)
    Path("elsewhere").mkdir()
    for moved in ("runs", "here"):
        Path(moved).rename(f"elsewhere/{moved}")
    monkeypatch.chdir("elsewhere")
    asked(*TWO, "run=here")
    assert outside.commands == commands, "all are done already"


def test_another_run_in_the_world_models_place_is_another_comparison(outside, capsys):
    path = Path("runs/pets/config.yaml")
    config = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(sealed(config)))
    asked(*TWO, "run=here")
    asked(*TWO, "run=here")
    path.write_text(yaml.safe_dump(sealed(config | {"recipe": "other"})))
    told = refused(capsys, *TWO, "run=here")
    assert told == ("here holds a comparison of another run that was runs/pets, with another recipe; choose another folder with run=OTHER")
    path.write_text(yaml.safe_dump(config))
    asked(*TWO, "run=here")


def test_other_weights_in_the_world_models_place_are_another_comparison(outside, capsys):
    asked(*TWO, "run=here")
    write_checkpoint("runs/pets", 4, "00000002")
    told = refused(capsys, *TWO, "run=here")
    assert told == (
        "here holds a comparison of another model that was step_4 of runs/pets, with other weights; choose another folder with run=OTHER"
    )
    content = yaml.safe_load(Path("here/comparison.yaml").read_text())
    del content["weights"], content["checksum"]  # as earlier versions wrote it
    Path("here/comparison.yaml").write_text(yaml.safe_dump(content))
    asked(*TWO, "run=here")


def test_another_model_does_not_come_in_while_tunings_are_run(outside, capsys):
    def trained_again(path):
        write_checkpoint("runs/pets", 4, "00000002")
        finish(path)
        return Ended(0, 0)

    outside.endings["encoder-seed0"] = trained_again
    assert refused(capsys, *TWO, "run=here") == "step_4 of runs/pets is another model than when this began; bring that one back"
    assert len(outside.commands) == 1, "the next tuning has not begun"


def test_a_tuning_of_other_weights_is_not_compared(outside, capsys):
    kept = {"run": "w", "checkpoint": "step_4", "config": {}, "weights": "00000002"}
    write_tuned("here/encoder-seed0", {"shape": 0.5}, config={"world_model": kept})
    asked("protocols=[encoder]", "seeds=1", "run=there")
    Path("there/comparison.yaml").rename("here/comparison.yaml")
    told = refused(capsys, "protocols=[encoder]", "seeds=1", "run=here")
    assert told == "here/encoder-seed0 has begun from another model than is compared, by its weights; move it away, then compare again"


def test_a_job_that_fails_does_not_stop_the_others(outside, capsys):
    def fails(path):
        write_tuned(path, {"shape": 0.5}, finished=False)
        return Ended(137, 0)

    outside.endings["encoder-seed0"] = fails
    asked(*TWO, "run=it's here", status=137)
    assert len(outside.commands) == 4
    assert outside.commands[0][4] == r"run='it\'s here/encoder-seed0'"
    said = capsys.readouterr()
    assert said.err == (
        "warning: encoder with seed 0 ended with status 137; status 137 is often too little memory: try a smaller batch or a larger "
        "launch.accumulate; the others go on\n"
    )
    assert table("it's here") == {"encoder": ["1"], "predictor": ["0", "1"]}
    assert said.out.splitlines()[-2].startswith("not finished: encoder-seed0: ended with status 137; ")
    assert said.out.splitlines()[-1] == (
        """go on with: iwm compare runs/pets 'protocols=[encoder,predictor]' seeds=2 'run=it'"'"'s here'"""
    )
    assert "1 of 2" in Path("it's here/comparison.md").read_text()


def test_a_job_that_ends_well_without_a_result_is_a_failure(outside, capsys):
    def unmeasured(path):
        write_tuned(path, {"shape": 0.5}, finished=False)
        return Ended(0, 0)

    outside.endings["encoder-seed0"] = unmeasured
    asked(*TWO, status=1)
    assert "encoder with seed 0 has not finished, or was not measured" in capsys.readouterr().err


def test_an_interrupted_comparison_has_the_table_of_what_is_there(outside, capsys):
    outside.endings["encoder-seed1"] = lambda path: Ended(130, signal.SIGINT)
    asked(*TWO, status=130)
    assert len(outside.commands) == 3
    assert table() == {"encoder": ["0"], "predictor": ["0"]}
    lines = capsys.readouterr().out.splitlines()
    assert "2 of 4 trainings have finished. Not yet: encoder, seed 1; predictor, seed 1." in lines
    assert lines[-1] == "go on with: iwm compare runs/pets 'protocols=[encoder,predictor]' seeds=2 run=runs/compare/pets"


def test_where_nothing_has_finished_nothing_is_written(outside, capsys):
    outside.endings["encoder-seed0"] = lambda path: Ended(130, signal.SIGINT)
    asked(*TWO, status=130)
    assert "no tuning has finished, so that there is nothing to compare yet" in capsys.readouterr().out
    assert sorted(path.name for path in Path("runs/compare/pets").iterdir()) == [".lock", "comparison.yaml"]


def test_a_taken_name_is_passed_over(outside):
    Path("runs/compare/pets").mkdir(parents=True)
    Path("runs/compare/pets/mine").touch()
    asked("protocols=predictor", "seeds=1")
    assert table("runs/compare/pets-2") == {"predictor": ["0"]}
