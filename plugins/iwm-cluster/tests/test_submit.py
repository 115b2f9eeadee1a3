"""Command lines of `iwm submit`: mistakes are told in one line, before anything is queued; what is right reaches the scheduler as meant."""

import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
import submitit
from asked_by import asked_by
from iwm_cluster.command_line import read_arguments, read_minutes
from iwm_cluster.jobs import Ended, Job, run_jobs
from iwm_cluster.submit import executor
from iwm_cluster.task import Task, going_on
from one_line import assert_one_line
from submitit.core.utils import FailedJobError, UncompletedJobError

from iwm_core.cli.main import dispatch, guarded


@pytest.fixture
def slurm(monkeypatch, tiny):
    """A SLURM that takes whatever it is given, as the test finds it in ``sent``: executor and tasks."""
    monkeypatch.setattr("shutil.which", lambda name, *_: f"/usr/bin/{name}")
    sent = []

    def submit_array(self, tasks):
        sent.append((self, tasks))
        ids = [f"7_{number}" for number in range(len(tasks))] if len(tasks) > 1 else ["7"]
        return [submitit.SlurmJob(self.folder, id) for id in ids]

    monkeypatch.setattr(submitit.SlurmExecutor, "submit_array", submit_array)
    monkeypatch.setattr("iwm_cluster.submit.in_queue", lambda job: False)
    monkeypatch.setattr("iwm_cluster.submit.SEEN_WITHIN", 0)
    return sent


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("", "say what to submit"),
        ("--partition gpu", "say what to submit"),
        ("--partitoin gpu train recipe=tiny", "did you mean --partition?"),
        ("--gpus 4 train recipe=tiny", "--gpus-per-node"),
        ("--partition", "--partition needs a value"),
        ("--array=yes train", "--array takes no value"),
        ("--nodes 1 --nodes 2 train", "give it once"),
        ("--nodes 0 train recipe=tiny", "write --nodes 1"),
        ("--gpus-per-node two train recipe=tiny", "--gpus-per-node is a whole number, got 'two'; write --gpus-per-node 8"),
        ("--time soon train recipe=tiny", "write --time 8:00:00"),
        ("--time 0 train recipe=tiny", "write --time 8:00:00"),
        ("--time 1 train recipe=tiny", "--warning 30"),
        ("--cluster pbs train recipe=tiny", "--cluster must be one of slurm, local, got 'pbs'"),
        ("--cluster local --nodes 2 train recipe=tiny", "leave --nodes out"),
        ("--cluster local --array train -m recipe=tiny train.seed=1,2", "--jobs N behind the verb"),
        ("trian recipe=tiny", "did you mean train?"),
        ("partition=gpu train recipe=tiny", "write --partition=gpu"),
        ("submit train recipe=tiny", "'submit' is none"),
        ("train recipe=tiny --partition=gpu", "write iwm submit --partition gpu train …"),
        ("train recipe=tiny partition=gpu", "write iwm submit --partition gpu train …"),
        ("--array train recipe=tiny", "leave it out"),
        ("--jobs 2 train recipe=tiny", "write --array"),
        ("--gpus-per-node 2 compare runs/x", "write --array"),
        ("train recipe=tinny", "did you mean recipe=tiny?"),
        ("train recipe=tiny train.steps=soon", "train.steps"),
        ("--ntasks-per-node 3 train recipe=tiny", "not divisible by 3"),
        ("--gpus-per-node 2 train recipe=tiny launch.processes=4", "leave launch.processes out"),
        ("train recipe=tiny run=r${train.seed}", "write run=r${train.seed} out"),
        ("resume runs/nothing", "runs/nothing is not a run"),
        ("tune runs/nothing recipe=tune/predictor", "runs/nothing is not a run"),
    ],
)
def test_mistakes(iwm, slurm, words, fix):
    assert_one_line(iwm("submit", *words.split()), fix)
    assert (slurm, list(Path.cwd().iterdir())) == ([], []), "nothing is queued, nothing is left"


