"""A sweep ends in one report over its runs, whatever becomes of its jobs."""

import signal
from pathlib import Path

import pytest
from report_page import read

from iwm_core.cli.main import dispatch, guarded
from iwm_core.cli.sweep import LONGEST, directories
from iwm_core.process.signals import Children
from iwm_core.recipe.compose import compose
from iwm_core.recipe.overrides import expand
from iwm_core.run.new_run import new_run

WORDS = ["train", "-m", "recipe=tiny", "train.seed=1,2,3"]


@pytest.fixture
def outcomes(tiny, monkeypatch):
    """Jobs make their run and no more; what the test puts in for a seed happens to that job instead."""
    planned = {}

    def begin(children, words):
        with new_run(compose("tiny", words)[0], "train", print):
            return 0

    class Here(Children):
        def start(self, command, **_):
            seed = next(word for word in command if word.startswith("train.seed="))
            self.status = guarded(lambda: planned.get(seed, begin)(self, command[command.index("recipe=tiny") + 1 :]))

        def watch(self):
            return False

        def statuses(self):
            return [self.status]

    monkeypatch.setattr("iwm_core.process.jobs.Children", Here)
    return planned


def trained(children, words):
    """What becomes of a job that is left alone."""
    return dispatch(["train", "recipe=tiny", *words, "train.steps=1"])


@pytest.fixture
def reports(outcomes, monkeypatch):
    """The runs of each report, by its path, in place of reports."""
    written = {}

    def write(runs, out):
        out.touch()
        written[str(out)] = [str(run) for run in runs]
        return out

    monkeypatch.setattr("iwm_report.report.write_report", write)
    return written


def test_a_sweep_ends_in_one_report(outcomes, capsys):
    outcomes |= {"train.seed=1": trained, "train.seed=2": trained}
    assert guarded(lambda: dispatch([*WORDS[:3], "train.seed=1,2"])) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "wrote runs/tiny-sweep.html"
    assert [lines[n + 1] for n, line in enumerate(lines) if line.startswith("job ")] == ["runs/tiny-seed-1", "runs/tiny-seed-2"]
    page = read(Path("runs/tiny-sweep.html").read_text())
    told = ["train.seed=1 tiny-seed-1 · recipe tiny · step 1", "train.seed=2 tiny-seed-2 · recipe tiny · step 1"]
    assert page.row("measure", table=0) == ["measure", *told]


def test_a_second_sweep_has_a_report_of_its_own(reports):
    assert guarded(lambda: dispatch(WORDS)) == 0
    assert guarded(lambda: dispatch(WORDS)) == 0
    assert reports == {
        "runs/tiny-sweep.html": [f"runs/tiny-seed-{seed}" for seed in (1, 2, 3)],
        "runs/tiny-sweep-2.html": [f"runs/tiny-seed-{seed}-2" for seed in (1, 2, 3)],
    }


def test_a_sweep_names_its_runs_as_it_is_told(reports, capsys):
    assert guarded(lambda: dispatch([*WORDS[:3], "train.seed=7,8", "run='out/s${train.seed}'"])) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "wrote out/tiny-sweep.html"
    assert [line for line in lines if line.startswith("job ")] == [f"job {n} of 2: train.seed={n + 6} run=out/s{n + 6}" for n in (1, 2)]
    assert sorted(path.name for path in Path("out").iterdir()) == ["s7", "s8", "tiny-sweep.html"]

    assert reports == {"out/tiny-sweep.html": ["out/s7", "out/s8"]}
    assert guarded(lambda: dispatch([*WORDS[:3], "train.seed=8,9", "run='out/s${train.seed}'"])) == 2, "s8 exists"
    assert len(reports) == 1, "there is not a run of this sweep"


def test_a_sweep_that_fails_reports_what_is_there(outcomes, reports, capsys):
    outcomes["train.seed=3"] = lambda children, words: 7
    assert guarded(lambda: dispatch([*WORDS[:3], "train.seed=1,2,3,4"])) == 7
    assert capsys.readouterr().out.splitlines()[-1] == "wrote runs/tiny-sweep.html"
    assert reports == {"runs/tiny-sweep.html": ["runs/tiny-seed-1", "runs/tiny-seed-2"]}
    assert sorted(path.name for path in Path("runs").iterdir()) == ["tiny-seed-1", "tiny-seed-2", "tiny-sweep.html"], (
        "no empty directory is left"
    )


def test_a_sweep_that_is_interrupted_reports_what_is_there(outcomes, reports, capsys):
    def interrupted(children, words):
        children.received = signal.SIGINT
        return 130

    outcomes["train.seed=2"] = interrupted
    assert guarded(lambda: dispatch(WORDS)) == 130
    assert capsys.readouterr().out.splitlines()[-1] == "wrote runs/tiny-sweep.html"
    assert reports == {"runs/tiny-sweep.html": ["runs/tiny-seed-1"]}


def test_a_sweep_whose_first_job_fails_has_nothing_to_report(outcomes, capsys):
    outcomes["train.seed=1"] = lambda children, words: 2
    assert guarded(lambda: dispatch(WORDS)) == 2
    assert "wrote" not in capsys.readouterr().out
    assert not any(Path("runs").iterdir())


def test_what_a_failed_job_left_is_not_removed(outcomes, capsys):
    def half(children, words):
        (Path("runs/tiny-seed-1") / "notes").write_text("kept")
        return 2

    outcomes["train.seed=1"] = half
    assert guarded(lambda: dispatch(WORDS)) == 2
    assert Path("runs/tiny-seed-1/notes").read_text() == "kept"


def test_training_tells_the_next_step(tiny, capsys):
    assert guarded(lambda: dispatch(["train", "recipe=tiny", "train.steps=1", "run='a b'"])) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "next: iwm report 'a b'"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["predictor=none,feature"], ["predictor-none", "predictor-feature"]),
        (["train.seed=1,2", "train.lr.peak=1e-3", "image_size=48"], ["seed-1", "seed-2"]),
        (["encoder.depth=1", "predictor.depth=3,4"], ["depth-3", "depth-4"]),
        (["encoder.depth=1,2", "predictor.depth=3,4"], [f"encoder.depth-{e}-predictor.depth-{p}" for e in (1, 2) for p in (3, 4)]),
        (["actions=[jitter],[jitter,blur]"], ["actions-jitter", "actions-jitter-blur"]),
        (["data.path='/a b/c','d e'"], ["path-a-b-c", "path-d-e"]),
        (["actions=[],[blur]"], ["actions-none", "actions-blur"]),
    ],
)
def test_runs_of_a_sweep_are_named_by_what_differs(words, names):
    assert directories("quickstart", expand(words)) == [f"quickstart-{name}" for name in names]


def test_a_sweep_of_one_job_has_the_recipes_name():
    assert directories("tiny", expand(["train.seed=3"])) == ["tiny"]


def test_long_names_are_cut_and_stay_apart():
    names = directories("tiny", expand([f"data.path={'a' * 200}b,{'a' * 200}c"]))
    assert len(set(names)) == 2
    assert {len(name) for name in names} == {LONGEST}
