"""``iwm predict`` where something is wrong: one line that names the fix, nothing lost, nothing overwritten."""

import csv
import os
import re
import resource
import signal
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import lost_workers
import pytest
import tiny_tuned as tiny_tuned_module
import torch
from iwm_tasks.prediction import answers
from iwm_tasks.prediction.answers import AnswerFiles, cell_of
from PIL import Image
from predicting import BLUE, RED, asker, picture, table
from tiny_tuned import tiny_tuned


@pytest.fixture
def ask(here, monkeypatch, capfd):
    return asker(monkeypatch, capfd)


def assert_one_line(result, *fix):
    status, _, told = result
    assert status == 2
    assert len(told.strip().splitlines()) == 1, told
    assert told.startswith("iwm: ")
    for words in fix:
        assert words in told
    assert not Path("run/predictions").exists(), "nothing was written"


def test_where_none_can_be_read_nothing_is_written(ask):
    for name in ("a.png", "b.png"):
        Path(name).write_text("words")
    status, _, told = ask("run", "a.png", "b.png", "out=there")
    assert status == 2
    assert told.splitlines()[-1] == "iwm: none of the 2 images can be read, such as a.png: not an image in a format that iwm reads"
    assert not Path("there").exists()


def test_lost_workers_are_told_by_the_name_of_this_verbs_option(ask, monkeypatch):
    words = ["run", picture("a.png", RED), picture("b.png", BLUE), "batch=1", "workers=1"]
    with monkeypatch.context() as patch:
        patch.setattr(*lost_workers.no_room())
        status, _, told = ask(*words, "out=there")
    assert status == 0
    assert "use workers=0, or give a container more (docker: --shm-size=8g); going on without workers\n" in told
    assert len(told.splitlines()) == 1
    assert ask(*words, "out=here")[0] == 0
    assert Path("there/predictions.csv").read_bytes() == Path("here/predictions.csv").read_bytes()


def test_nothing_is_overwritten(ask):
    picture("a.png", RED)
    for folder in ("predictions", "predictions-2", "predictions-3"):
        assert ask("run", "a.png")[1].splitlines()[-1] == f"wrote run/{folder}/predictions.csv: 1 image"
    Path("empty").mkdir()
    for out, file in (("new/deep", "new/deep/predictions.csv"), ("empty", "empty/predictions.csv"), ("t/my.csv", "t/my.csv")):
        assert ask("run", "a.png", f"out={out}")[0] == 0
        written = Path(file).read_bytes()
        assert b"a.png,red" in written
        status, _, told = ask("run", "a.png", f"out={out}")
        assert status == 2
        assert f"out={out} " in told
        free = told.strip().rpartition("write out=")[2]
        assert ask("run", "a.png", f"out={free}")[0] == 0
        assert Path(file).read_bytes() == written


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ((), ("say which run and which images", "iwm predict RUN")),
        (("run",), ("say which images", "iwm predict RUN")),
        (("run", "batch=4"), ("say which images",)),
        (("run", "a.png", "bacth=4"), ("cannot read 'bacth=4'", "batch=64")),
        (("run", "a.png", "--batch"), ("cannot read '--batch'",)),
        (("run", "a.png", "batch=0"), ("batch=0 must be a whole number, at least 1",)),
        (("run", "a.png", "batch=many"), ("batch=many must be a whole number",)),
        (("run", "a.png", "workers=-1"), ("workers=-1 must be a whole number, at least 0",)),
        (("run", "a.png", "out="), ("out= is empty",)),
        (("run", "gone.png"), ("there is no file or folder gone.png",)),
        (("run", "nothing"), ("the folder nothing holds no images", "jpg")),
        (("nowhere", "a.png"), ("nowhere is not a run", "does not exist")),
        (("nothing", "a.png"), ("nothing is not a run", "no config.yaml")),
        (("run", "a.png", "out=a.png"), ("out=a.png exists; write out=a-2.png",)),
        (("run", "a.png", "out=a.png/inside"), ("cannot make the folder a.png/inside", "out=FOLDER")),
        (("run", "a.png", "out=/proc/none"), ("cannot make the folder /proc/none", "out=FOLDER")),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else None,
)
def test_mistakes(ask, words, fix):
    picture("a.png", RED)
    Path("nothing").mkdir()
    Path("nothing/.hidden.png").write_bytes(Path("a.png").read_bytes())
    assert_one_line(ask(*words), *fix)