def test_without_slurm_it_says_so(iwm, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_: None)
    assert_one_line(iwm("submit", "train", "recipe=tiny"), "there is no SLURM here", "--cluster local")


def test_what_slurm_refuses_is_told_and_leaves_nothing(iwm, slurm, monkeypatch, capsys):
    def refuse(self, tasks):
        (self.folder / "left.pkl").touch()
        raise FailedJobError("sbatch: error: invalid partition specified: gpu\nsbatch: error: Batch job submission failed")

    monkeypatch.setattr(submitit.SlurmExecutor, "submit_array", refuse)
    assert_one_line(iwm("submit", "--partition", "gpu", "train", "recipe=tiny"), "SLURM refuses the job: invalid partition specified: gpu")
    assert list(Path("runs").rglob("*")) == [Path("runs/jobs")]


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("90", 90), ("30:30", 30.5), ("8:00:00", 480), ("2-12", 3600), ("2-12:30", 3630), ("1-0:0:30", 1440.5), ("0:20", 1 / 3)],
)
def test_times_are_those_of_sbatch(text, minutes):
    assert read_minutes(text) == pytest.approx(minutes)


def submitted(*words):
    return guarded(lambda: dispatch(["submit", *words]))


def test_a_job_is_what_was_asked_for(slurm, capsys):
    options = "--partition gpu --account=us --nodes 2 --gpus-per-node 4 --cpus-per-task 9 --time 2-0 --warning 300 --mem 64G"
    assert submitted(*options.split(), "--setup", "module load cuda", "train", "recipe=tiny") == 0
    ((found, (task,)),) = slurm
    assert task.words == ["train", "recipe=tiny", "run='runs/tiny'"]
    assert capsys.readouterr().out.splitlines()[0] == "runs/tiny"
    text = found._make_submission_file_text("COMMAND", "id")
    for line in (
        *("--partition=gpu", "--account=us", "--mem=64G", "--nodes=2", "--gpus-per-node=4", "--ntasks-per-node=4", "--cpus-per-task=9"),
        *("--time=2880", "--signal=USR2@300", "--requeue", "--open-mode=append"),
    ):
        assert f"#SBATCH {line}\n" in text
    assert "\nmodule load cuda\n" in text
    assert "--kill-on-bad-exit=1 --cpus-per-task=9 COMMAND" in text
    assert " -P" in found.python, "nothing of the current folder is imported"
    assert found.max_num_timeout == 20


def test_a_named_run_is_taken_as_it_is_and_other_verbs_too(slurm, capsys):
    assert submitted("train", "recipe=tiny", "run=mine") == 0
    assert not Path("mine").exists(), "the job makes it"
    assert capsys.readouterr().out == "mine\njob 7 of 1 process; it says how it goes in runs/jobs/train/7_0_log.out\n"
    assert submitted("components", "action") == 0
    assert [task.words for _, (task,) in slurm] == [["train", "recipe=tiny", "run=mine"], ["components", "action"]]


def test_jobs_of_a_sweep_are_an_array(slurm, capsys, monkeypatch):
    words = ["--array", "--jobs", "2", "train", "-m", "recipe=tiny", "train.seed=1,2"]
    assert submitted(*words) == 0
    assert capsys.readouterr().err == "iwm: once they have ended, the same command tells what has not finished, and goes on with that\n"
    ((found, tasks),) = slurm
    begun = [["train", "recipe=tiny", f"train.seed={seed}", f"run='runs/tiny-seed-{seed}'"] for seed in (1, 2)]
    assert [task.words for task in tasks] == begun
    assert found.parameters["array_parallelism"] == 2

    def end(job):
        (job.paths.folder / f"{job.job_id}_status").write_text("9" if job.job_id == "7_0" else "0")
        return False

    monkeypatch.setattr("iwm_cluster.submit.in_queue", end)
    assert submitted("--wait", *words) == 9
    assert [task.words for task in slurm[1][1]] == begun, "none had finished, as far as this sweep knows"
    (failed,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("not finished"))
    assert failed.startswith("not finished: train.seed=1: status 9")
    assert failed.endswith("runs/jobs/train-2/7_0_0_log.out")
    assert submitted(*words) == 0
    assert [task.words for task in slurm[2][1]] == begun[:1]


