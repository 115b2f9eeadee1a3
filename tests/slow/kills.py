"""Kills of trainings, tunings, comparisons, their jobs and data workers at random times: what goes on afterwards has not one changed bit.

::

    python tests/slow/kills.py [--number 100] [--seed 0] [--kinds train,workers]
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "furniture"))

from served import Server, faults, servers
from tiny_tuning import SWIFT

TRAIN = ["train", "recipe=tiny", "data=taught", "predictor=feature", "predictor.depth=2", "train.steps=60", "train.checkpoint_every=3"]
TUNE = ["tune", "whole", "recipe=tune/predictor", *SWIFT, "train.steps=40", "train.checkpoint_every=3", "train.log_every=3"]
COMPARE = ["compare", "whole", "protocols=[probe_linear]", "seeds=1", *SWIFT, "train.steps=40", "train.checkpoint_every=3"]
KINDS = {
    "train": (TRAIN, "", "command", -9),
    "workers": ([*TRAIN, "launch.workers=2"], "", "child", 1),
    "train with workers": ([*TRAIN, "launch.workers=2"], "", "command", -9),
    "tune": (TUNE, "", "command", -9),
    "compare": (COMPARE, "probe_linear-seed0", "command", -9),
    "jobs of compare": (COMPARE, "probe_linear-seed0", "child", 137),
}
"""The command; where its run lies in what it makes; who is killed; and the command's status then."""


class Kills:
    """Kills of one kind.

    Args:
        server: runs the commands.
        folder: where.
        kind: of `KINDS`.
        rng: of the times.
    """

    def __init__(self, server: Server, folder: Path, kind: str, rng: random.Random) -> None:
        self.server, self.folder, self.kind, self.rng = server, folder, kind, rng
        self.words, self.inside, self.victim, self.status = KINDS[kind]
        self.whole, self.counts, self.wrong = folder / f"whole-{kind.replace(' ', '-')}", Counter[str](), list[str]()
        begun = time.perf_counter()
        self.finish(self.whole)
        self.takes = time.perf_counter() - begun

    def command(self, run: Path) -> list[str]:
        """What begins a run, or goes on with it."""
        if self.words[0] != "compare" and (run / "config.yaml").exists():
            return ["resume", run.name]
        return [*self.words, f"run={run.name}"]

    def finish(self, run: Path) -> None:
        """Run to the end."""
        ended = self.server.ask(*self.command(run), folder=self.folder).result()
        if ended.status:
            self.wrong.append(f"{run.name}: status {ended.status}: {ended.text}")

    def kill(self, number: int) -> None:
        """Kill ``number`` times; a run that has finished is checked, and the next one begun."""
        done, runs = 0, 0
        while done < number:
            runs += 1
            run = self.folder / f"{self.whole.name.replace('whole', 'killed')}-{runs}"
            for attempt in range(min(6, number - done)):
                after = self.rng.uniform(0.2, 1.0) * self.takes
                ended = self.server.ask(*self.command(run), kill_after=after, victim=self.victim, folder=self.folder).result()
                self.counts[f"status {ended.status}"] += 1
                # Workers of a killed command may tell of their lost connection.
                if ended.status not in (0, self.status) or ("Traceback" in ended.text and ended.status >= 0):
                    self.wrong.append(f"{run.name}: status {ended.status}: {ended.text}")
                if ended.status == 0:  # it was quicker
                    self.takes *= 1 if attempt else 0.9
                    break
                done += 1
            self.finish(run)
            self.wrong += faults(run / self.inside, self.whole / self.inside)
            shutil.rmtree(run)
            print(f"{self.kind:20} {done:3} of {number} kills, in {runs} runs: {dict(self.counts)}, {len(self.wrong)} faults", flush=True)


def kill(folder: Path, number: int, seed: int, kinds: list[str] | None = None, server: Server | None = None) -> list[str]:
    """Kill ``number`` times, or a few more, what a server runs, by default one of its own; what is wrong afterwards."""
    wrong, chosen = [], kinds or list(KINDS)
    with nullcontext([server]) if server else servers(folder, 1) as (server,):
        assert server.ask(*TRAIN, "run=whole", folder=folder).result().status == 0
        shares = {kind: 1 if KINDS[kind][0] is COMPARE else 2 for kind in chosen}  # jobs are processes that import all anew
        for place, kind in enumerate(chosen):
            kills = Kills(server, folder, kind, random.Random(seed + place))
            kills.kill(-(-number * shares[kind] // sum(shares.values())))
            wrong += kills.wrong
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default=",".join(KINDS), help="such as 'tune,jobs of compare'")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        problems = kill(Path(place), asked.number, asked.seed, asked.kinds.split(","))
    print(f"{asked.number} kills, {len(problems)} faults", *problems, sep="\n")
    sys.exit(bool(problems))
