"""Corrupt images of a run: named once, counted, written down, and never a traceback."""

import json
from pathlib import Path

import numpy as np
import pytest
from iwm_evals.measuring.notes import log_evaluation
from PIL import Image

from iwm_core.cli.main import dispatch, guarded
from iwm_core.data.quarantine import Corrupt, Quarantine, named
from iwm_core.interfaces.errors import UserError
from iwm_core.run.directory import Run


def corrupt(*indices):
    return [Corrupt(i, f"image {i}", "broken") for i in indices]


def test_each_image_is_named_once_and_survives_a_restart(tmp_path):
    path = tmp_path / "quarantine.jsonl"
    quarantine = Quarantine(path, 100, 0.05)
    assert quarantine.add(corrupt(3, 8, 3)) == corrupt(3, 8)
    assert quarantine.add(corrupt(8, 9)) == corrupt(9)
    assert len(quarantine) == 3
    assert [json.loads(line) for line in path.read_text().splitlines()] == [c._asdict() for c in corrupt(3, 8, 9)]
    again = Quarantine(path, 100, 0.05)
    assert set(again.found) == {3, 8, 9}
    assert again.add(corrupt(9, 3, 8)) == []
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize("to", ["mine", "nowhere"])
def test_no_log_of_a_run_is_written_through_a_link(tmp_path, to):
    (tmp_path / "mine").write_text("precious\n")
    run = Run(tmp_path)
    quarantine = Quarantine(run.quarantine, 100, 0.05)
    for path in (run.metrics, run.history, run.quarantine):
        path.symlink_to(to)
    for write in (lambda: run.log({"step": 1}), lambda: log_evaluation(run, {"step": 1}), lambda: quarantine.add(corrupt(1))):
        with pytest.raises(UserError, match="is a link"):
            write()
    assert (tmp_path / "mine").read_text() == "precious\n"
    assert not (tmp_path / "nowhere").exists()


def test_more_corrupt_images_than_allowed(tmp_path):
    quarantine = Quarantine(tmp_path / "q.jsonl", 100, 0.02)
    quarantine.add(corrupt(1, 2))
    with pytest.raises(UserError, match=r"3 of 100 images cannot be read, more than data.max_corrupt=0.02 .* image 7 \(broken\).*q.jsonl"):
        quarantine.add(corrupt(7))
    assert len((tmp_path / "q.jsonl").read_text().splitlines()) == 3, "the last one is written down too"


def test_a_single_corrupt_image_stops_no_small_run_unless_none_is_allowed():
    few = Quarantine(None, 9, 0.1)
    few.add(corrupt(0))
    with pytest.raises(UserError, match="2 of 9 images"):
        few.add(corrupt(1))
    with pytest.raises(UserError, match="1 of 9 images"):
        Quarantine(None, 9, 0).add(corrupt(0))


def test_a_line_names_some_and_counts_all():
    assert named(corrupt(4)) == "image 4 (broken)"
    assert named(corrupt(*range(9))) == "image 0 (broken), image 1 (broken), image 2 (broken) and 6 more"


@pytest.mark.slow
@pytest.mark.parametrize("options", [["launch.workers=0"], ["data.cache=ram"]])
def test_one_corrupt_file_among_sixty(tiny, folder, capsys, options):
    """It is told in one line, by name and with the count, and the run goes on; evaluators do not tell it again."""
    for extra in (*(f"train/a/{number}.png" for number in (40, 60, 61, 62)),):
        (folder / extra).unlink()
    words = ["recipe=tiny", "run=r", "data=folder", f"data.path={folder}", "train.epochs=2", "train.steps=null"]
    measured = ["evaluators=[probe]", "evaluators.probe.epochs=1"]
    assert guarded(lambda: dispatch(["train", *words, *measured, *options])) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "cannot read" in line]
    assert "07.png" in line
    assert "1 of 60 images" in line
    assert "r/quarantine.jsonl" in line


