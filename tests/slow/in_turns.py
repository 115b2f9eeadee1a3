"""CPU seconds of a training by two versions, whose steps take turns: whatever else the machine does slows both alike.

    python tests/slow/in_turns.py PYTHON_BEFORE PYTHON_NOW STEPS [recipe=NAME KEY=VALUE…]         # recipe=quickstart

Each version is named by the Python of the environment that it is installed in. It is started with ``evaluators=[]``, without data workers
and with one thread. Told are the steps after the fifth, and the sum with the start-up for as many steps as the quickstart has.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

WHOLE, UNTIMED = 3000, 5


def train(folder: str, *words: str) -> None:
    """Train, telling the CPU seconds of each step and waiting for a line before the next: what runs in either version."""
    import time

    from iwm_core import hookimpl
    from iwm_core.cli.main import dispatch
    from iwm_core.plugins.loader import load_plugins

    told, since = os.fdopen(os.dup(1), "w"), [0.0]
    os.dup2(2, 1)

    def after(event: Any) -> None:
        told.write(json.dumps(time.process_time() - since[0]) + "\n")
        told.flush()
        sys.stdin.readline()
        since[0] = time.process_time()

    load_plugins().manager.register(SimpleNamespace(iwm_step_end=hookimpl(after)))
    dispatch(["train", *words, "evaluators=[]", "launch.workers=0", "train.lr.warmup=1", f"run={folder}"])


def started(python: str, folder: Path, words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-P", __file__, "--train", str(folder), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def next_of(process: subprocess.Popen[str]) -> float:
    """Seconds of a version's next step."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"{process.args} ended with status {process.wait()}"
    return json.loads(line)


def main(before: str, now: str, steps: str, *words: str) -> None:
    asked = [*(words or ("recipe=quickstart",)), f"train.steps={steps}"]
    with tempfile.TemporaryDirectory() as temporary:
        both = [started(python, Path(temporary) / name, asked) for name, python in (("before", before), ("now", now))]
        first, spent = [next_of(process) for process in both], ([], [])
        for step in range(1, int(steps)):
            for place in (0, 1) if step % 2 else (1, 0):
                go_on = both[place].stdin
                assert go_on is not None
                go_on.write("\n")
                go_on.flush()
                spent[place].append(next_of(both[place]))
        for process in both:
            process.communicate()
    old, new = (times[UNTIMED:] for times in spent)
    for name, of in (("mean", statistics.mean), ("least", min)):
        print(f"a step, CPU ms, {name} of {len(old)}: {1e3 * of(old):.1f} → {1e3 * of(new):.1f}, {of(old) / of(new):.3f} times as fast")
    whole = [start + (WHOLE - 1) * statistics.mean(times) for start, times in zip(first, (old, new), strict=True)]
    print(f"{WHOLE} steps and the start-up: {whole[0]:.1f} → {whole[1]:.1f} CPU s, {whole[0] / whole[1]:.3f} times as fast")


if __name__ == "__main__":
    (train if sys.argv[1:2] == ["--train"] else main)(*sys.argv[2 if sys.argv[1:2] == ["--train"] else 1 :])
