"""Runs to be damaged, and the damages; commands on them are processes forked from one that has imported all, and computed nothing.

What is computed before a fork has started a pool of threads, of which the child has half.
"""

import gc
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import tiny_command
from PIL import Image
from safetensors.numpy import load, save
from served import with_tiny_plugin
from tiny_tuning import TINY

SECONDS = 60
"""That a command may take."""

TRAIN = ["train", "recipe=tiny", "data=taught", "data.max_corrupt=0.5", "predictor=feature", "predictor.depth=2", "train.steps=3"]
TRAIN += ["train.keep=3", "train.checkpoint_every=1", "train.log_every=1", "evaluators=[mrr]", "evaluators.mrr.every=1"]
TRAIN += ["evaluators.mrr.bank=4", "evaluators.mrr.images=8", "evaluators.mrr.part_images=2"]
TUNE = ["budget=cpu", *TINY, "train.lr.warmup=0", "train.steps=3", "train.keep=3", "train.checkpoint_every=1", "train.log_every=1"]
TUNE += ["train.evaluate_every=1"]
COMPARE = ["compare", "whole", "protocols=[probe_linear]", "seeds=1", "run=folder", *TUNE]
COMMANDS = {
    ("world", "resume"): ["resume", "world"],
    ("world", "eval"): ["eval", "world"],
    ("world", "report"): ["report", "world"],
    ("world", "tune"): ["tune", "world", "recipe=tune/probe_linear", *TUNE, "run=new"],
    ("half", "resume"): ["resume", "half"],
    ("tuned", "resume"): ["resume", "tuned"],
    ("tuned", "eval"): ["eval", "tuned"],
    ("tuned", "report"): ["report", "tuned"],
    ("tuned", "predict"): ["predict", "tuned", "image.png"],
    ("folder", "compare"): COMPARE,
}
OTHERS = {"world": "other", "half": "tuned-other", "tuned": "tuned-other", "folder": "folder-other"}
"""The runs to be damaged, and whence other runs' files come."""
OLDER = {"tuned": ("step_1", "step_2"), "folder": ("step_1", "step_2")}
"""Checkpoints before the newest, which nobody reads; of other runs the first."""


class Result(NamedTuple):
    """What came of a command."""

    status: int
    errors: list[str]
    seconds: float


PARTS = ("comparison.compare", "tuning.start", "prediction.predict")


def prepare(folder: Path) -> None:
    """Import all, with the tiny plugin among the installed ones, here and in the processes of a comparison."""
    os.environ |= with_tiny_plugin(folder)
    tiny_command.register()
    from iwm_vit.encoder import on_paper

    from iwm_core.plugins.loader import load_plugins

    for kind in load_plugins().kinds:
        load_plugins().entries(kind)
    for module in (
        "iwm_core.training.starting",
        "iwm_report.runs_page",
        "iwm_report.plugin_page",
        *(f"iwm_tasks.{part}" for part in PARTS),
    ):
        __import__(module)
    on_paper("vit_tiny_patch16_224")
    gc.freeze()  # a collection in a child would copy all that it looks at


