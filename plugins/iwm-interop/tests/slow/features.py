"""Features of many images in bounded memory: ``python plugins/iwm-interop/tests/slow/features.py [--images 10000]``

Writes the features of a tenth of the images, then of all of them, each in a process of its own, pooled and as patch tokens; tells the peak
memory of each, and compares what pandas and numpy read with `model.encode` of every hundredth image.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import iwm_data
import numpy as np
import pandas
import pyarrow.parquet as pq
import torch
from PIL import Image

import iwm_core
from iwm_core.cli.main import dispatch

TRAINED = [
    *("train", "recipe=quickstart", "evaluators=[]", "train.steps=1", "train.batch_size=8", "train.lr.warmup=0"),
    *("data.train=16", "data.validation=8", "launch.device=cpu", "launch.workers=0"),
]


def make_images(folder: Path, count: int) -> Path:
    """Files of ten classes."""
    random = np.random.default_rng(0)
    for number in range(count):
        place = folder / f"class{number % 10}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.repeat(np.repeat(random.integers(0, 256, (6, 8, 3), dtype=np.uint8), 8, 0), 8, 1)
        Image.fromarray(pixels).save(place / f"{number:06}.png")
    return folder


def peak_of(words: list[str]) -> float:
    """Megabytes that a command line takes at most, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-P", "-m", "iwm_core.cli", *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return usage.ru_maxrss / 1024


def largest_difference(model: object, photos: Path, names: list[str], features: np.ndarray, patch: bool, every: int) -> float:
    """Between what was read and `model.encode`."""
    transform, worst = iwm_data.transform(model), 0.0
    for place in range(0, len(names), every):
        tokens = model.encode(transform([str(photos / names[place])]))[0]
        expected = tokens if patch else tokens.mean(0)
        worst = max(worst, float((torch.from_numpy(features[place].copy()) - expected).abs().max()))
    return worst


KINDS = (("parquet", False), ("npy", False), ("parquet", True))
"""Formats, and whether all tokens are written."""


def measure(folder: Path, count: int, every: int = 100, kinds: tuple[tuple[str, bool], ...] = KINDS) -> list[tuple[str, int, float, float]]:
    """Format, images, peak memory and largest difference of each table."""
    run = folder / "run"
    assert dispatch([*TRAINED, f"run={run}"]) == 0
    model = iwm_core.load(run, device="cpu")
    found = []
    for images in (count // 10, count):
        photos = make_images(folder / f"images{images}", images)
        for ending, patch in kinds:
            out = folder / f"{images}{'patch' * patch}.{ending}"
            words = [str(run), str(photos), f"out={out}", "launch.workers=0", "launch.device=cpu", *(["--patch"] * patch)]
            peak = peak_of(["features", *words])
            if ending == "npy":
                features, names = np.load(out, mmap_mode="r"), pandas.read_csv(out.with_suffix(".csv"))["name"].tolist()
            else:
                table = pandas.read_parquet(out)
                shape = json.loads(pq.read_schema(out).metadata[b"iwm"])["shape"]
                features, names = np.stack(table["features"].to_list()).reshape(len(table), *shape), table["name"].tolist()
            assert len(names) == images
            found.append(
                (f"{ending}{', patch tokens' * patch}", images, peak, largest_difference(model, photos, names, features, patch, every))
            )
            out.unlink()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    with tempfile.TemporaryDirectory() as place:
        for name, images, peak, difference in measure(Path(place), parser.parse_args().images):
            print(f"{name:22} {images:6} images  peak {peak:6.0f} MB  largest difference {difference:.1e}")
