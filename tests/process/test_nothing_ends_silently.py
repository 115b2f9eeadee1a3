"""However a verb is ended, it says so in a line, with the right status, and what can be kept is kept."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import lost_workers
import pytest
import tiny_command
import torch
from safetensors.torch import load_file
from tiny_plugin import Gain
from tiny_tuning import weights

from iwm_core.cli.main import guarded
from iwm_core.interfaces.errors import Stopped
from iwm_core.plugins.loader import load_plugins
from iwm_core.process.output import Lasting
from iwm_core.process.signals import ending_in_a_line
from iwm_core.training.pretraining import Pass

IWM, TINY = [sys.executable, "-m", "iwm_core.cli"], [sys.executable, tiny_command.__file__]
LONG = ["train", "recipe=tiny", "train.steps=100000", "train.log_every=5", "train.checkpoint_every=100000"]


def newest(run):
    return int(max(Path(run, "checkpoints").glob("step_*"), key=lambda path: int(path.name[5:])).name[5:])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_ends_a_training_after_its_step(server, tmp_path, number):
    run = tmp_path / "r"
    # To all processes, by a scheduler, and once more by a parent.
    status, said = server.signal(*LONG, f"run={run}", at="step 5/", numbers=[number, number])
    assert status == 128 + number
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    first, *steps, last = said.splitlines()
    assert first == str(run)
    assert all(line.startswith("step ") for line in steps)
    assert re.fullmatch(rf"iwm: stopped at step (\d+) of 100000 by {name}; continue with `iwm resume {run}`", last)
    assert newest(run) == int(last.split(" of ")[0].split()[-1])
    assert torch.isfinite(load_file(run / f"checkpoints/step_{newest(run)}/model.safetensors")["student.vit.norm.weight"]).all()


@pytest.mark.slow
def test_a_signal_between_trainings_is_a_line_too(tmp_path):
    code = "import os, signal, sys\nfrom iwm_core.cli.main import guarded\nsys.exit(guarded(lambda: os.kill(os.getpid(), signal.SIGTERM)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 143
    assert done.stderr == "iwm: ended by SIGTERM; the same command starts again\n"


@pytest.mark.parametrize(("number", "how"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "ended by SIGTERM")])
def test_who_is_interrupted_while_measuring_is_told_what_to_type(iwm, monkeypatch, number, how):
    """A run goes on by its own line; a measurement alone is asked for again."""
    come = partial(signal.default_int_handler, number, None) if number == signal.SIGINT else partial(signal.raise_signal, number)
    monkeypatch.setattr("iwm_evals.measuring.evaluate.evaluate", lambda *_: come())
    train = ("train", "recipe=tiny", "run=r", "train.steps=1", "train.lr.warmup=0", "evaluators=[mrr]")
    told = {
        train: "continue with `iwm resume r`",
        ("resume", "r"): "continue with `iwm resume r`",
        ("eval", "r"): "the same command starts again",
    }
    for words, remedy in told.items():
        assert iwm(*words) == (128 + number, f"iwm: {how}; {remedy}\n")


def test_a_signal_is_taken_for_nobodys_fault(monkeypatch):
    """Plugins load for seconds, and what goes wrong in them is recorded; libraries turn what they catch into errors of their own."""
    load_plugins.cache_clear()
    monkeypatch.setattr("iwm_core.plugins.loader.wrong_hooks", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped, match="ended by SIGTERM"), ending_in_a_line():
        load_plugins()
    load_plugins.cache_clear()
    assert not issubclass(Stopped, Exception)


@pytest.mark.slow
def test_a_training_outlives_both_of_its_readers(tmp_path):
    words = ["train", "recipe=tiny", "run=r", "train.steps=8", "train.log_every=1", "train.lr.warmup=100"]
    with subprocess.Popen([*TINY, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "r\n"
        process.stdout.close()
        process.stderr.close()
        assert process.wait(timeout=60) == 0
    assert newest(tmp_path / "r") == 8
    assert len((tmp_path / "r/metrics.jsonl").read_text().splitlines()) == 8


@pytest.mark.slow
@pytest.mark.parametrize("words", [["train", "recipe=nothing"], ["resume", "r"], ["recipes", "--wrong"]])
def test_without_a_reader_failure_is_not_success(tmp_path, words):
    with subprocess.Popen([*IWM, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stderr.close()
        assert process.wait(timeout=60) == 2


@pytest.mark.slow
def test_output_that_a_full_disk_refuses_is_said(tmp_path):
    command = [sys.executable, "-m", "iwm_core.cli", "recipes"]
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "iwm: what was to be printed is not whole: No space left on device\n")


@pytest.mark.slow
def test_a_closed_standard_output_is_none():
    done = subprocess.run(f"{sys.executable} -m iwm_core.cli recipes >&-", shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_lasting_stream_takes_all_that_it_is_given():
    reader, writer = os.pipe()
    os.close(reader)
    with Lasting(writer) as stream:
        assert [stream.write(b"one"), stream.write(memoryview(b"three"))] == [3, 5]
    os.close(writer)


@pytest.mark.slow
def test_jobs_end_with_their_parent():
    """With their data workers, by SIGKILL to the parent alone."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom iwm_cluster import jobs\njobs.python = lambda module: [sys.executable, '-c']\n"
        "list(jobs.run_jobs([jobs.Job('one', [sys.argv[1]], Path('log'))], [{}]))"
    )
    job = (
        "import os, time\nfrom iwm_core.cli import main as cli\n"
        "cli.dispatch = lambda _: (print(os.fork() or os.getpid(), os.getpid(), flush=True), time.sleep(60))\ncli.main()"
    )
    with subprocess.Popen([sys.executable, "-c", code, job], stdout=subprocess.PIPE, text=True) as parent:
        found = {int(pid) for _ in range(2) for pid in parent.stdout.readline().split()}
        parent.kill()
        assert len(found) == 2
        until = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text() for pid in found):
            assert time.monotonic() < until
            time.sleep(0.05)


