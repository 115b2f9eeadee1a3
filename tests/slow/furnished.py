"""The folder that random command lines run in: runs whole, unfinished and damaged, images, a FIFO; put back after each change."""

import contextlib
import io
import os
import shutil
import stat
from pathlib import Path

from PIL import Image

from iwm_core.cli.main import dispatch, guarded
from iwm_core.run.lock import PLACING, WRITER

WORLD = (
    *("train", "recipe=tiny", "data=taught", "predictor=feature", "predictor.depth=2", "train.steps=2", "train.lr.warmup=1"),
    *("train.checkpoint_every=1", "run=world"),
)
TUNED = (
    *("tune", "world", "recipe=tune/probe_linear", "launch.workers=0", "launch.device=cpu", "train.batch_size=12"),
    *("train.epochs=null", "train.steps=2", "train.resamples=20", "train.lr.warmup=0", "run=tuned"),
)


def furnish(folder: Path) -> None:
    """What lies in the folder that lines run in."""
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for words in (WORLD, TUNED):
            assert guarded(lambda words=words: dispatch(list(words))) == 0, words
        for name in ("young", "torn", "other", "half"):
            shutil.copytree("world", name)
        shutil.rmtree("half/checkpoints/step_2")
        Path("half/checkpoints/latest").write_text("step_1")
        shutil.rmtree("young/checkpoints")
        weights = Path("torn/checkpoints/step_2/model.safetensors")
        weights.write_bytes(weights.read_bytes()[:1000])
        Path("other/config.yaml").write_text("a: [")
        Path("empty").mkdir()
        Path("file.txt").write_text("words")
        for split in ("train", "validation"):
            for number in range(16):
                place = Path("images") / split / "ab"[number % 2] / f"{number}.png"
                place.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (20, 20), (number, 0, 0)).save(place)


def put_back(whole: Path, folder: Path) -> None:
    """Make the folder what it was, and those above it, up to the temporary one."""
    shutil.rmtree(folder.parents[1], ignore_errors=True)
    shutil.copytree(whole, folder)
    os.mkfifo(folder / "fifo")


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """What lies in a folder and beside it, by path, with size and time of files; not a run's lock, whose text tells who had it last."""
    entries = (entry for entry in folder.parents[1].rglob("*") if entry.name not in (WRITER, PLACING))
    return {
        os.path.relpath(entry, folder): (0, 0) if stat.S_ISDIR((about := entry.lstat()).st_mode) else (about.st_size, about.st_mtime_ns)
        for entry in entries
    }
