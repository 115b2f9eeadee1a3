"""A sweep ends in one report over its runs, whatever becomes of its jobs."""

import signal
from pathlib import Path

import pytest
from iwm_cluster.children import Children
from iwm_cluster.jobs import places_for
from iwm_cluster.sweep import LONGEST, directories, expand
from iwm_cluster.swept import Sweep, goes_on
from iwm_cluster.swept import read as read_sweep
from one_line import assert_one_line
from report_page import read

from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.compose import compose
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
            words = command[command.index("iwm_core.cli") + 1 :]
            named = words[1] if words[0] == "resume" else next(word for word in words if word.startswith("train.seed="))
            self.all.append(guarded(lambda: planned.get(named, begin)(self, words[2:])))

        def __exit__(self, *_):
            pass

        def watch(self):
            return False

        def statuses(self):
            return self.all

    monkeypatch.setattr("iwm_cluster.jobs.Children", Here)
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


@pytest.mark.slow
def test_a_sweep_ends_in_one_report(outcomes, capsys):
    outcomes |= {"train.seed=1": trained, "train.seed=2": trained}
    assert guarded(lambda: dispatch([*WORDS[:3], "train.seed=1,2"])) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "wrote runs/tiny-sweep.html"
    assert [lines[n + 1] for n, line in enumerate(lines) if line.startswith("job ")] == ["runs/tiny-seed-1", "runs/tiny-seed-2"]
    page = read(Path("runs/tiny-sweep.html").read_text())
    told = [f"train.seed={seed} tiny-seed-{seed} · recipe tiny · step 1, a trial" for seed in (1, 2)]
    assert page.row("measure", table=0) == ["measure", *told]


@pytest.mark.slow
def test_a_second_sweep_has_a_report_of_its_own(reports):
    assert guarded(lambda: dispatch(WORDS)) == 0
    assert guarded(lambda: dispatch(WORDS)) == 0
    assert reports == {
        "runs/tiny-sweep.html": [f"runs/tiny-seed-{seed}" for seed in (1, 2, 3)],
        "runs/tiny-sweep-2.html": [f"runs/tiny-seed-{seed}-2" for seed in (1, 2, 3)],
    }


@pytest.mark.slow
def test_a_sweep_names_its_runs_as_it_is_told(outcomes, reports, capsys):
    assert guarded(lambda: dispatch([*WORDS[:3], "train.seed=7,8", "run='out/s${train.seed}'"])) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "wrote out/tiny-sweep.html"
    assert [line for line in lines if line.startswith("job ")] == [f"job {n} of 2: train.seed={n + 6} run=out/s{n + 6}" for n in (1, 2)]
    assert sorted(path.name for path in Path("out").iterdir()) == ["s7", "s8", "tiny-sweep.html"]

    assert reports == {"out/tiny-sweep.html": ["out/s7", "out/s8"]}
    outcomes["train.seed=8"] = lambda children, words: guarded(lambda: dispatch(["train", "recipe=tiny", *words]))
    assert guarded(lambda: dispatch([*WORDS[:3], "train.seed=8,9", "run='out/s${train.seed}'"])) == 2, "s8 exists"
    assert reports["out/tiny-sweep-2.html"] == ["out/s9"], "the other is of another sweep"
    assert "not finished: train.seed=8 run='out/s${train.seed}': status 2" in capsys.readouterr().out


