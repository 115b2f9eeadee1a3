"""A run has one writer; who comes second is told who that is, and a killed one leaves nothing to clean up."""

import errno
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.compose import compose
from iwm_core.run.files import REMEDIES, remedy, write_atomically
from iwm_core.run.lock import Taken, placing, writer, writer_of
from iwm_core.run.new_run import new_run

HOLDS = """
import sys
from pathlib import Path
from iwm_core.run.lock import {kind}
with {kind}(Path(sys.argv[1]), "train", print):
    print("held", flush=True)
    sys.stdin.read()
"""


def silent(text):
    raise AssertionError(text)


def hold(folder, kind="writer"):
    """A process that holds a folder's lock until its standard input ends."""
    command = [sys.executable, "-c", HOLDS.format(kind=kind), str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.slow
def test_the_second_is_told_of_the_first_until_that_is_killed(tmp_path):
    with hold(tmp_path) as first:
        for _ in range(2):  # to be refused frees nothing
            with pytest.raises(Taken, match=rf"{tmp_path} is in use by iwm train, process {first.pid} on .+, since 20\d\d-"):
                writer(tmp_path, "resume", silent).__enter__()
        assert f"process {first.pid}" in writer_of(tmp_path)
        first.kill()
    with writer(tmp_path, "resume", silent):
        pass
    assert writer_of(tmp_path) is None


@pytest.mark.slow
def test_within_a_process_too(tmp_path):
    with writer(tmp_path, "train", silent):
        for folder in (tmp_path, tmp_path / "." / "x" / ".."):
            with pytest.raises(Taken, match=f"this process, {os.getpid()}"):
                writer(folder, "resume", silent).__enter__()
        with pytest.raises(subprocess.TimeoutExpired):  # still held: another process is refused, and waits
            subprocess.run([sys.executable, "-c", HOLDS.format(kind="writer"), tmp_path], stderr=subprocess.PIPE, timeout=0.5, check=True)


@pytest.mark.slow
def test_children_do_not_hold_it(tmp_path):
    """Data workers live for some seconds when their parent is killed."""
    forks = "import os, time; pid = os.fork(); pid or time.sleep(60); print(pid, flush=True)\n    print"
    command = [sys.executable, "-c", HOLDS.format(kind="writer").replace('print("held', forks + '("held'), tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
        try:
            with writer(tmp_path, "resume", silent):
                os.kill(child, 0)  # it lives
        finally:
            os.kill(child, signal.SIGKILL)


@pytest.mark.slow
def test_a_busy_run_is_refused_before_torch_is_imported(here):
    config = compose("quickstart", [])[0]
    config.run = "r"
    with new_run(config, "train", print):
        pass
    Path("r/checkpoints/step_2").mkdir(parents=True)
    Path("r/checkpoints/step_2/state.json").write_text('{"step": 2, "steps": 6}')
    Path("r/checkpoints/step_2/model.safetensors").touch()
    lines = {
        "resume r": "r",
        "train recipe=quickstart run=r": "r",
        "train recipe=quickstart run=t": "t",
        "tune r recipe=tune/predictor run=t": "t",
        "compare r budget=cpu": "runs/compare/r",
        "compare r budget=cpu run=c": "c",
    }
    code = (
        "import sys\nfrom iwm_core.cli.main import dispatch, guarded\nfor line in sys.stdin.read().splitlines():\n"
        "    print(guarded(lambda: dispatch(line.split(' '))), 'torch' in sys.modules, flush=True)"
    )
    with ExitStack() as holders:
        folders = dict.fromkeys(lines.values())
        for folder in folders:
            Path(folder).mkdir(parents=True, exist_ok=True)
            folders[folder] = holders.enter_context(hold(folder))
        done = subprocess.run([sys.executable, "-c", code], input="\n".join(lines), capture_output=True, text=True, check=False)
        for holder in folders.values():
            holder.kill()
    assert done.stdout.splitlines() == ["2 False"] * len(lines), done.stderr
    for text, (line, folder) in zip(done.stderr.splitlines(), lines.items(), strict=True):
        assert text.startswith(f"iwm: {folder} is in use by iwm train, process {folders[folder].pid} on "), line


@pytest.mark.slow
def test_files_are_put_in_place_beside_a_writer_and_one_after_another(tmp_path):
    with hold(tmp_path), placing(tmp_path, "eval", silent):
        pass
    with hold(tmp_path, "placing") as other:
        other.stdin.close()
        with placing(tmp_path, "eval", silent):  # waits
            pass


@pytest.mark.slow
def test_waiting_for_another_who_puts_files_in_place_is_said_once(tmp_path):
    told = []
    with hold(tmp_path, "placing") as other:
        threading.Timer(1.5, other.stdin.close).start()
        with placing(tmp_path, "eval", told.append):
            pass
    (line,) = told
    assert line.startswith(f"waiting for iwm train, process {other.pid} on ")
    assert line.endswith(f", to put files in place in {tmp_path}")


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def cannot(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.lockf", cannot)
    told = []
    with writer(tmp_path, "train", told.append):
        pass
    assert told == [f"the file system of {tmp_path} cannot lock (No locks available): see to it that nothing else writes there meanwhile"]


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_a_lock_file_that_is_none_is_not_followed(tmp_path, kind):
    (tmp_path / "precious").write_text("all I have")
    lock = tmp_path / ".lock"
    {"link": lambda: lock.symlink_to("precious"), "folder": lock.mkdir, "fifo": lambda: os.mkfifo(lock)}[kind]()
    if kind == "fifo":
        with writer(tmp_path, "train", lambda _: None):
            pass
    else:
        with pytest.raises(UserError, match=r"cannot write .*/.lock: .*; (it is a symbolic link: remove it|a folder is where .*)"):
            writer(tmp_path, "train", silent).__enter__()
    assert (tmp_path / "precious").read_text() == "all I have"


def begin(*overrides):
    return new_run(compose("tiny", list(overrides))[0], "train", silent)


def test_two_starts_take_different_directories(tiny):
    with begin() as one, begin() as two:
        assert [str(one.path), str(two.path)] == ["runs/tiny", "runs/tiny-2"]
        with pytest.raises(Taken, match="runs/tiny is in use by this process"):
            begin("run=runs/tiny").__enter__()
    with pytest.raises(UserError, match="the run runs/tiny exists; continue it with `iwm resume runs/tiny`"):
        begin("run=runs/tiny").__enter__()


@pytest.mark.parametrize(
    "left", [[".lock"], [".lock", "env.json"], [".lock", "env.json", ".config.yaml.partial"], [".lock", ".config.yaml.7-1a2b3c4d.partial"]]
)
def test_what_a_killed_start_left_is_free(tiny, left):
    Path("runs/tiny").mkdir(parents=True)
    for name in left:
        (Path("runs/tiny") / name).write_text("{")
    with begin() as run:
        assert str(run.path) == "runs/tiny"
    with begin("run=runs/tiny-2") as run:
        pass
    assert sorted(p.name for p in Path("runs/tiny").iterdir()) == [".lock", "config.yaml", "env.json"]


@pytest.mark.slow
def test_a_directory_that_a_start_has_locked_is_not_free(tiny):
    Path("runs/tiny").mkdir(parents=True)
    with hold("runs/tiny") as other, begin() as run:
        assert str(run.path) == "runs/tiny-2"
        with pytest.raises(Taken, match=f"runs/tiny is in use by iwm train, process {other.pid}"):
            begin("run=runs/tiny").__enter__()


def test_a_directory_of_somebody_else_is_not_free(tiny):
    Path("runs/tiny").mkdir(parents=True)
    (Path("runs/tiny") / "thesis.tex").touch()
    with begin() as run:
        assert str(run.path) == "runs/tiny-2"
    with pytest.raises(UserError, match="run=runs/tiny is not empty and no run"):
        begin("run=runs/tiny").__enter__()
    assert [p.name for p in Path("runs/tiny").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("number", REMEDIES)
def test_a_refused_write_tells_its_own_remedy_and_leaves_nothing(tmp_path, monkeypatch, number):
    def refused(*_):
        raise OSError(number, os.strerror(number))

    (tmp_path / "x.json").write_text("old")
    monkeypatch.setattr("os.fsync", refused)
    with pytest.raises(UserError) as caught:
        write_atomically(tmp_path / "x.json", "new")
    assert str(caught.value) == f"cannot write {tmp_path / 'x.json'}: {os.strerror(number)}; {REMEDIES[number]}"
    assert ("free some" in str(caught.value)) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x.json", "old")]


def test_a_remedy_names_another_place_where_that_helps():
    read_only, full = OSError(errno.EROFS, "read-only"), RuntimeError("I/O error: No space left on device (os error 28)")
    assert remedy(read_only, "choose out=FILE") == "the file system is read-only: choose out=FILE"
    assert remedy(full, "choose out=FILE") == "free some disk space, or choose out=FILE"
    assert remedy(OSError(99999, "?")) == "fix that and try again"


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_checkpoints_are_as_readable_as_the_runs_other_files(tiny, iwm, mask):
    before = os.umask(mask)
    try:
        assert iwm("train", "recipe=tiny", "train.steps=2", "run=r")[0] == 0
    finally:
        os.umask(before)
    assert {oct(p.stat().st_mode & 0o777) for p in Path("r").rglob("*") if p.is_file()} == {oct(0o666 & ~mask)}


def test_a_model_is_loaded_though_its_checkpoint_is_pruned_meanwhile(tiny, iwm, monkeypatch):
    import shutil

    import iwm_core
    from iwm_core.model import loading

    assert iwm("train", "recipe=tiny", "train.steps=4", "train.keep=2", "run=r")[0] == 0
    newer, real = Path("kept"), loading.load_weights
    shutil.move("r/checkpoints/step_4", newer)

    def pruned(checkpoint, model):
        if newer.exists():  # a training goes on: step_4 is written, and step_2 is pruned
            shutil.move(newer, "r/checkpoints/step_4")
            shutil.rmtree("r/checkpoints/step_2")
        real(checkpoint, model)

    monkeypatch.setattr(loading, "load_weights", pruned)
    model = iwm_core.load("r", "cpu")
    assert model.step == 4
    assert torch.isfinite(model.encode(torch.rand(1, 3, 16, 16))).all()
