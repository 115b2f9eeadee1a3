"""Jobs on a real SLURM of one node: each is warned before its time is over, writes a checkpoint, is queued again, and ends with the bits of
a run that nothing disturbed.

::

    python plugins/iwm-cluster/tests/slow/one_node.py [--processes 1,2]

For each number of processes there is a job of ``iwm submit`` and one of the sbatch file of docs/clusters.md. It needs slurmctld, slurmd and
munged, installs nothing, and leaves nothing behind. Two minutes, most of them waiting: SLURM looks at its clock every 30 seconds.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4] / "tests/furniture"))

from one_node_slurm import ask, lacking, one_node_slurm
from places import ROOT
from served import faults, with_tiny_plugin

STEPS = 150
WORDS = f"recipe=tiny data=taught train.steps={STEPS} train.checkpoint_every={STEPS} train.log_every=10"
TURN, WARNING = "2:00", 35
"""How long a job may take, and the seconds before its end at which it is warned; SLURM may do so a minute earlier."""
SOON = 900.0
"""Seconds until all jobs have ended."""


def documented(run: str, processes: int) -> str:
    """The sbatch file of the documentation, with what it says to change."""
    (text,) = re.findall(r"^```sh\n(#!/bin/bash\n.*?)^```$", (ROOT / "docs/clusters.md").read_text(), re.MULTILINE | re.DOTALL)
    changed = {
        "#SBATCH --partition=": "#SBATCH --partition=main",
        "#SBATCH --nodes=": "#SBATCH --nodes=1",
        "#SBATCH --gpus-per-node=": "",
        "#SBATCH --ntasks-per-node=": f"#SBATCH --ntasks-per-node={processes}",
        "#SBATCH --cpus-per-task=": "#SBATCH --cpus-per-task=1",
        "#SBATCH --time=": f"#SBATCH --time={TURN}",
        "#SBATCH --signal=": f"#SBATCH --signal=USR2@{WARNING}",
        "source ": f"export PATH={Path(sys.executable).parent}:$PATH",
        "run=": f"run={run}",
    }
    for begins, line in changed.items():
        text, count = re.subn(rf"^{re.escape(begins)}.*$", lambda _, line=line: line, text, flags=re.MULTILINE)
        assert count == 1, begins
    assert "recipe=repro/imagenette size=gpu" in text
    return text.replace("recipe=repro/imagenette size=gpu", WORDS)


class Node:
    """A SLURM of one node, as its ``environment`` names it, and a folder of runs."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment

    def submit(self, run: str, processes: int) -> str:
        """A job of ``iwm submit``; its number."""
        iwm = [sys.executable, "-m", "iwm_core.cli", "submit", "--partition", "main", "--ntasks-per-node", str(processes)]
        done = self.run(*iwm, "--time", TURN, "--warning", str(WARNING), "train", *WORDS.split(), f"run={run}")
        return re.findall(r"^job (\d+) of", done, re.MULTILINE)[0]

    def submit_file(self, run: str, processes: int) -> str:
        """A job of the sbatch file; its number."""
        file = self.folder / f"{run}.sbatch"
        file.write_text(documented(run, processes))
        return self.run("sbatch", str(file)).split()[-1]

    def run(self, *command: str) -> str:
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=True).stdout

    def told(self, job: str) -> str:
        """What SLURM knows of a job."""
        return ask(self.environment, "scontrol", "show", "job", "--oneliner", job)

    def said(self, job: str) -> str:
        """What a job has said."""
        return "".join(log.read_text() for log in [*self.folder.glob(f"runs/jobs/*/{job}_*.out"), *self.folder.glob(f"iwm-{job}.log")])

    def warned(self, run: str, job: str) -> list[str]:
        """What is wrong with a job that has been warned, and waits for its second turn."""
        said = self.said(job)
        stopped = re.search(rf"stopped at step (\d+) of {STEPS} by SIGUSR2", said)
        step = int(stopped[1]) if stopped else 0
        print(f"{run}: job {job}, warned by SLURM, stopped at step {step} of {STEPS}; {self.state(job)}", flush=True)
        there = (self.folder / run / f"checkpoints/step_{step}").exists()
        return [] if 0 < step < STEPS and there else [f"{run}: it stopped at step {step}, checkpoint {there}: {said}"]

    def state(self, job: str) -> str:
        return " ".join(re.findall(r"(?:JobState|Restarts)=\S+", self.told(job)))


def first_to_last(folder: Path, processes: tuple[int, ...]) -> list[str]:
    """Submit jobs of these numbers of processes, and see them through; what is wrong."""
    environment = with_tiny_plugin(folder, "paced")
    for count in processes:
        train = [sys.executable, "-m", "iwm_core.cli", "train", *WORDS.split(), f"launch.processes={count}", f"run=whole-{count}"]
        subprocess.run(train, cwd=folder, env=environment, capture_output=True, check=True)
    with one_node_slurm(folder / "slurm") as found:
        node = Node(folder, environment | {"SLURM_CONF": found["SLURM_CONF"]})
        jobs = {f"{way}-{count}": begin(f"{way}-{count}", count) for count in processes for way, begin in ways(node).items()}
        wrong = see_through(node, jobs)
    return wrong or [fault for run in jobs for fault in faults(folder / run, folder / f"whole-{run.rpartition('-')[2]}")]


def see_through(node: Node, jobs: dict[str, str]) -> list[str]:
    """Wait until all jobs have ended, and look at each when it has been warned; what is wrong."""
    wrong, left, warned = list[str](), dict(jobs), dict[str, str]()
    until = time.monotonic() + SOON
    while left and not wrong and time.monotonic() < until:
        for run, job in list(left.items()):
            state = node.state(job)
            if state.startswith("JobState=PENDING") and "Restarts=0" not in state and state != warned.get(run):
                wrong += [] if run in warned else node.warned(run, job)
                warned[run] = state
                # SLURM would have it wait two minutes. One that began again in the second of its end failed at once, as if its credential
                # were still revoked.
                ask(node.environment, "scontrol", "update", f"JobId={job}", "StartTime=now+3")
            elif "COMPLETED" in state:
                del left[run]
                wrong += [] if run in warned else [f"{run}: it has ended before it was warned"]
            elif re.search(r"FAILED|TIMEOUT|CANCELLED|NODE_FAIL", state):
                wrong.append(f"{run}: {node.told(job)} {node.said(job)}")
        time.sleep(0.5)
    return wrong + [f"{run}: it has not ended: {node.told(job)} {node.said(job)}" for run, job in left.items()]


def ways(node: Node):
    return {"submit": node.submit, "file": node.submit_file}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", default="1,2")
    asked = tuple(int(count) for count in parser.parse_args().processes.split(","))
    if lacking():
        sys.exit(f"there is no SLURM here: {', '.join(lacking())} is not on the PATH")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # with its SLURM
    since = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        problems = first_to_last(Path(place), asked)
    print(f"{len(problems)} faults in {time.monotonic() - since:.0f} s", *problems, sep="\n")
    sys.exit(bool(problems))