def test_a_file_whose_name_has_an_equals_sign(ask):
    picture("a=1.png", RED)
    assert ask("run", "a=1.png")[0] == 0
    assert table()[0]["file"] == "a=1.png"


def test_a_world_model_answers_nothing(ask):
    picture("a.png", RED)
    result = ask("run", "a.png", tuned=object())
    assert_one_line(result, "run is a world model; tune it first: iwm tune run recipe=tune/predictor")


def test_masks_need_a_folder_and_fit_a_byte(ask, monkeypatch):
    picture("a.png", RED)
    assert_one_line(ask("run", "a.png", "out=a.csv", tasks=("map",)), "the task map answers with masks", "out=FOLDER")
    tuned = tiny_tuned("map")
    tuned.outputs["map"] = tuple(str(i) for i in range(256))
    assert_one_line(ask("run", "a.png", tuned=tuned), "256 classes", "room for 255")


def test_too_little_memory_is_one_line(ask, monkeypatch):
    picture("a.png", RED)
    tuned = tiny_tuned("colour")

    def full(images):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(tuned, "predict", full)
    assert_one_line(ask("run", "a.png", tuned=tuned), "too little memory for batch=64", "smaller batch=N")


def test_an_interruption_leaves_whole_rows(ask, monkeypatch):
    for i in range(9):
        picture(f"in/{i}.png", RED)
    real, count = answers.AnswerFiles.add, iter(range(100))

    def interrupted(self, *given):
        real(self, *given)
        if next(count) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(answers.AnswerFiles, "add", interrupted)
    before = signal.getsignal(signal.SIGINT)
    status, _, told = ask("run", "in", "batch=2", "workers=0", tasks=("colour", "map"))
    assert status == 130
    assert told == "iwm: interrupted; 4 of 9 images are in run/predictions/predictions.csv\n"
    assert signal.getsignal(signal.SIGINT) == before
    rows = table()
    assert [row["file"] for row in rows] == [f"in/{i}.png" for i in range(4)]
    for row in rows:
        for column in ("map.mask", "map.confidence"):
            with Image.open(f"run/predictions/{row[column]}") as image:
                image.load()


