"""Pairs of commands that would write to one run, at random offsets: one of them does, and the run is as if it had been alone.

::

    python tests/slow/races.py [--number 50] [--seed 0]
"""

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "furniture"))

from served import Ended, Server, faults, servers
from tiny_tuning import SWIFT

TRAIN = ["train", "recipe=tiny", "data=taught", "predictor=feature", "predictor.depth=2", "train.steps=60", "train.checkpoint_every=3"]
TUNE = ["tune", "whole", "recipe=tune/predictor", *SWIFT, "train.steps=30", "train.checkpoint_every=3", "train.log_every=3"]
COMPARE = ["compare", "whole", "protocols=[probe_linear]", "seeds=1", *SWIFT]


class Races:
    """The pairs.

    Args:
        folder: where runs are made.
        one, two: run the commands.
        rng: of the offsets.
    """

    def __init__(self, folder: Path, one: Server, two: Server, rng: random.Random) -> None:
        self.folder, self.one, self.two, self.rng = folder, one, two, rng
        self.counts: Counter[str] = Counter()
        self.alone(TRAIN, "whole")
        after = 0.5
        while not (begun := sorted((folder / "begun/checkpoints").glob("step_*"))) or folder / "begun/checkpoints/step_60" in begun:
            shutil.rmtree(folder / "begun", ignore_errors=True)
            one.ask(*TRAIN, "run=begun", kill_after=after).result()
            after *= 0.7 if (folder / "begun/checkpoints/step_60").exists() else 1.3

    def alone(self, words: list[str], run: str) -> Path:
        """The run of a command that nothing disturbs, made when it is first asked for."""
        if not (self.folder / run).exists():
            ended = self.one.ask(*words, f"run={run}").result()
            assert ended.status == 0, ended.text
        return self.folder / run

    def pair(self, kind: str, number: int) -> list[str]:
        """Run one pair; what is wrong with its outcome."""
        pairs: dict[str, Callable[[str], list[str]]] = {
            "train+resume": self.train_resume,
            "resume+resume": self.resume_resume,
            "tune+tune": self.tune_tune,
            "compare+compare": self.compare_compare,
            "eval+resume": self.eval_resume,
        }
        return pairs[kind](f"{kind.replace('+', '-')}-{number}")

    def both(self, first: list[str], second: list[str], latest: float) -> tuple[Ended, Ended]:
        """Run two commands side by side, the second up to ``latest`` seconds after the first."""
        begun = self.one.ask(*first)
        other = self.two.ask(*second, wait=self.rng.uniform(0, latest))
        return begun.result(), other.result()

    def refused(self, kind: str, *ended: Ended, also: tuple[str, ...] = ()) -> list[str]:
        """What is wrong with how two writers ended: one must succeed, and one that does not must be told of the other."""
        wrong = [] if any(one.status == 0 for one in ended) else [f"{kind}: nobody succeeded: {ended}"]
        for one in ended:
            last = one.text.strip().splitlines()[-1]
            told = one.status == 2 and ((" is in use by iwm " in last and ", process " in last) or any(text in last for text in also))
            self.counts["refused" if told else f"status {one.status}"] += 1
            wrong += [] if one.status == 0 or told else [f"{kind}: status {one.status}: {one.text}"]
        return wrong

    def train_resume(self, name: str) -> list[str]:
        ended = self.both([*TRAIN, f"run={name}"], ["resume", name], 1.5)
        early = ("is not a run: it does not exist", "is not a run: it has no config.yaml")
        return self.refused(name, *ended, also=early) + faults(self.folder / name, self.folder / "whole")

    def resume_resume(self, name: str) -> list[str]:
        shutil.copytree(self.folder / "begun", self.folder / name)
        ended = self.both(["resume", name], ["resume", name], 1.0)
        return self.refused(name, *ended) + faults(self.folder / name, self.folder / "whole")

    def tune_tune(self, name: str) -> list[str]:
        named = self.rng.random() < 0.5
        words = [*TUNE, f"run={name}"] if named else TUNE
        free = {path.name for path in (self.folder / "runs/tune").glob("*")} if (self.folder / "runs/tune").exists() else set()
        ended = self.both(words, words, 1.0)
        wrong = self.refused(name, *ended, also=("exists; continue it with",))
        runs = [self.folder / name] if named else [p for p in (self.folder / "runs/tune").glob("*") if p.name not in free]
        if not named and len(runs) != 2:
            wrong.append(f"{name}: {len(runs)} directories for two tunings without run=")
        return wrong + [fault for run in runs for fault in faults(run, self.alone(TUNE, "tuned"))]

    def compare_compare(self, name: str) -> list[str]:
        words = [*COMPARE, f"run={name}"]
        ended = self.both(words, words, 3.0)
        tuning = "probe_linear-seed0"
        return self.refused(name, *ended) + faults(self.folder / name / tuning, self.alone(COMPARE, "compared") / tuning)

    def eval_resume(self, name: str) -> list[str]:
        shutil.copytree(self.folder / "begun", self.folder / name)
        ended = self.both(["resume", name], ["eval", name, "evaluators=[health]"], 1.0)
        self.counts.update(f"status {one.status}" for one in ended)
        return [f"{name}: {one}" for one in ended if one.status] + faults(self.folder / name, self.folder / "whole")


KINDS = ["train+resume", "resume+resume", "tune+tune", "compare+compare", "eval+resume"]


def race(folder: Path, number: int, seed: int, kinds: list[str] = KINDS) -> list[str]:
    """Run ``number`` pairs, as many of each kind; what is wrong."""
    with servers(folder, 2) as (one, two):
        races, wrong = Races(folder, one, two, random.Random(seed)), []
        for pair in range(number):
            kind = kinds[pair % len(kinds)]
            before = Counter(races.counts)
            wrong += (new := races.pair(kind, pair))
            print(f"{pair + 1:3} {kind:16} {dict(races.counts - before)} {'FAILED' if new else ''}", flush=True)
        print(f"{number} pairs, {len(wrong)} faults; commands: {dict(races.counts)}")
    return wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        problems = race(Path(place), asked.number, asked.seed)
    print("\n".join(problems))
    sys.exit(bool(problems))