@pytest.fixture
def task(monkeypatch, here):
    """A task of a job of one process, whose command ends in a status that the test chooses."""
    status = [0]
    folder = Path("job")
    folder.mkdir()
    place = SimpleNamespace(global_rank=0, num_tasks=1, USR_SIG="USR2", job_id="7", paths=SimpleNamespace(folder=folder))
    monkeypatch.setattr("submitit.JobEnvironment", lambda: place)
    monkeypatch.setattr("iwm_cluster.task.command", lambda words: status[0])
    monkeypatch.setattr("sys.argv", ["iwm"])

    def run(ends):
        status[0] = ends
        Task(["train", "recipe=tiny", "run=r"])()
        return folder

    return run


def test_a_task_leaves_its_status(task):
    assert (task(0) / "7_status").read_text() == "0"
    with pytest.raises(SystemExit, match="2"):
        task(2)
    assert Path("job/7_status").read_text() == "2"


def test_a_warned_task_has_submitit_queue_it_again(task, monkeypatch):
    def queue(number, frame):
        raise SystemExit("queued again")

    previous = signal.signal(signal.SIGUSR2, queue)
    try:
        task(0)
        with pytest.raises(SystemExit, match="queued again"):
            task(128 + signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, previous)
    assert not Path("job/7_status").exists(), "it has not ended"


def test_a_task_that_may_not_be_queued_again_says_so(task, capsys):
    def refuse(number, frame):
        raise UncompletedJobError("Job not requeued because: timed-out too many times.")

    previous = signal.signal(signal.SIGUSR2, refuse)
    try:
        with pytest.raises(SystemExit, match="140"):
            task(128 + signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, previous)
    assert "timed-out too many times" in capsys.readouterr().err
    assert Path("job/7_status").read_text() == "140"


def test_a_job_that_begins_again_goes_on_with_its_run(here):
    words = ["train", "recipe=tiny", "run='a b'"]
    assert going_on(words) == words
    Path("a b").mkdir()
    assert going_on(words) == words
    Path("a b/config.yaml").touch()
    assert going_on(words) == ["resume", "a b"]
    for others in (["train", "-m", "recipe=tiny", "run='a b'"], ["report", "a b"], ["compare", "x", "run='a b'"]):
        assert going_on(others) == others


def test_the_local_executor_takes_times_below_a_minute(monkeypatch, here):
    words = ["--cluster", "local", "--ntasks-per-node", "2", "--time", "0:30", "--warning", "20", "train", "recipe=tiny"]
    asked = asked_by("submit", read_arguments, words)
    found = executor(asked, Path("jobs")).parameters
    assert (found["tasks_per_node"], found["timeout_min"], found["signal_delay_s"]) == (2, 0.5, 20)


def test_where_all_is_done_nothing_is_submitted(slurm, here):
    from iwm_cluster.submit import as_array

    asked = asked_by("submit", read_arguments, ["--array", "compare", "x"])
    assert list(as_array(asked, [])) == []
    assert list(run_jobs([], [{}])) == []
    assert slurm == []


def test_a_job_that_leaves_no_status_has_failed(slurm, here):
    from iwm_cluster.submit import as_array

    asked = asked_by("submit", read_arguments, ["--array", "--wait", "compare", "x"])
    job = Job("one", ["report", "x"], None)
    ((ended, how),) = as_array(asked, [job])
    assert how == Ended(1, 0)
    assert ended.log == (Path("runs/jobs/compare").absolute() / "7_0_log.out")
