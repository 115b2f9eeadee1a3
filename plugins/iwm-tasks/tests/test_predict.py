"""``iwm predict``: known answers in the CSV, in the images' order."""

import math
from pathlib import Path

import pytest
import tiny_tuned as tiny_tuned_module
import torch
from iwm_tasks.prediction import options
from iwm_tasks.prediction.predict import find_images
from predicting import BLUE, RED, asker, picture, table
from tiny_tuned import COLOURS, SHARP, TASKS, tiny_tuned


@pytest.fixture
def ask(here, monkeypatch, capfd):
    return asker(monkeypatch, capfd)


def test_a_column_for_all_that_is_answered(ask):
    picture("a.png", RED)
    picture("b.png", (0, 51, 255))
    status, printed, told = ask("run", "a.png", "b.png", tasks=("colour", "shows", "amount"))
    assert (status, told) == (0, "")
    assert printed.splitlines()[-1] == "wrote run/predictions/predictions.csv: 2 images"
    rows = table()
    assert list(rows[0]) == [
        *("file", "colour", "colour.probability", "colour.red", "colour.green", "colour.blue"),
        *("shows", "shows.red", "shows.green", "shows.blue", "amount.red", "amount.green", "amount.blue"),
    ]
    assert [(row["file"], row["colour"], row["shows"]) for row in rows] == [("a.png", "red", "red"), ("b.png", "blue", "blue")]
    shares = [math.exp(SHARP * share) for share in (0, 0.2, 1)]
    assert [float(rows[1][f"colour.{c}"]) for c in COLOURS] == pytest.approx([s / sum(shares) for s in shares], rel=1e-5)
    assert rows[1]["colour.probability"] == rows[1]["colour.blue"]
    assert float(rows[1]["shows.green"]) == pytest.approx(1 / (1 + math.exp(SHARP * 0.3)), rel=1e-5)
    assert [float(rows[1][f"amount.{c}"]) for c in COLOURS] == pytest.approx([0, 0.2, 1])


def test_labels_above_a_half_are_joined(ask):
    picture("none.png", (0, 0, 0))
    picture("two.png", (255, 0, 200))
    ask("run", "none.png", "two.png", tasks=("shows",))
    assert [row["shows"] for row in table()] == ["", "red;blue"]


def test_columns_of_equal_names_stay_apart(ask, monkeypatch):
    monkeypatch.setattr(tiny_tuned_module, "COLOURS", ("probability", "colour", "x"))
    picture("a.png", RED)
    ask("run", "a.png")
    (row,) = table()
    assert list(row) == ["file", "colour", "colour.probability", "colour.probability-2", "colour.colour", "colour.x"]
    assert row["colour"] == "probability"


def test_folders_are_walked_as_data_folder_does(here):
    for path in ("in/b/2.PNG", "in/b/10.jpg", "in/a/x.png", "in/.hidden/x.png", "in/.x.png", "in/notes.txt", "other.tiff"):
        picture("pixel.png", RED)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(Path("pixel.png").read_bytes())
    assert find_images(["other.tiff", "in/"]) == ["other.tiff", "in/a/x.png", "in/b/10.jpg", "in/b/2.PNG"]
    assert find_images(["in/notes.txt"]) == ["in/notes.txt"], "a named file is read whatever its ending"


@pytest.mark.parametrize(("batch", "workers"), [(1, 0), (3, 0), (4, 1), (64, 2)])
def test_batches_and_workers_change_nothing(ask, batch, workers):
    colours = [(20 * i, 255 - 20 * i, 128) for i in range(10)]
    for i, c in enumerate(colours):
        picture(f"in/{i}.png", c, 20 + i, 31 - i)
    before = torch.get_rng_state()
    assert ask("run", "in", f"batch={batch}", f"workers={workers}", tasks=("amount",))[0] == 0
    assert torch.equal(torch.get_rng_state(), before)
    rows = table()
    assert [row["file"] for row in rows] == [f"in/{i}.png" for i in range(10)]
    for row, c in zip(rows, colours, strict=True):
        assert [float(row[f"amount.{name}"]) for name in COLOURS] == pytest.approx([part / 255 for part in c], abs=1e-5)


def test_no_more_images_at_once_than_a_batch(ask, monkeypatch):
    tuned, seen = tiny_tuned("colour"), []
    real = tuned.predict
    monkeypatch.setattr(tuned, "predict", lambda images: seen.append(len(images)) or real(images))
    for i in range(7):
        picture(f"in/{i}.png", RED)
    Path("in/4.png").write_text("no image")
    ask("run", "in", "batch=3", "workers=0", tuned=tuned)
    assert seen == [3, 2, 1]


def test_images_that_cannot_be_read_are_left_out(ask):
    picture("in/a.png", RED)
    Path("in/b.png").write_text("words")
    Path("in/c.png").write_bytes(Path("in/a.png").read_bytes()[:40])
    picture("in/d.png", BLUE)
    status, printed, told = ask("run", "in", "batch=2")
    assert status == 0
    (line,) = told.splitlines()
    assert line.startswith("warning: 2 of 4 images are left out of run/predictions/predictions.csv: in/b.png (not an image")
    assert "in/c.png (" in line
    assert printed.splitlines()[-1].endswith(": 2 images, 2 left out")
    assert [(row["file"], row["colour"]) for row in table()] == [("in/a.png", "red"), ("in/d.png", "blue")]


def test_many_that_cannot_be_read_are_one_line(ask):
    picture("in/a.png", RED)
    for number in range(50):
        Path(f"in/{'long' * 20}{number:02}.png").write_text("words")
    status, _, told = ask("run", "in", "batch=7")
    assert (status, len(told.splitlines())) == (0, 1)
    assert told.startswith("warning: 50 of 51 images are left out of ")
    assert told.endswith("and 47 more\n")
    assert len(told) <= 401


def test_every_kind_of_answer_has_columns():
    assert {task.answer_kind for task in TASKS.values()} == {"class", "labels", "numbers"}
    assert options.USE.startswith("iwm predict RUN")
