"""What the tests of ``iwm predict`` share: its command line, pictures of one colour, and the CSV read back."""

import csv
from pathlib import Path

from iwm_tasks.prediction.options import read_options
from iwm_tasks.prediction.predict import run_predict
from PIL import Image
from tiny_tuned import SIZE, tiny_tuned

import iwm_core
from iwm_core.cli.main import guarded

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def asker(monkeypatch, capfd):
    """A function that runs ``iwm predict`` for a tuned run with some tasks and returns the status, what was printed, and what was told."""
    Path("run").mkdir()
    Path("run/config.yaml").write_text("recipe: tiny\n")

    def run(*words, tasks=("colour",), tuned=None):
        monkeypatch.setattr(iwm_core, "load", lambda run, device, checkpoint=None: tuned or tiny_tuned(*tasks))
        status = guarded(lambda: run_predict(read_options([str(word) for word in words])))
        return status, *capfd.readouterr()

    return run


def picture(path, colour, width=SIZE, height=SIZE):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), colour).save(path)
    return str(path)


def table(path="run/predictions/predictions.csv"):
    with Path(path).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))
