"""`iwm features`: the file holds what `model.encode` gives, whatever is asked for, and nothing is lost, written over or left half-done."""

import csv
import errno
import importlib.util
import json
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pandas
import pyarrow.parquet as pq
import pytest
import torch
from iwm_evals.measuring.run_data import RunData
from iwm_interop.features import extract, files
from iwm_interop.features.map import principal
from PIL import Image

import iwm_core
from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.errors import Stopped, UserError
from iwm_core.model.world_model import build_model
from iwm_core.process.display import Display
from iwm_core.recipe.compose import compose
from iwm_core.recipe.thaw import thaw
from iwm_core.run.checkpoint import save_checkpoint
from iwm_core.run.new_run import new_run

SMALL = [
    *("image_size=16", "encoder.patch_size=8", "encoder.width=16", "encoder.depth=1", "encoder.heads=2"),
    *("predictor.width=16", "predictor.depth=1", "predictor.heads=2", "evaluators=[]", "train.steps=1", "train.batch_size=8"),
    *("data.train=12", "data.validation=5", "data.size=20", "launch.device=cpu", "launch.workers=0"),
]


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run of scenes whose student and teacher differ; nothing is trained."""
    path = tmp_path_factory.mktemp("features") / "run"
    config = compose("quickstart", [*SMALL, f"run={path}"])[0]
    with new_run(config, "train", print) as made:
        model = build_model(thaw(made.config()))
        with torch.no_grad():
            for parameter in model.student.parameters():
                parameter.mul_(1.2)
        save_checkpoint(made.checkpoints, 1, model, torch.optim.SGD(model.student.parameters()), {"steps": 1, "images": 12}, 1)
    return path


@pytest.fixture
def photos(tmp_path):
    """Eleven files of other sizes, in two classes and in none."""
    random = np.random.default_rng(3)
    for number in range(11):
        folder = tmp_path / "photos" / ("", "cat", "=dog")[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (18 + number, 25, 3), dtype=np.uint8)).save(folder / f"{number:02}.png")
    return tmp_path / "photos"


def expected(run, photos, **how):
    """By name, what a model gives of a file that `iwm_data.transform` has prepared."""
    import iwm_data

    model = iwm_core.load(run, device="cpu")
    paths = sorted(photos.rglob("*.png"))
    features = model.features(iwm_data.transform(model)(list(map(str, paths))), **how)
    return {path.relative_to(photos).as_posix(): feature.numpy() for path, feature in zip(paths, features, strict=True)}


def wrote(run, *words):
    assert dispatch(["features", str(run), *map(str, words)]) == 0


@pytest.mark.parametrize(
    ("switches", "how"), [((), {}), (("--patch",), {"patch": True}), (("--student", "--patch"), {"patch": True, "student": True})]
)
def test_both_formats_hold_what_the_model_gives_read_by_pandas_and_numpy(run, photos, tmp_path, switches, how):
    told = expected(run, photos, **how)
    wrote(run, photos, f"out={tmp_path}/f.parquet", "batch=4", *switches)
    table = pandas.read_parquet(tmp_path / "f.parquet")
    assert set(table["name"]) == told.keys()
    shape = json.loads(pq.read_schema(tmp_path / "f.parquet").metadata[b"iwm"])["shape"]
    read = np.stack(list(table["features"])).reshape(len(table), *shape)
    wrote(run, photos, f"out={tmp_path}/f.npy", "batch=3", *switches)
    array = np.load(tmp_path / "f.npy")
    with (tmp_path / "f.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"].removeprefix("./") for row in rows] == table["name"].tolist()
    for name, one, other in zip(table["name"], read, array, strict=True):
        np.testing.assert_allclose(one, told[name], rtol=0, atol=1e-5)
        np.testing.assert_allclose(other, told[name], rtol=0, atol=1e-5)
    assert [label if isinstance(label, str) else "" for label in table["label"]] == [row["label"].removeprefix("'") for row in rows]
    assert {name.split("/")[0] if "/" in name else "" for name in table["name"]} == {"", "cat", "=dog"}
    assert not any(cell.startswith("=") for row in rows for cell in row.values()), "a spreadsheet takes none for a formula"
    assert array.dtype == np.float32


def test_without_a_folder_they_are_of_the_runs_data_as_evaluators_see_it(run, tmp_path):
    wrote(run, f"out={tmp_path}/f.parquet")
    table = pandas.read_parquet(tmp_path / "f.parquet")
    assert table["split"].value_counts().to_dict() == {"train": 12, "validation": 5}
    model = iwm_core.load(run, device="cpu")
    data = RunData(model.recipe, model.device)
    for split in ("train", "validation"):
        (batch,) = data.batches(split, 20, 20)
        part = table[table["split"] == split]
        np.testing.assert_allclose(np.stack(list(part["features"])), model.encode(batch.images).mean(1), rtol=0, atol=1e-5)
        assert part["label"].tolist() == [data.classes[label] for label in batch.labels.tolist()]
    wrote(run, f"out={tmp_path}/v.parquet", "split=validation", "data.seed=5")
    assert len(pandas.read_parquet(tmp_path / "v.parquet")) == 5


def test_corrupt_images_are_left_out_and_told_in_a_line(run, photos, tmp_path, capsys):
    (photos / "cat" / "broken.png").write_bytes(b"no image")
    wrote(run, photos, f"out={tmp_path}/f.npy", "batch=2", f"map={tmp_path}/m.html")
    assert len(np.load(tmp_path / "f.npy")) == 11
    warned = capsys.readouterr().err
    assert "1 of 12 images are left out: cat/broken.png (not an image in a format that iwm reads)" in warned
    for path in photos.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="none of the 12 images can be read, such as .*: the file is empty"):
        wrote(run, photos, f"out={tmp_path}/g.npy")
    assert not (tmp_path / "g.npy").exists()
    assert "left out" not in capsys.readouterr().err, "the error says it"


def test_an_interrupted_file_is_whole_and_has_the_rows_so_far(run, photos, tmp_path, monkeypatch):
    class Interrupting(Display):
        def track(self, items, label, total):
            for place, item in enumerate(items):
                yield item
                if place == 1:  # within the third batch
                    signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(extract, "make_display", Interrupting)
    for ending, count in (("parquet", lambda path: len(pandas.read_parquet(path))), ("npy", lambda path: len(np.load(path)))):
        out = tmp_path / f"f.{ending}"
        with pytest.raises(Stopped, match=rf"interrupted; 6 of 11 images are in {out}"):
            wrote(run, photos, f"out={out}", "batch=2")
        assert count(out) == 6


@pytest.mark.parametrize("ending", ["parquet", "npy"])
@pytest.mark.parametrize("when", ["put", "end"])
def test_on_a_full_disk_nothing_is_left(run, photos, tmp_path, monkeypatch, ending, when):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.Parquet if ending == "parquet" else files.Array, when, full)
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*: No space left on device; free some disk space, or choose another out=FILE"):
        wrote(run, photos, f"out={tmp_path}/there/f.{ending}")
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("ending", ["parquet", "npy"])
def test_a_file_that_may_not_grow_ends_in_a_line_and_is_removed(run, photos, tmp_path, ending):
    """The system itself refuses, while the file is written and once more when it is closed."""
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    out = tmp_path / f"f.{ending}"
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, before[1]))
        with pytest.raises(UserError, match=r"cannot write .*: File too large; .*or choose another out=FILE"):
            wrote(run, photos, f"out={out}", "--patch")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not out.exists()


@pytest.mark.parametrize("ending", ["parquet", "npy"])
def test_a_killed_file_is_taken_by_no_reader(tmp_path, ending):
    about = {"images": 5}
    rows = (
        files.Array((2,), about, tmp_path / "f.npy", tmp_path / "f.csv")
        if ending == "npy"
        else files.Parquet((2,), about, tmp_path / "f.parquet")
    )
    rows.add(["a"], [""], [None], np.zeros((1, 2), np.float32))
    for file in rows.files:
        file.flush()
    read = np.load if ending == "npy" else pq.read_table
    with pytest.raises((ValueError, EOFError, OSError)):
        read(tmp_path / f"f.{ending}")
    rows.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_map_shows_each_image_once_in_the_file_and_beside_it(run, photos, tmp_path):
    wrote(run, photos, f"out={tmp_path}/f.parquet", f"map={tmp_path}/m.html")
    page = (tmp_path / "m.html").read_text()
    table = pandas.read_parquet(tmp_path / "f.parquet")
    assert page.count("<image ") == 11
    for name in table["name"]:
        assert f"<title>{name}" in page
    assert "http" not in page.replace("http-equiv", "")
    picture = Image.open(tmp_path / "m.png")
    assert picture.size[0] == 1008
    assert len(picture.getcolors(10**7)) > 100


def test_principal_components_are_those_of_an_independent_library():
    from sklearn.decomposition import PCA

    features = torch.randn(40, 7, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 8)
    places, shares = principal(features)
    reference = PCA(2).fit(features.double().numpy())
    theirs = reference.transform(features.double().numpy())
    np.testing.assert_allclose(np.abs(places), np.abs(theirs), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(shares, reference.explained_variance_ratio_, rtol=1e-6)
    assert torch.allclose(torch.tensor(principal(features.flip(0))[0]), torch.tensor(places).flip(0), atol=1e-6), "and have one sign"


MISTAKES = {
    "nothing": ([], "say where to: out=FILE.parquet"),
    "another ending": (["out=OUT/f.csv"], "must end in .parquet"),
    "a map of another ending": (["out=OUT/f.npy", "map=OUT/m.png"], "must end in .html"),
    "umap without a map": (["out=OUT/f.npy", "--umap"], "map=FILE.html"),
    "a switch misspelt": (["out=OUT/f.npy", "--ptach"], "did you mean --patch"),
    "a word misspelt": (["out=OUT/f.npy", "bacth=3"], "did you mean batch"),
    "no batch": (["out=OUT/f.npy", "batch=0"], "at least 1"),
    "no split": (["out=OUT/f.npy", "split=test"], "split=train or validation"),
    "a folder that is not there": (["OUT/nowhere", "out=OUT/f.npy"], "is not there: name a folder"),
    "a file": (["FILE", "out=OUT/f.npy"], "is a file: name a folder"),
    "images twice": (["PHOTOS", "data=hub", "out=OUT/f.npy"], "both say which images"),
    "two folders": (["PHOTOS", "PHOTOS", "out=OUT/f.npy"], "cannot read"),
    "a split of a folder without": (["PHOTOS", "split=validation", "out=OUT/f.npy"], "has no split validation"),
    "what is not data": (["train.steps=3", "out=OUT/f.npy"], "cannot read 'train.steps=3'"),
    "an unknown option of data": (["data.sied=3", "out=OUT/f.npy"], "did you mean"),
    "no such checkpoint": (["out=OUT/f.npy", "checkpoint=step_7"], "has no checkpoint=step_7"),
    "a taken name": (["out=TAKEN.parquet"], r"exists, and nothing is written over; write out=.*taken-2\.parquet"),
    "a taken map": (["out=OUT/f.npy", "map=TAKEN.html"], r"taken.html exists.*write map=.*taken-2\.html"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_answered_in_one_line_and_nothing_is_written(run, photos, tmp_path, case):
    words, answer = MISTAKES[case]
    taken = tmp_path / "taken"
    for ending in ("parquet", "html"):
        Path(f"{taken}.{ending}").write_text("mine")
    places = {"OUT": tmp_path / "out", "FILE": photos / "00.png", "PHOTOS": photos, "TAKEN": taken}
    for name, place in places.items():
        words = [word.replace(name, str(place)) for word in words]
    with pytest.raises(UserError, match=answer) as told:
        wrote(run, *words)
    assert len(str(told.value)) <= 400
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
    assert Path(f"{taken}.parquet").read_text() == "mine"


def test_what_is_missing_is_said_before_any_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr("iwm_interop.features.map.find_spec", lambda name: None)
    assert guarded(lambda: dispatch(["features", str(run), f"out={tmp_path}/f.npy", f"map={tmp_path}/m.html", "--umap"])) == 2
    assert list(tmp_path.iterdir()) == []


def test_rows_wait_for_the_disk_up_to_a_bound_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "BUFFER", 2000)
    rows, features = files.Parquet((50,), {"images": 40}, tmp_path / "f.parquet"), np.arange(2000, dtype=np.float32).reshape(40, 50)
    for start in range(0, 40, 4):
        rows.add([f"{start + place}" for place in range(4)], [""] * 4, [None] * 4, features[start : start + 4])
        assert len(rows.texts[0]) * 200 <= 2000
    rows.close()
    assert pq.ParquetFile(tmp_path / "f.parquet").num_row_groups == 4
    assert np.array_equal(np.stack(pandas.read_parquet(tmp_path / "f.parquet")["features"].to_list()), features)


@pytest.mark.slow
def test_the_program_that_measures_memory_finds_the_models_values(tmp_path, monkeypatch):
    """A small sample of it, in this process; it is run in full by hand."""
    path = Path(__file__).parent / "slow/features.py"
    spec = importlib.util.spec_from_file_location("slow_features", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    monkeypatch.setattr(program, "peak_of", lambda words: float(dispatch(words)))
    found = program.measure(tmp_path, 40, every=3)
    assert [images for _, images, _, _ in found] == [4] * 3 + [40] * 3
    assert max(difference for *_, difference in found) < 1e-5
