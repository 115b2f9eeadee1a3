"""One run under one process, and two of torchrun, ``accelerate launch`` and submitit's local executor; each goes on with the others'.

::

    python plugins/iwm-cluster/tests/slow/launchers.py [--only accelerate,submitit] [--folder KEPT]

Samples, actions and masks of each step must be the same, losses within 1e-5 of those of one process, and the weights of all that have two
processes the same to the bit. Three to four minutes on two cores; in a folder that is kept, what has been run is not run again.
"""

import argparse
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[4] / "tests/furniture"))

import numpy as np
from seen_steps import seen
from served import faults, with_tiny_plugin

TRAIN = ["train", "recipe=tiny", "data=taught", "train.steps=20", "train.checkpoint_every=10", "train.log_every=1"]
CLOSE = 1e-5
ONE = "one"


def started_by(starter: str, words: list[str]) -> list[str]:
    """The command line by which a starter carries a command of iwm out."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    iwm, python = [sys.executable, "-m", "iwm_core.cli"], [sys.executable, "-m"]
    return {
        ONE: iwm,
        "torchrun": [*python, "torch.distributed.run", "--standalone", "--nproc-per-node=2", *iwm[1:]],
        "accelerate": [
            *(*python, "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1", "--mixed_precision=no"),
            *("--dynamo_backend=no", f"--main_process_port={port}", *iwm[1:]),
        ],
        "submitit": [*iwm, "submit", "--cluster", "local", "--ntasks-per-node", "2", "--time", "5:00", "--warning", "30", "--wait"],
    }[starter] + words


STARTERS = (ONE, "torchrun", "accelerate", "submitit")


class Launches:
    """Runs in a folder, each told by what has started it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = with_tiny_plugin(folder, "seen_steps") | {"SEEN": str(folder / "seen")}

    def start(self, starter: str, words: list[str]) -> list[str]:
        """Carry a command out; what is wrong."""
        done = subprocess.run(
            started_by(starter, words), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        return [] if done.returncode == 0 else [f"{starter} {' '.join(words)}: status {done.returncode}: {done.stdout}{done.stderr}"]

    def train(self, starter: str) -> list[str]:
        """Train from the beginning to the end; what is wrong, held against one process."""
        wrong = [] if self.finished(starter) else self.start(starter, [*TRAIN, f"run={starter}"])
        return wrong or self.differences(starter, 0)

    def go_on(self, begun: str, starter: str) -> list[str]:
        """Go on with what another has left after half of the steps."""
        name, wrong = f"{begun}-{starter}", list[str]()
        if not self.finished(name):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            shutil.copytree(self.folder / begun, self.folder / name)
            shutil.rmtree(self.folder / name / "checkpoints/step_20")
            (self.folder / name / "checkpoints/latest").write_text("step_10")
            wrong = self.start(starter, ["resume", name])
        wrong = wrong or self.differences(name, 10)
        alike = ONE not in (begun, starter) or begun == starter
        return wrong + (faults(self.folder / name, self.folder / begun) if alike and not wrong else [])

    def finished(self, run: str) -> bool:
        """Whether a run is there, and whole."""
        return (self.folder / run / "checkpoints/step_20").exists()

    def logged(self, run: str) -> list[str]:
        """The lines that a run has logged."""
        return (self.folder / run / "metrics.jsonl").read_text().splitlines()

    def differences(self, run: str, since: int) -> list[str]:
        """How a run differs from that of one process, from a step on."""
        expected, found = (
            {key: value for key, value in seen(self.folder / "seen" / name).items() if key[0] >= since} for name in (ONE, run)
        )
        wrong = [] if expected.keys() == found.keys() and len(found) > 0 else [f"{run}: other samples"]
        wrong += [
            f"{run}: step {key[0]}, sample {key[1]}: another {what}"
            for key in expected.keys() & found.keys()
            for what, one, other in zip(("action", "context", "target"), expected[key], found[key], strict=True)
            if not np.array_equal(one, other)
        ]
        losses = [np.array([json.loads(line)["loss"] for line in lines]) for lines in map(self.logged, (ONE, run))]
        apart = float(np.abs(losses[0] - losses[1]).max()) if len(losses[0]) == len(losses[1]) else float("inf")
        print(f"{run:24} {len(found):4} samples seen, losses apart by {apart:.1e} at most", flush=True)
        return wrong + ([] if apart <= CLOSE else [f"{run}: losses differ by {apart:.2g}"])


def launch(folder: Path, starters: list[str], resumed: bool = True) -> list[str]:
    """What is wrong with the runs of these starters, and with each that goes on with another's."""
    launches = Launches(folder)
    wrong = [fault for starter in starters for fault in launches.train(starter)]
    if wrong:
        return wrong
    for one, other in itertools.combinations([starter for starter in starters if starter != ONE], 2):
        wrong += faults(folder / one, folder / other)
    for begun, starter in itertools.permutations(starters, 2) if resumed else ():
        wrong += launches.go_on(begun, starter)
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(STARTERS[1:]), help="such as 'torchrun,submitit'")
    parser.add_argument("--folder", type=Path, help="where runs lie; a temporary one where nothing is said")
    asked, since = parser.parse_args(), time.monotonic()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as place:
        problems = launch((asked.folder or Path(place)).absolute(), [ONE, *asked.only.split(",")])
    print(f"{len(problems)} faults in {time.monotonic() - since:.0f} s", *problems, sep="\n")
    sys.exit(bool(problems))