LOSSES = {
    "killed": (lambda: lost_workers.killed(), "a data worker was killed, often for want of memory: use fewer launch.workers"),
    "bus": (lambda: lost_workers.killed(signal.SIGBUS), "too little shared memory (/dev/shm): use launch.workers=0"),
    "exited": (lambda: lost_workers.killed(signal.SIGILL), "a data worker was ended by SIGILL: use launch.workers=0, which tells why"),
    "no room": (lost_workers.no_room, "too little shared memory (/dev/shm): use launch.workers=0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_lost_workers_end_a_training_with_a_checkpoint(iwm, kept, monkeypatch, loss):
    make, remedy = LOSSES[loss]
    words = ["train", "recipe=tiny", "train.steps=12", "train.checkpoint_every=100"]
    with monkeypatch.context() as patch:
        patch.setattr(*make())
        status, error = iwm(*words, "run=r", "launch.workers=2", "launch.accumulate=2")
    assert status == 1
    line = error.strip().splitlines()[-1]
    assert remedy in line
    assert re.fullmatch(r"iwm: stopped at step \d+ of 12: .*; continue with `iwm resume r`", line)
    assert "Traceback" not in error
    assert newest("r") == int(line.split()[4])
    assert iwm("resume", "r", "launch.workers=0")[0] == 0
    assert newest("r") == 12
    micro, r = weights(kept(*words, "run=micro", "launch.accumulate=2")), weights("r")
    assert newest("r") == 12
    assert all(torch.equal(micro[name], r[name]) for name in micro), "what is made without workers is the same"


@pytest.mark.slow
def test_lost_workers_elsewhere_are_a_warning(iwm, monkeypatch):
    monkeypatch.setattr(*lost_workers.no_room())
    status, error = iwm("train", "recipe=tiny", "data.cache=ram", "launch.workers=2", "run=r")
    assert status == 0
    assert error.count("going on without workers") == 1


@pytest.mark.parametrize("every", [1, 2, 100])
def test_a_gradient_that_is_never_finite_ends_a_run_however_often_it_is_logged(iwm, monkeypatch, every):
    real = Pass.forward
    monkeypatch.setattr(Pass, "forward", lambda self, *x: (p := real(self, *x))._replace(loss=p.loss * float("inf")))
    status, error = iwm("train", "recipe=tiny", "run=r", f"train.log_every={every}")
    assert status == 2
    assert re.fullmatch(
        r"iwm: no gradient of the last \d steps was finite; lower train.lr.peak, or use .*fp32", error.strip().splitlines()[-1]
    )


@pytest.mark.parametrize("every", [1, 2, 100])
def test_input_that_is_not_finite_is_named(iwm, monkeypatch, every):
    monkeypatch.setattr(Gain, "apply", lambda self, images, params: images * float("nan"))
    status, error = iwm("train", "recipe=tiny", "run=r", f"train.log_every={every}")
    assert status == 2
    line = error.strip().splitlines()[-1]
    assert "the images that actions=[gain] make contain values that are not finite: fix them" in line
    assert "lr" not in line


def test_a_single_step_without_a_finite_gradient_ends_nothing(iwm, monkeypatch):
    real, calls = Gain.apply, iter(range(1000))
    monkeypatch.setattr(Gain, "apply", lambda self, images, params: real(self, images, params) * (float("nan") if next(calls) == 4 else 1))
    assert iwm("train", "recipe=tiny", "run=r", "train.log_every=1")[0] == 0


@pytest.mark.slow
def test_the_gain_of_a_batch_of_one_is_not_available(iwm, capsys):
    status, error = iwm("train", "recipe=tiny", "train.batch_size=1", "run=r")
    assert (status, error) == (0, "")
    assert [json.loads(line)["gain"] for line in Path("r/metrics.jsonl").read_text().splitlines()] == [None] * 3
    assert iwm("report", "r")[0] == 0


@pytest.mark.parametrize(("number", "advice"), [(errno.ENOSPC, "free some disk space"), (errno.EROFS, "the file system is read-only")])
def test_a_disk_that_fails_a_library_is_a_line(capsys, number, advice):
    def fails():
        raise OSError(number, os.strerror(number), "/cache/x")

    assert guarded(fails) == 1
    assert capsys.readouterr().err.startswith(f"iwm: {os.strerror(number)} (/cache/x); {advice}")