@contextmanager
def largest_file(size):
    """The largest file that this process may write stands in for the disk: the kernel cuts the write that reaches it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("size", [0, 20, 60, 100])
@pytest.mark.parametrize(
    ("out", "tasks"),
    [("out=f/p.csv", ("colour",)), *((out, tasks) for out in (None, "out=f/p", "out=empty") for tasks in (("colour", "map"), ("map",)))],
)
def test_a_full_disk_before_the_first_row_leaves_nothing(ask, monkeypatch, out, size, tasks):
    """Too little for the columns, for the legend of a mask, for a first mask or for a first row."""
    picture("in/a.png", RED)
    Path("empty").mkdir()
    before = sorted(Path().rglob("*"))
    words = ["run", "in", "workers=0", *([out] if out else [])]
    with monkeypatch.context() as patch:
        for name in ("__init__", "add"):  # while these write: what is told is a file here, too
            patch.setattr(AnswerFiles, name, largest_file(size)(getattr(AnswerFiles, name)))
        status, _, told = ask(*words, tasks=tasks)
    assert (status, len(told.splitlines())) == (2, 1)
    assert "File too large" in told
    assert "images are in" not in told
    assert sorted(Path().rglob("*")) == before
    assert ask(*words, tasks=tasks)[0] == 0, "the same command, once there is room"


def test_a_full_disk_later_takes_back_the_image_that_it_cuts(ask):
    for i in range(40):
        picture(f"in/{i:02}.png", RED)
    with largest_file(1000):
        status, _, told = ask("run", "in", "workers=0", tasks=("colour", "map"))
    done = len(table())
    assert (status, 3 < done < 40) == (2, True)
    assert told.endswith(f"; {done} of 40 images are in run/predictions/predictions.csv\n")
    rows = {row[column] for row in table() for column in ("map.mask", "map.confidence")}
    assert {f"map/{path.name}" for path in Path("run/predictions/map").iterdir()} == rows | {"map/classes.csv"}


def test_a_full_disk_is_one_line_and_leaves_whole_rows(ask):
    for i in range(40):
        picture(f"in/{i:02}.png", RED)
    with largest_file(1000):
        status, _, told = ask("run", "in", "workers=0")
    assert status == 2
    assert told.strip().startswith(
        "iwm: cannot write run/predictions/predictions.csv: File too large; files of this size are not allowed here"
    )
    text = Path("run/predictions/predictions.csv").read_text()
    assert text.endswith("\n")
    assert 5 < len(table()) < 40
    assert told.strip().endswith(f"; {len(table())} of 40 images are in run/predictions/predictions.csv")
    assert all(None not in row and None not in row.values() for row in table())


def test_a_mask_that_cannot_be_written_is_one_line(ask, monkeypatch):
    picture("a.png", RED)

    def full(image, *given, **also):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    status, _, told = ask("run", "a.png", tasks=("map",))
    assert status == 2
    assert told.strip().startswith("iwm: cannot write run/predictions/map/a.png: No space left on device")
    assert not Path("run/predictions").exists(), "nothing was written"


def test_names_that_are_no_text(ask):
    name = os.fsdecode(b"in/\xff\xe9.png")
    picture(name, BLUE)
    bad = os.fsdecode(b"in/\xfe.png")
    Path(bad).write_text("words")
    status, _, told = ask("run", "in", tasks=("colour", "map"))
    assert status == 0
    assert "left out of run/predictions/predictions.csv: in/\\udcfe.png (not an image" in told
    (row,) = table()
    assert (row["file"], row["colour"]) == (name, "blue")
    assert Path("run/predictions", row["map.mask"]).is_file()


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "＝"])
@pytest.mark.parametrize("tasks", [("colour",), ("shows",), ("map",)])
def test_no_name_becomes_a_formula(ask, monkeypatch, sign, tasks):
    classes = (f"{sign}1+1", f"{sign}HYPERLINK()", "plain")
    monkeypatch.setattr(tiny_tuned_module, "COLOURS", classes)
    file = picture(f"{sign}cmd.png" if sign != "-" else "=cmd.png", (255, 200, 0))  # `-cmd.png` is an option on every command line
    assert ask("run", file, tasks=tasks)[0] == 0
    (row,) = table()
    assert (Path(row["file"]).name, Path(row["file"]).exists()) == (file, True), "it still names its file"
    for path in Path("run/predictions").rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as opened:
            for cell in (cell for line in csv.reader(opened) for cell in line):
                parts = cell.split(";")
                assert re.fullmatch(r"-?[0-9.e-]+", cell) or not any(part.startswith(tuple("=+-@\t\r＝")) for part in parts), (path, cell)


def test_negative_numbers_stay_numbers():
    assert cell_of("plain") == "plain"
    files = AnswerFiles.__new__(AnswerFiles)
    files.tuned = SimpleNamespace(tasks={"a": SimpleNamespace(answer_kind="numbers")}, outputs={"a": ("x", "y")})
    assert files._cells("a", torch.tensor([-0.5, 2e-9])) == ["-0.5", "2e-09"]