def run(folder: Path, *words: str) -> Result:
    """A command line in a forked process."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        signal.alarm(SECONDS)
        os.chdir(folder)
        for number, name in ((1, ".out"), (2, ".err")):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        import traceback

        from iwm_core.cli.main import dispatch, guarded

        try:
            status = guarded(lambda: dispatch(list(words)))
        except BaseException:
            traceback.print_exc()
            status = 1
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    lines = [line for line in (folder / ".err").read_text(errors="replace").splitlines() if line.strip()]
    return Result(os.waitstatus_to_exitcode(status), lines, time.monotonic() - began)


def make_runs(folder: Path) -> None:
    """A world model and a tuning of it, each interrupted before its last step; a comparison; and others like them."""

    def done(*words: str) -> None:
        made = run(folder, *words)
        assert made.status == 0, made

    tune = ["tune", "whole", "recipe=tune/probe_linear", *TUNE]
    done(*TRAIN, "run=whole")
    done(*TRAIN, "run=other", "train.seed=1")
    done(*tune, "run=tuned")
    done(*tune, "run=tuned-other", "train.seed=1")
    done(*tune, "run=folder/probe_linear-seed0", "train.seed=0")
    begin_comparison(folder, "folder", "whole")
    done(*COMPARE)
    for name in ("whole", "other", "tuned", "tuned-other"):
        note(folder / name)
    for whole, begun in (("whole", "world"), ("tuned", "half")):
        shutil.copytree(folder / whole, folder / begun)
        shutil.rmtree(folder / begun / "checkpoints/step_3")
        (folder / begun / "checkpoints/latest").write_text("step_2")
        (folder / begun / "cost.json").unlink(missing_ok=True)
        done("eval", begun)
    for name in ("world", "tuned"):
        done("report", name)
    Image.new("RGB", (20, 20), (90, 20, 200)).save(folder / "image.png")
    shutil.copytree(folder / "folder", folder / "folder-other", ignore=shutil.ignore_patterns("probe_linear-seed0", "comparison.yaml"))
    begin_comparison(folder, "folder-other", "other")
    shutil.copytree(folder / "tuned-other", folder / "folder-other/probe_linear-seed0")


def begin_comparison(folder: Path, name: str, world: str) -> None:
    """The folder of a comparison, as `iwm compare` writes it before its first job."""
    from iwm_tasks.comparison.arguments import read_setup
    from iwm_tasks.comparison.setup import write_folder

    here = Path.cwd()
    os.chdir(folder)
    write_folder(Path(name), read_setup(world, [word for word in COMPARE[2:] if word != "run=folder"])[0])
    os.chdir(here)


def note(path: Path) -> None:
    """What a run notes when something is amiss: a corrupt image, an evaluator that finds nothing to measure; as iwm writes it."""
    from iwm_evals.measuring.notes import note_not_applicable

    from iwm_core.data.quarantine import Corrupt, Quarantine
    from iwm_core.run.directory import Run

    Quarantine(path / "quarantine.jsonl", 100_000, 0.5).add([Corrupt(10_000, path.name, "no image of the split")])
    note_not_applicable(Run(path), "rank", 3, "none")


def files_of(folder: Path) -> Iterator[str]:
    """The files of a run, or of a comparison; of the pictures of a gallery one."""
    pictures = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.parent.name not in OLDER.get(folder.name, ("step_1",)):
            pictures += (tile := path.suffix == ".png" and path.parent.parent.name == "eval")
            if not (tile and pictures > 1):
                yield str(path.relative_to(folder))


def damage(path: Path, how: str, other: Path, elsewhere: Path, seed: str) -> bytes:
    """Damage a file; returns what it holds then."""
    whole, made = path.read_bytes(), b""
    path.unlink()
    if how == "link":
        elsewhere.write_bytes(whole)
        path.symlink_to(elsewhere)
    elif how == "directory":
        path.mkdir()
    elif how == "FIFO":
        os.mkfifo(path)
    elif how != "missing":
        path.write_bytes(made := content(path, whole, how, other, seed))
    return made


def content(path: Path, whole: bytes, how: str, other: Path, seed: str) -> bytes:
    """A damaged file's bytes."""
    if how == "empty":
        return b""
    if how == "truncated":
        return whole[: len(whole) // 2]
    if how == "one bit":
        flipped = bytearray(whole or b"\0")
        place = random.Random(seed).randrange(len(flipped) * 8)
        flipped[place // 8] ^= 1 << place % 8
        return bytes(flipped)
    if how == "other run's":
        return other.read_bytes()
    if how == "wrong type":
        return b"[1, 2]\n" if path.suffix in (".json", ".jsonl", ".yaml") else b"a text\n"
    if path.suffix == ".safetensors":
        return save({name: tensor.reshape(-1)[: max(tensor.size // 2, 1)] for name, tensor in load(whole).items()})
    if path.suffix in (".json", ".jsonl"):
        lines = [json.loads(line) for line in (whole.splitlines() if path.suffix == ".jsonl" else [whole])]
        kept = [{key: value if key == "config" else ["odd"] for key, value in line.items() if key != "checksum"} for line in lines]
        return b"".join(json.dumps(line).encode() + b"\n" for line in kept)
    if path.suffix == ".yaml":
        lines = [line for line in whole.splitlines() if line[:1].isalpha() and b"checksum" not in line]
        return b"".join(line.partition(b":")[0] + b": [odd]\n" for line in lines)
    return whole[::-1]
