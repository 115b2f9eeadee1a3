"""Commands whose surroundings fail them: a reader that goes, data workers that die, little shared memory, a disk that takes nothing.

::

    python tests/slow/surroundings.py [--only read_only]

Each command is a process of its own. Small shared memory and disks that are really read-only need the right to mount (`unshare -m`); where
it is lacking, that is said, and those cases count as not tried.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "furniture"))

from served import faults, saved, with_tiny_plugin
from tiny_tuning import SWIFT

IWM = [sys.executable, "-m", "iwm_core.cli"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "iwm_core.worker"]
TRAIN = ["train", "recipe=tiny", "data=taught", "predictor=feature", "predictor.depth=2", "train.checkpoint_every=3", "train.log_every=1"]
TWO = "launch.processes=2"
LARGE = ["train", "recipe=tiny", "image_size=64", "train.batch_size=64", "train.steps=6", "launch.workers=2"]
"""A batch of it takes 0.8 MB."""
NO_ROOM = "data workers find too little shared memory (/dev/shm): use launch.workers=0"
PATIENCE = 240.0
"""Seconds that a command may take."""


class Surroundings:
    """What is tried, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.environment = folder, with_tiny_plugin(folder)

    @contextmanager
    def begun(self, *command: str) -> Iterator[subprocess.Popen[str]]:
        """A command that has begun; nothing of it is left afterwards."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        with subprocess.Popen(command, cwd=self.folder, env=self.environment, **pipes) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def ends(self, process: subprocess.Popen[str], status: int, *expected: str) -> list[str]:
        """What is wrong with how a command ends: its status, or its last line on standard error, which shall match an expression."""
        try:
            error = process.communicate(timeout=PATIENCE)[1] or ""
        except subprocess.TimeoutExpired:
            return [f"it takes more than {PATIENCE:.0f} s"]
        last = (error.strip().splitlines() or [""])[-1]
        fits = all(re.search(text, last) for text in expected) and "Traceback" not in error
        return [] if process.returncode == status and fits else [f"status {process.returncode}: {error}"]

    def run(self, *words: str, status: int = 0, expected: tuple[str, ...] = (), within: str = "") -> list[str]:
        """Run a command line of ``iwm``, in a mount namespace of its own where ``within`` says what is mounted; what is wrong."""
        mounted = ["unshare", "-m", "sh", "-ec", f'{within}; exec "$@"', "sh"] if within else []
        with self.begun(*mounted, *IWM, *words) as process:
            return [f"iwm {' '.join(words)}: {fault}" for fault in self.ends(process, status, *expected)]

    def need(self, run: str, *words: str) -> Path:
        """A run that others begin with."""
        if not (self.folder / run).exists():
            wrong = self.run(*words, f"run={run}")
            assert not wrong, wrong
        return self.folder / run

    def half(self, run: str, of: str = "whole", steps: int = 6) -> Path:
        """The same run, before its last checkpoint."""
        shutil.copytree(self.need(of, *TRAIN, f"train.steps={steps}"), self.folder / run)
        shutil.rmtree(self.folder / run / f"checkpoints/step_{steps}")
        return self.folder / run

    def gone_reader(self, *words: str) -> list[str]:
        """``| head -1``: the command goes on to its end."""
        with self.begun(*IWM, *words) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            return self.ends(process, 0)

    def reader_of_several_processes(self) -> list[str]:
        self.need("two", *TRAIN, "train.steps=12", TWO)
        return self.gone_reader(*TRAIN, "train.steps=12", TWO, "run=r") + faults(self.folder / "r", self.folder / "two")

    def reader_of_a_sweep(self) -> list[str]:
        self.need("whole", *TRAIN, "train.steps=6")
        wrong = self.gone_reader("train", "-m", *TRAIN[1:], "train.steps=6", "train.seed=0,1")
        found = sorted(path.name for path in (self.folder / "runs").iterdir())
        wrong += [] if found == ["tiny", "tiny-2", "tiny-sweep", "tiny-sweep.html"] else [f"{found}"]
        return wrong + faults(self.folder / "runs/tiny", self.folder / "whole")

    def reader_of_a_tuning(self) -> list[str]:
        self.need("whole", *TRAIN, "train.steps=6")
        self.need("tuned", "tune", "whole", "recipe=tune/predictor", *SWIFT)
        wrong = self.gone_reader("tune", "whole", "recipe=tune/predictor", *SWIFT, "run=t")
        return wrong + faults(self.folder / "t", self.folder / "tuned")

    def reader_of_a_comparison(self) -> list[str]:
        self.need("whole", *TRAIN, "train.steps=6")
        self.need("probe", "tune", "whole", "recipe=tune/probe_linear", *SWIFT)
        wrong = self.gone_reader("compare", "whole", "protocols=[probe_linear]", "seeds=2", *SWIFT, "run=c")
        left = [] if (self.folder / "c/comparison.html").exists() else ["no comparison.html"]
        return wrong + left + faults(self.folder / "c/probe_linear-seed0", self.folder / "probe")

    def lost_workers_of_several_processes(self) -> list[str]:
        """A data worker of the second process dies: both end after one step, and go on to the same weights."""
        self.need("long", *TRAIN, "train.steps=400", TWO)
        with self.begun(*IWM, *TRAIN, "train.steps=400", TWO, "launch.workers=1", "run=l") as process:
            assert process.stdout is not None
            while "step 5/" not in process.stdout.readline():
                assert process.poll() is None
            second = max(children(process.pid))
            os.kill(max(children(second)), signal.SIGKILL)
            told = r"^iwm: stopped at step \d+ of 400: a data worker was killed, .*; continue with `iwm resume l`$"
            wrong = self.ends(process, 1, told)
        return wrong + self.run("resume", "l") + faults(self.folder / "l", self.folder / "long")

    def small_shared_memory(self) -> list[str]:
        """Batches find no room: a training ends with a checkpoint, and other verbs go on without workers."""
        small, tiny = "mount -t tmpfs -o size=1m none /dev/shm", "mount -t tmpfs -o size=4k none /dev/shm"
        stopped = rf"^iwm: stopped at step \d+ of 6: {re.escape(NO_ROOM)}.*; continue with `iwm resume "
        wrong = self.run(*LARGE, "run=s", within=small, status=1, expected=(stopped,))
        if not list((self.folder / "s/checkpoints").glob("step_*")):
            wrong.append("no checkpoint")
        wrong += self.run("resume", "s", "launch.workers=0", within=small)
        self.need("roomy", *[word for word in LARGE if "workers" not in word])
        wrong += [f"{name} differs" for name, content in saved(self.folder / "roomy").items() if saved(self.folder / "s")[name] != content]
        wrong += self.run(*LARGE, TWO, "launch.workers=1", "run=p", within=small, status=1, expected=(stopped,))
        less = small.replace("1m", "64k")  # all images take 110 kB
        wrong += self.run(*LARGE, "data.cache=ram", "run=k", within=less, expected=(rf"{re.escape(NO_ROOM)}.*; going on without workers",))
        none = "data workers cannot be started .*: use launch.workers=0; continue with"
        return wrong + self.run(*LARGE, "run=n", within=tiny, status=1, expected=(none,))

    def read_only(self) -> list[str]:
        """A run on a disk that is read-only is refused before any work where it would be written, and can be read."""
        self.half("half")
        self.need("tuned", "tune", "whole", "recipe=tune/predictor", *SWIFT)
        one_line, wrong = r"^iwm: cannot write .*: Read-only file system; the file system is read-only: ", []
        copy = (one_line + "copy the run to where it can be written$",)
        for words, status, expected in (
            (["resume", "half"], 2, copy),
            (["resume", "whole"], 0, ()),
            (["eval", "half", "evaluators=[health]"], 2, copy),
            (["eval", "tuned"], 2, copy),
            (["report", "half"], 2, (one_line + "choose another place with out=FILE$",)),
            (["report", "half", "out=half.html"], 0, ()),
            (["tune", "half", "recipe=tune/predictor", *SWIFT, "run=other"], 0, ()),
            (
                [*TRAIN, "train.steps=6", "run=half/inside"],
                2,
                (r"Read-only file system; .* read-only: choose another directory with run=PATH$",),
            ),
            (["compare", "half", *SWIFT, "protocols=[probe_linear]", "run=half/c"], 2, ("read-only: choose another with run=FOLDER$",)),
        ):
            run = next(word for word in ("tuned", "whole", "half") if word in " ".join(words))
            mount = f"mount --bind {run} {run} && mount -o remount,ro,bind {run}"
            before = {path: path.stat().st_mtime_ns for path in (self.folder / run).rglob("*")}
            wrong += self.run(*words, within=mount, status=status, expected=expected)
            if before != {path: path.stat().st_mtime_ns for path in (self.folder / run).rglob("*")}:
                wrong.append(f"{words}: the run is not as it was")
        return wrong

    def torchrun(self) -> list[str]:
        """A second one on the same run is told of the first, which goes on undisturbed."""
        self.need("paced", *TRAIN, "train.steps=300", TWO)
        self.half("q", "paced", 300)
        for path in (self.folder / "q/checkpoints").glob("step_*"):
            shutil.rmtree(path)
        with self.begun(*TORCHRUN, "q") as first:
            until = time.monotonic() + PATIENCE
            while not list((self.folder / "q/checkpoints").glob("step_*")) and first.poll() is None and time.monotonic() < until:
                time.sleep(0.05)
            with self.begun(*TORCHRUN, "q") as second:
                error = second.communicate(timeout=PATIENCE)[1]
                told = second.returncode != 0 and re.search(
                    r"^iwm: q is in use by iwm (?:train|resume), process \d+ on .*;", error, re.MULTILINE
                )
                wrong = [] if told else [f"the second: status {second.returncode}: {error}"]
            wrong += [f"the first: {fault}" for fault in self.ends(first, 0)]
        return wrong + faults(self.folder / "q", self.folder / "paced")


def children(pid: int) -> list[int]:
    """Of a process, in the order of their numbers."""
    return sorted(int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split())


def may_mount() -> bool:
    """Whether this user may, in a namespace of their own."""
    tried = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/dev/shm"]
    return shutil.which("unshare") is not None and subprocess.run(tried, capture_output=True, check=False).returncode == 0


CASES: dict[str, Callable[[Surroundings], list[str]]] = {
    case.__name__: case
    for case in (
        Surroundings.reader_of_several_processes,
        Surroundings.reader_of_a_sweep,
        Surroundings.reader_of_a_tuning,
        Surroundings.reader_of_a_comparison,
        Surroundings.lost_workers_of_several_processes,
        Surroundings.torchrun,
        Surroundings.small_shared_memory,
        Surroundings.read_only,
    )
}
MOUNTING = ("small_shared_memory", "read_only")


def main(names: list[str]) -> int:
    """Try the cases of these names, or all; the exit status."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        surroundings = Surroundings(Path(folder))
        for name in names or CASES:
            begun = time.monotonic()
            if name in MOUNTING and not may_mount():
                print(f"{name:36} not tried: this user may not mount")
                continue
            wrong = CASES[name](surroundings)
            failed += bool(wrong)
            print(f"{name:36} {'FAILED' if wrong else 'right'} in {time.monotonic() - begun:.0f} s", *wrong, sep="\n  ", flush=True)
    return min(failed, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=CASES, default=[])
    sys.exit(main(parser.parse_args().only))
