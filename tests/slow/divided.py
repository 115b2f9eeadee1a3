"""The quickstart in parts: its losses over 20 steps as one process has them, as two with whole models, and as two with parts (FSDP2).

    python tests/slow/divided.py [KEY=VALUE…]         # three minutes on two cores

For each way, the greatest relative difference of a loss from the first line's, and seconds. Some go on from checkpoints of others.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IWM = [sys.executable, "-P", "-m", "iwm_core.cli"]
TRAIN = [
    *("train", "recipe=quickstart", "evaluators=[]", "launch.device=cpu", "data.train=512", "data.validation=8"),
    *("train.steps=20", "train.lr.warmup=2", "train.log_every=1", "train.checkpoint_every=10"),
]
TWO, PARTS, AGAIN = ["launch.processes=2"], ["launch.processes=2", "launch.shard=full"], ["launch.checkpoint_activations=true"]
WAYS = {
    "one process": [],
    "one, blocks computed again": AGAIN,
    "two, each whole": TWO,
    "two, each whole, gradients in bf16": [*TWO, "launch.reduce=bf16"],
    "two in parts": PARTS,
    "two in parts, blocks computed again": [*PARTS, *AGAIN],
    "two in parts, gradients in bf16": [*PARTS, "launch.reduce=bf16"],
}
GONE_ON = {
    "parts, from step 10 on one": ("two in parts", ["launch.processes=1", "launch.shard=none"]),
    "one, from step 10 on in parts": ("one process", PARTS),
}


def run(folder: Path, *words: str) -> float:
    """Seconds that a command takes."""
    before = time.perf_counter()
    done = subprocess.run([*IWM, *words], cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - before


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def main(*words: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder, first = Path(temporary), list[float]()
        names = {way: f"run{number}" for number, way in enumerate(WAYS)}

        def tell(way: str, name: str, seconds: float) -> None:
            found = losses(folder / name)
            assert len(found) == 20
            furthest = max(abs(one / other - 1) for one, other in zip(found, first or found, strict=True))
            print(f"{way:38} {furthest:8.1e} {seconds:6.1f} s", flush=True)
            first[:] = first or found

        for way, own in WAYS.items():
            tell(way, names[way], run(folder, *TRAIN, *words, f"run={names[way]}", *own))
        for way, (before, own) in GONE_ON.items():
            tell(way, names[before], run(folder, "resume", names[before], "checkpoint=step_10", *own))


if __name__ == "__main__":
    main(*sys.argv[1:])