@pytest.mark.slow
def test_a_job_that_fails_does_not_stop_the_others_and_the_same_command_goes_on(outcomes, reports, capsys):
    outcomes |= {"train.seed=1": lambda children, words: 7, "train.seed=2": lambda children, words: begun_and_failed(words)}
    command = ["train", "-m", "recipe=tiny", "train.seed=1,2,3", "train.steps=4"]
    assert guarded(lambda: dispatch(command)) == 7
    lines = capsys.readouterr().out.splitlines()
    assert lines[-4:] == [
        "wrote runs/tiny-sweep.html",
        "not finished: train.seed=1 train.steps=4: status 7",
        "not finished: train.seed=2 train.steps=4: status 9, runs/tiny-seed-2",
        "go on with: iwm train -m recipe=tiny train.seed=1,2,3 train.steps=4",
    ]
    assert reports == {"runs/tiny-sweep.html": ["runs/tiny-seed-2", "runs/tiny-seed-3"]}
    left = ["tiny-seed-2", "tiny-seed-3", "tiny-sweep", "tiny-sweep.html"]
    assert sorted(path.name for path in Path("runs").iterdir()) == left, "no empty directory is left"

    outcomes.clear()
    outcomes["runs/tiny-seed-2"] = lambda children, words: 0  # it is resumed
    assert guarded(lambda: dispatch(command)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(("going", "job"))] == [
        "going on with runs/tiny-sweep",
        "job 1 of 3: train.seed=1 train.steps=4",
        "job 2 of 3: train.seed=2 train.steps=4",
        "job 3 of 3: train.seed=3 train.steps=4: done already, runs/tiny-seed-3",
    ]
    assert reports["runs/tiny-sweep-2.html"] == [f"runs/tiny-seed-{seed}" for seed in (1, 2, 3)]
    assert not goes_on(Path("runs/tiny-sweep"), [["train.seed=1"]]), "others are never mixed into it"
    assert not goes_on(Path("runs/tiny-sweep"), read_sweep(Path("runs/tiny-sweep")).words), (
        "it has finished: the command begins another now"
    )


def begun_and_failed(words):
    with new_run(compose("tiny", words)[0], "train", print):
        return 9


@pytest.mark.slow
def test_a_sweep_that_runs_is_left_to_itself(outcomes, reports, capsys):
    """The same command, given while the first one runs, begins a sweep of its own."""
    one = [*WORDS[:3], "train.seed=1"]
    outcomes["train.seed=1"] = lambda children, words: (outcomes.clear(), begun_and_failed(words), dispatch(one))[1]
    assert guarded(lambda: dispatch(one)) == 9
    assert reports == {"runs/tiny-sweep.html": ["runs/tiny-2"], "runs/tiny-sweep-2.html": ["runs/tiny"]}


def test_a_damaged_record_of_a_sweep_is_named(iwm):
    folder = Path("runs/tiny-sweep")
    folder.mkdir(parents=True)
    Sweep("tiny", [["train.seed=1"]], ["runs/tiny"], [False]).write(folder)
    (folder / "sweep.json").write_text((folder / "sweep.json").read_text().replace("runs/tiny", "runs/tidy"))
    assert_one_line(iwm(*WORDS[:3], "train.seed=1"), "runs/tiny-sweep/sweep.json", "remove runs/tiny-sweep/sweep.json to begin anew")


@pytest.mark.parametrize("count", ["0", "many", "", "-1"])
def test_jobs_at_a_time_are_a_number(tiny, iwm, count):
    assert_one_line(iwm("train", "-m", "--jobs", count, "recipe=tiny", "train.seed=1,2"), "write --jobs 4")


def test_more_jobs_at_a_time_than_devices_are_refused(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert places_for(2) == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert places_for(2) == [{"CUDA_VISIBLE_DEVICES": "4"}, {"CUDA_VISIBLE_DEVICES": "7"}]
    with pytest.raises(UserError, match="needs a device for each, but there are 2; use --jobs 2"):
        places_for(3)


@pytest.mark.slow
def test_a_sweep_that_is_interrupted_reports_what_is_there(outcomes, reports, capsys):
    def interrupted(children, words):
        children.received = signal.SIGINT
        return 130

    outcomes["train.seed=2"] = interrupted
    assert guarded(lambda: dispatch(WORDS)) == 130
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "wrote runs/tiny-sweep.html",
        "not finished: train.seed=2: status 130",
        "not finished: 1 more: not begun",
        "go on with: iwm train -m recipe=tiny train.seed=1,2,3",
    ]
    assert reports == {"runs/tiny-sweep.html": ["runs/tiny-seed-1"]}


@pytest.mark.slow
def test_a_sweep_whose_jobs_all_fail_has_nothing_to_report(outcomes, capsys):
    outcomes |= {f"train.seed={seed}": lambda children, words: 2 for seed in (1, 2, 3)}
    assert guarded(lambda: dispatch(WORDS)) == 2
    assert "wrote" not in capsys.readouterr().out
    assert [path.name for path in Path("runs").iterdir()] == ["tiny-sweep"]


@pytest.mark.slow
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
