"""Runs in several processes: overrides reach all of them; signals, mistakes and crashes end them together, in one line."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from close_weights import assert_close
from iwm_cluster.children import python
from PIL import Image
from places import ROOT

from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.loader import load_plugins
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.run.saved import latest_checkpoint
from iwm_core.training.fits import check_fit

IWM = [sys.executable, "-m", "iwm_core.cli"]
SMALL = [
    "recipe=quickstart",
    "evaluators=[]",
    "train.lr.warmup=0",
    "launch.device=cpu",
    "data.train=64",
    "data.validation=8",
    "train.batch_size=16",
    "train.log_every=2",
    "encoder.depth=1",
    "predictor.depth=1",
]
ENDLESS = [*SMALL, "train.steps=100000", "train.checkpoint_every=100000"]
TWO = "launch.processes=2"


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*IWM, *words], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(process.communicate()[1])


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait for an absent parent."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def two_children(process: subprocess.Popen[str]) -> list[int]:
    """The processes of a run, once both are there."""
    while process.poll() is None:
        found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if len(found) == 2:
            return [int(pid) for pid in found]
        time.sleep(0.1)
    raise AssertionError(process.communicate()[1])


@pytest.mark.slow
def test_two_processes_train_as_one_does_speak_to_nobody_else_and_stop_at_a_signal(tmp_path, monkeypatch):
    """Through gloo, on the same global batch; with installed plugins, as each process loads its own; and one process goes on from there."""
    few = [*SMALL, "train.steps=24"]
    with start(tmp_path, "train", *few, "run=r", TWO, "launch.trackers=[tensorboard]") as process:
        read_until(process, "step 2/")
        every = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        found = [
            one for each in every for one in (getattr(each, "net_connections", None) or each.connections)("inet")
        ]  # as psutil 5 and 7 call it
        read_until(process, "step 4/")
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    # Seen from the kernel while they train: every socket that listens does so on the loopback interface.
    assert len(every) >= 3
    assert any(one.raddr for one in found), "they do speak to each other"
    assert {one.laddr.ip for one in found} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    (line,) = error.strip().splitlines()
    assert line.endswith("of 24 by Ctrl-C; continue with `iwm resume r`")
    step = int(line.removeprefix("iwm: stopped at step ").split()[0])
    assert process.returncode == 130
    checkpoint = latest_checkpoint(tmp_path / "r/checkpoints")
    assert checkpoint is not None
    assert checkpoint.name == f"step_{step}"
    assert json.loads((checkpoint / "state.json").read_text())["step"] == step
    assert list((tmp_path / "r").rglob("*tfevents*")), "overrides reach the processes: only they write this tracker's files"
    monkeypatch.chdir(tmp_path)
    assert dispatch(["train", *few, "run=one", f"train.checkpoint_every={step}", "train.keep=24"]) == 0
    assert_close(Path("one"), Path("r"), f"step_{step}")
    assert dispatch(["resume", "r", "launch.processes=1", "launch.accumulate=2", "launch.trackers=[]"]) == 0
    assert [json.loads(line)["step"] for line in (tmp_path / "r/metrics.jsonl").read_text().splitlines()] == list(range(2, 25, 2))


@pytest.mark.slow
def test_processes_end_with_their_parent(tmp_path):
    with start(tmp_path, "train", *ENDLESS, "run=r", TWO) as process:
        read_until(process, "step 2/")
        workers = two_children(process)
        process.kill()
        process.communicate(timeout=60)
    deadline = time.monotonic() + 30
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_a_mistake_that_one_process_meets_ends_both_in_one_line(tmp_path, monkeypatch, capfd):
    """The other process is waiting for gradients then, and shall not tell of a lost connection."""
    for split, count in (("train", 64), ("validation", 8)):
        (tmp_path / "images" / split / "a").mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (64, 64), (i, 0, 0)).save(tmp_path / f"images/{split}/a/{i:02}.png")
    (tmp_path / "images/train/a/07.png").write_bytes(b"no image")
    words = [word for word in ENDLESS if not word.startswith(("data.train", "data.validation"))]
    monkeypatch.chdir(tmp_path)
    load_plugins.cache_clear()
    status = guarded(lambda: dispatch(["train", *words, "data=folder", "data.path=images", "data.max_corrupt=0", "run=r", TWO]))
    error = capfd.readouterr().err
    assert status == 2, error
    (line,) = [line for line in error.splitlines() if not line.startswith("warning: ")]  # of options that this data source lacks
    assert line.startswith("iwm: 1 of 64 images cannot be read")


@pytest.mark.slow
def test_one_killed_process_ends_both(tmp_path):
    with start(tmp_path, "train", *ENDLESS, "run=r", TWO) as process:
        one, other = two_children(process)
        os.kill(other, signal.SIGKILL)
        _, error = process.communicate(timeout=60)
    assert error == "iwm: a process was killed by SIGKILL; continue with `iwm resume r`\n"
    assert process.returncode == 128 + signal.SIGKILL
    assert not alive(one)


@pytest.mark.slow
def test_ctrl_c_in_a_sweep_stops_its_job_with_a_checkpoint(tmp_path):
    with start(tmp_path, "train", "-m", *ENDLESS, "train.seed=0,1") as process:
        read_until(process, "step 4/")
        process.send_signal(signal.SIGINT)
        rest, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.startswith("iwm: stopped at step ")
    assert len(error.splitlines()) == 1
    assert "job 2" not in rest
    assert latest_checkpoint(tmp_path / "runs/quickstart-seed-0/checkpoints") is not None


@pytest.mark.slow
@pytest.mark.parametrize("module", ["iwm_core.cli", "iwm_core.worker"])
def test_files_of_the_current_folder_are_no_modules(tmp_path, module):
    """Jobs and processes are started where a stranger's data may lie."""
    (tmp_path / "shlex.py").write_text("raise SystemExit('code of the folder ran')")
    done = subprocess.run(
        [*python(module), "nowhere"], env={**os.environ, "RANK": "0"}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "code of the folder" not in done.stderr
    assert (done.returncode, "nowhere" in done.stderr) == (2, True)


OURS = [*ROOT.glob("iwm_core/**/*.py"), *ROOT.glob("plugins/*/iwm_*/**/*.py")]


def test_no_other_place_starts_python():
    started = {path.name for path in OURS if re.search(r'sys\.executable, "-[mc]"', path.read_text(encoding="utf-8"))}
    assert started == set(), "use iwm_cluster.children.python, or -P"


def test_more_processes_than_devices_are_refused(monkeypatch):
    import torch

    monkeypatch.setattr("iwm_core.process.launch.choose_device", lambda name: torch.device("cuda"))
    monkeypatch.setattr("torch.accelerator.device_count", lambda: 2)
    recipe = thaw(compose("quickstart", ["launch.processes=4"])[0])
    with pytest.raises(UserError, match=r"launch.processes=4 needs a device for each, but there are 2; use launch.processes=2"):
        check_fit(recipe)
    recipe.launch.processes = 2
    check_fit(recipe)