@pytest.mark.parametrize("rest", [1, 2, 3, 9, 20, 33, 40, 48])
def test_a_line_cut_short_by_a_kill_is_found_again(tmp_path, rest):
    """Wherever the kill fell, also behind a brace in a file's name; what is written next is not glued to the stump."""
    path = tmp_path / "q.jsonl"
    Quarantine(path, 100, 1).add([*corrupt(3), Corrupt(8, "{a}", "broken }")])
    path.write_text(path.read_text()[:-rest])
    quarantine = Quarantine(path, 100, 1)
    assert {3} <= set(quarantine.found) <= {3, 8}
    quarantine.add(corrupt(8, 11))
    assert set(Quarantine(path, 100, 1).found) == {3, 8, 11}


@pytest.fixture
def folder(tmp_path):
    """64 training images, two of them broken; whole validation images."""
    for split, count in (("train", 64), ("validation", 8)):
        (tmp_path / "images" / split / "a").mkdir(parents=True)
        for i in range(count):
            pixels = np.random.default_rng(i).integers(0, 256, (18, 18, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / split / "a" / f"{i:02}.png")
    for broken in ("07", "40"):
        path = tmp_path / "images/train/a" / f"{broken}.png"
        path.write_bytes(path.read_bytes()[:300])
    return tmp_path / "images"


def metrics():
    return [json.loads(line) for line in Path("r/metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("options", [["launch.workers=0"], ["launch.workers=2"], ["data.cache=ram"]])
def test_a_run_names_each_corrupt_image_once_and_a_resumed_run_not_again(tiny, folder, capsys, monkeypatch, options):
    words = ["recipe=tiny", "run=r", "data=folder", f"data.path={folder}", "data.max_corrupt=0.05", "train.steps=24"]
    assert guarded(lambda: dispatch(["train", *words, *options])) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "cannot read" in line]
    assert len(told) <= 2, told
    assert "2 of 64 images" in told[-1]
    assert [sum(f"{name}.png" in line for line in told) for name in ("07", "40")] == [1, 1]
    assert sorted(json.loads(line)["index"] for line in Path("r/quarantine.jsonl").read_text().splitlines()) == [7, 40]
    assert metrics()[-1]["corrupt"] == 2

    # As if killed after step 22: the whole list of corrupt images is known, and is neither told nor written again.
    whole = (Path("r/checkpoints/step_24/model.safetensors")).read_bytes()
    for path in Path("r/checkpoints/step_24").iterdir():
        path.unlink()
    Path("r/checkpoints/step_24").rmdir()
    assert guarded(lambda: dispatch(["resume", "r"])) == 0
    assert "cannot read" not in capsys.readouterr().err
    assert len(Path("r/quarantine.jsonl").read_text().splitlines()) == 2
    assert metrics()[-1]["corrupt"] == 2
    assert Path("r/checkpoints/step_24/model.safetensors").read_bytes() == whole


@pytest.mark.parametrize(
    ("options", "share"),
    [(["launch.workers=0"], "0.5"), (["launch.workers=0"], "1.0"), (["launch.workers=2"], "1.0"), (["data.cache=ram"], "1.0")],
)
def test_nothing_can_be_read(tiny, folder, capsys, options, share):
    """One line that says so, whatever share the user allows and wherever images are decoded."""
    for path in (folder / "train/a").iterdir():
        path.write_bytes(b"no image")
    words = ["recipe=tiny", "run=r", "data=folder", f"data.path={folder}", f"data.max_corrupt={share}", *options]
    status = guarded(lambda: dispatch(["train", *words]))
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("warning: cannot read")]
    assert status == 2
    assert len(lines) == 1, lines
    assert "can be read" in lines[0] or "cannot be read" in lines[0]


def test_processes_of_a_run_know_of_each_others_finds(tmp_path):
    """Their shares of an epoch differ: together they name an image once, and the limit holds for all they found."""
    path = tmp_path / "q.jsonl"
    one, two = Quarantine(path, 100, 0.03), Quarantine(path, 100, 0.03)
    assert one.add(corrupt(4)) == corrupt(4)
    assert two.add(corrupt(4, 5)) == corrupt(5)
    assert one.add(corrupt(6)) == corrupt(6)
    with pytest.raises(UserError, match="4 of 100 images"):
        two.add(corrupt(7))
    assert len(path.read_text().splitlines()) == 4
