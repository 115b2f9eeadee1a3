import io
import multiprocessing
import pickle
import re
import socket
import subprocess
import sys
from pathlib import Path

import datasets
import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from iwm_data.hub import Hub
from iwm_data.splits import looked_for
from PIL import Image

from iwm_core.interfaces import CorruptImage


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """A cache of the test's own, and no network."""

    asked = []

    def refuse(*args, **_more):
        asked.append(args)
        raise OSError("no network here")

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    yield
    assert not asked


def png(level: int) -> bytes:
    """A picture of 4 x 3 pixels of one grey."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (level, level, level)).save(file, "PNG")
    return file.getvalue()


def rows(count: int, first: int = 0, **columns) -> Dataset:
    """A table of pictures, each as bright as its row's number, and other columns."""
    pictures = [{"bytes": png(first + i), "path": f"{first + i}.png"} for i in range(count)]
    features = {name: feature for name, (feature, _) in columns.items()}
    cells = {name: values for name, (_, values) in columns.items()}
    return Dataset.from_dict({"image": pictures, **cells}, features=Features({"image": datasets.Image(), **features}))


def levels(images) -> list[int]:
    return [int(images.image(i).float().mean()) for i in range(len(images))]


def labels(images) -> list[int]:
    return [images.label(i) for i in range(len(images))]


def refusal(path: Path | str, split: str = "train", **fields) -> str:
    """The text with which opening fails: one line."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        Hub(path=str(path), **fields).open(split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


ANIMALS = ClassLabel(names=["cat", "dog"])


@pytest.fixture
def folder(tmp_path) -> Path:
    """Parquet files of a training split in two shards and of a validation split."""
    data = tmp_path / "data"
    data.mkdir()
    rows(3, label=(ANIMALS, [0, 1, 1])).to_parquet(data / "train-00000-of-00002.parquet")
    rows(2, 3, label=(ANIMALS, [0, -1])).to_parquet(data / "train-00001-of-00002.parquet")
    rows(2, 10, label=(ANIMALS, [1, 0])).to_parquet(data / "validation-00000-of-00001.parquet")
    rows(1, 20, label=(ANIMALS, [1])).to_parquet(data / "test.parquet")
    return data


def test_folder_of_parquet_files(folder):
    before = sorted(folder.iterdir())
    train, validation = Hub(path=str(folder)).open("train"), Hub(path=str(folder)).open("validation")
    assert levels(train) == [0, 1, 2, 3, 4]
    assert labels(train) == [0, 1, 1, 0, -1]
    assert train.classes == validation.classes == ("cat", "dog")
    assert levels(validation) == [10, 11]
    assert labels(validation) == [1, 0]
    assert train.describe(3) == "train row 3 (3.png)"
    assert validation.describe(0) == "validation row 0 (10.png)"
    assert train.image(0).shape == (3, 3, 4)
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize("name", ["validation", "val", "valid", "test", "val_1", "validation-00000-of-00001"])
def test_names_of_the_validation_file(tmp_path, name):
    rows(2).to_parquet(tmp_path / "train_0.parquet")
    rows(1, 7).to_parquet(tmp_path / f"{name}.parquet")
    assert levels(Hub(path=str(tmp_path)).open("validation")) == [7]


@pytest.mark.parametrize("train", ["Train", "training", "TRAINING-00000-of-00001"])
@pytest.mark.parametrize("other", ["Val", "TEST", "testing", "Validation-00000-of-00001"])
def test_splits_are_known_by_their_usual_forms_in_any_case(tmp_path, train, other):
    rows(2).to_parquet(tmp_path / f"{train}.parquet")
    rows(1, 7).to_parquet(tmp_path / f"{other}.parquet")
    assert [levels(Hub(path=str(tmp_path)).open(split)) for split in ("train", "validation")] == [[0, 1], [7]]


def test_splits_that_are_left_out_are_told(folder):
    assert Hub(path=str(folder)).open("train").notes == (), "test beside validation is usual"
    rows(1, 30, label=(ANIMALS, [0])).to_parquet(folder / "extra.parquet")
    assert Hub(path=str(folder)).open("train").notes == (f"the splits extra of {folder} are left out",)
    assert Hub(path=str(folder), train_split="train").open("train").notes == ()
    rows(1, 30, label=(ANIMALS, [0])).to_parquet(folder / "Training.parquet")
    assert refusal(folder) == "train and Training may both be the train split: set data.train_split to one of them"
    assert levels(Hub(path=str(folder), train_split="Training").open("train")) == [30]


def test_splits_can_be_named(folder):
    rows(1, 30, label=(ANIMALS, [0])).to_parquet(folder / "extra-00000-of-00001.parquet")
    assert levels(Hub(path=str(folder), train_split="extra").open("train")) == [30]
    assert levels(Hub(path=str(folder), validation_split="test").open("validation")) == [20]
    assert refusal(folder, train_split="most") == (
        f"{folder} has no split most: set data.train_split to one of extra, test, train, validation"
    )
    assert "set data.validation_split to one of" in refusal(folder, validation_split="dev")
    (folder / "train-00000-of-00002.parquet").unlink()
    (folder / "train-00001-of-00002.parquet").unlink()
    assert "has no split train: set data.train_split to one of extra, test, validation" in refusal(folder)


def test_repository_layouts(folder, tmp_path):
    assert levels(Hub(path=str(tmp_path)).open("validation")) == [10, 11]  # the files are in tmp_path/data
    folder.rename(tmp_path / "small")
    assert levels(Hub(path=str(tmp_path), config="small").open("validation")) == [10, 11]


def test_one_file_is_parted_by_row_and_stays_so_when_rows_are_added(tmp_path):
    rows(100).to_parquet(tmp_path / "pictures.parquet")
    rows(130).to_parquet(tmp_path / "more [1].parquet")
    parts = [set(levels(Hub(path=str(tmp_path / "pictures.parquet"), holdout=0.3).open(split))) for split in ("train", "validation")]
    assert parts[0] | parts[1] == set(range(100))
    assert not parts[0] & parts[1]
    assert 12 <= len(parts[1]) <= 48  # 30 expected; 4 standard deviations are 18
    more = [set(levels(Hub(path=str(tmp_path / "more [1].parquet"), holdout=0.3).open(split))) for split in ("train", "validation")]
    assert [part & set(range(100)) for part in more] == parts
    assert "data.holdout=0 leaves none of 100 rows for validation" in refusal(tmp_path / "pictures.parquet", "validation", holdout=0.0)


def test_arrow_files(tmp_path):
    table = pa.table({"image": [png(0), png(1)]})
    with pa.OSFile(str(tmp_path / "stream.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pa.OSFile(str(tmp_path / "file.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    for name in "stream.arrow", "file.arrow":
        images = Hub(path=str(tmp_path / name), holdout=0.0).open("train")
        assert levels(images) == [0, 1]
        assert images.describe(1) == f"{name.removesuffix('.arrow')} row 1"


def test_what_save_to_disk_wrote(tmp_path):
    train, test = rows(3, label=(ANIMALS, [0, 1, 1])), rows(2, 8, label=(ANIMALS, [1, 0]))
    DatasetDict({"train": train, "test": test}).save_to_disk(tmp_path / "both")
    train.select([2, 0]).save_to_disk(tmp_path / "one")
    assert levels(Hub(path=str(tmp_path / "both")).open("validation")) == [8, 9]
    one = Hub(path=str(tmp_path / "one"), holdout=0.0).open("train")
    assert (levels(one), labels(one)) == ([2, 0], [1, 0])
    assert not (tmp_path / "cache").exists()


def test_columns_are_found_by_type_before_name(tmp_path):
    table = rows(2, label=(Value("string"), ["x", "y"]), kind=(ANIMALS, [1, 0])).rename_column("image", "photo")
    table.to_parquet(tmp_path / "a.parquet")
    images = Hub(path=str(tmp_path), holdout=0.0).open("train")
    assert (levels(images), labels(images), images.classes) == ([0, 1], [1, 0], ("cat", "dog"))
    images = Hub(path=str(tmp_path), holdout=0.0, image_column="photo", label_column="label").open("train")
    assert (labels(images), images.classes) == ([0, 1], ("x", "y"))


def test_the_usual_name_decides_between_two_of_a_type(tmp_path):
    pictures = [[{"bytes": png(level), "path": None} for level in levels] for levels in ((50, 51), (0, 1))]
    features = Features({"a": datasets.Image(), "coarse_label": ANIMALS, "fine_label": ANIMALS, "image": datasets.Image()})
    cells = {"a": pictures[0], "coarse_label": [0, 0], "fine_label": [1, 0], "image": pictures[1]}
    Dataset.from_dict(cells, features=features).to_parquet(tmp_path / "a.parquet")
    images = Hub(path=str(tmp_path), holdout=0.0).open("train")
    assert (levels(images), labels(images)) == ([0, 1], [1, 0])


@pytest.mark.parametrize(
    ("kind", "values", "names", "expected"),
    [
        (pa.int64(), [10, 2, None, 10], ("2", "10"), [1, 0, -1, 1]),
        (pa.uint8(), [1, 1, 0, 1], ("0", "1"), [1, 1, 0, 1]),
        (pa.string(), ["dog", "cat", None, "Ant"], ("Ant", "cat", "dog"), [2, 1, -1, 0]),
        (pa.bool_(), [True, False, None, True], ("False", "True"), [1, 0, -1, 1]),
        (pa.float32(), [0.5, 0.1, 0.2, 0.3], (), [-1, -1, -1, -1]),
        (pa.list_(pa.int64()), [[1], [], [2], [3]], ("1", "2", "3"), [-1, -1, -1, -1]),
        (pa.list_(pa.float32()), [[1], [], [2], [3]], (), [-1, -1, -1, -1]),
    ],
    ids=str,
)
def test_labels_of_other_types(tmp_path, kind, values, names, expected):
    pictures = pa.array([png(i) for i in range(4)])
    pq.write_table(pa.table({"img": pictures, "class": pa.array(values, kind)}), tmp_path / "a.parquet")
    images = Hub(path=str(tmp_path), holdout=0.0).open("train")
    assert levels(images) == [0, 1, 2, 3]
    assert (images.classes, labels(images)) == (names, expected)


def test_other_splits_are_numbered_by_the_training_classes(tmp_path):
    rows(2, label=(Value("string"), ["b", "d"])).to_parquet(tmp_path / "train.parquet")
    rows(3, label=(Value("string"), ["c", "d", "b"])).to_parquet(tmp_path / "val.parquet")
    images = Hub(path=str(tmp_path)).open("validation")
    assert (images.classes, labels(images)) == (("b", "d"), [-1, 1, 0])
    note = "1 of 3 validation images are of classes that training lacks, so they have no label: c (1)"
    assert images.notes == Hub(path=str(tmp_path)).open("train").notes == (note,)
    assert [images.why_unlabelled(i) for i in range(3)] == ["training has no class c, but b, d", "", ""]
    turned = ClassLabel(names=["dog", "cat"])
    both = DatasetDict({"train": rows(2, label=(ANIMALS, [0, 1])), "test": rows(2, label=(turned, [0, 1]))})
    both.save_to_disk(tmp_path / "saved")
    assert labels(Hub(path=str(tmp_path / "saved")).open("validation")) == [1, 0]


def test_classes_that_training_does_not_know_are_told_of_lists_and_declared_names_too(tmp_path):
    for name, train, validation, told in [
        ("lists", pa.array([[1], [2]]), pa.array([[1, 7, 8], [7], []], pa.list_(pa.int64())), "2 of 3 .*: 7 \\(2\\), 8 \\(1\\)$"),
        ("one", pa.array([[1], [2]]), pa.array([1, 2, 1]), "lists in one split alone: none of the 3 validation images has a label"),
        ("spelling", pa.array(["Cat", "dog"]), pa.array(["cat", "dog", "cat"]), "2 of 3 .*: cat \\(2; training has Cat\\)$"),
    ]:
        (tmp_path / name).mkdir()
        for split, labels in ("train", train), ("val", validation):
            pictures = pa.array([png(i) for i in range(len(labels))])
            pq.write_table(pa.table({"image": pictures, "label": labels}), tmp_path / name / f"{split}.parquet")
        for split in "train", "validation":
            (note,) = Hub(path=str(tmp_path / name)).open(split).notes
            assert re.search(told, note), note
    turned = ClassLabel(names=["dog", "lynx"])
    both = DatasetDict({"train": rows(2, label=(ANIMALS, [0, 1])), "test": rows(3, label=(turned, [0, 1, -1]))})
    both.save_to_disk(tmp_path / "declared")
    images = Hub(path=str(tmp_path / "declared")).open("validation")
    assert (labels_of := [images.label(i) for i in range(3)]) == [1, -1, -1], labels_of
    assert images.notes == ("1 of 3 validation images are of classes that training lacks, so they have no label: lynx (1)",)


def test_unlabelled_data(tmp_path):
    rows(2, label=(ANIMALS, [0, 1])).to_parquet(tmp_path / "train.parquet")
    rows(2).to_parquet(tmp_path / "test.parquet")
    images = Hub(path=str(tmp_path)).open("validation")
    assert (images.classes, labels(images)) == (("cat", "dog"), [-1, -1])
    note = "the validation split has no column of labels: none of its 2 images has a label"
    assert images.notes == Hub(path=str(tmp_path)).open("train").notes == (note,)
    alone = Hub(path=str(tmp_path / "test.parquet"), holdout=0.0).open("train")
    assert (alone.classes, labels(alone)) == ((), [-1, -1])


def test_wrong_columns(tmp_path):
    rows(2, text=(Value("string"), ["x", "y"]), size=(Value("float32"), [0.5, 1.0])).to_parquet(tmp_path / "a.parquet")
    assert refusal(tmp_path, label_column="lable") == "there is no column lable: set data.label_column to one of text"
    assert refusal(tmp_path, image_column="img") == "there is no column img: set data.image_column to one of image"
    assert refusal(tmp_path, image_column="text") == "the column text holds string: set data.image_column to one of image"
    assert refusal(tmp_path, label_column="size") == "the column size holds float: set data.label_column to one of text"
    (tmp_path / "b").mkdir()
    pq.write_table(pa.table({"text": ["x"], "blob": [b"y"]}), tmp_path / "b" / "train.parquet")
    assert f"no column of {tmp_path}/b looks like images: set data.image_column to one of text, blob" in refusal(tmp_path / "b")


def test_corrupt_and_missing_images(tmp_path):
    (tmp_path / "beside.png").write_bytes(png(77))
    cells = [
        {"bytes": png(5), "path": None},
        {"bytes": b"garbage", "path": "bad.jpg"},
        None,
        {"bytes": None, "path": None},
        {"bytes": png(9)[:40], "path": None},
        {"bytes": b"", "path": None},
        {"bytes": None, "path": str(tmp_path / "beside.png")},
        {"bytes": None, "path": str(tmp_path / "gone.png")},
    ]
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), tmp_path / "a.parquet")
    images = Hub(path=str(tmp_path), holdout=0.0).open("train")
    assert [int(images.image(i).float().mean()) for i in (0, 6)] == [5, 77]
    faults = {1: "not an image", 2: "the row holds no image", 3: "the row holds no image", 4: r"\w", 5: "is empty", 7: "No such file"}
    for index, words in faults.items():
        with pytest.raises(CorruptImage, match=words):
            images.image(index)
    assert [images.describe(i) for i in (1, 2)] == ["a row 1 (bad.jpg)", "a row 2"]


def test_broken_and_empty_tables(tmp_path):
    (tmp_path / "text.parquet").write_text("no parquet")
    assert refusal(tmp_path / "text.parquet").startswith(f"cannot open the split text of {tmp_path}/text.parquet (")
    rows(0).to_parquet(tmp_path / "none.parquet")
    assert "the split none of" in refusal(tmp_path / "none.parquet")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "state.json").write_text("{}")
    assert refusal(tmp_path / "saved").startswith(f"cannot open {tmp_path}/saved (")


def test_mistakes_in_the_path(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(png(0))
    assert refusal(tmp_path / "pictures").endswith("check data.path (for image files choose data=folder)")
    assert "neither is nor holds a .parquet or .arrow file" in refusal(tmp_path / "pictures" / "a.jpg")
    for path in f"{tmp_path}/gone", "./gone", "../gone", "gone.parquet", "~/gone", "a/b/c", "two words", f"{tmp_path}/gone.arrow":
        place = looked_for(str(Path(path).expanduser()))
        assert refusal(path) == f"there is no file or folder {place}: check data.path (data.path=FOLDER, where the data is)"
    assert "data.path is empty" in refusal("")


@pytest.mark.parametrize("name", ["nobody/no-such-pictures", "no_such_pictures"])
def test_a_hub_that_cannot_be_reached(name):
    text = refusal(name)
    assert text.startswith(f"cannot open {name}, which is not a file or folder here, on the Hugging Face hub (")
    assert "the network; or let data.path name a .parquet file" in text


def test_a_dataset_of_the_hub(monkeypatch):
    asked = []

    def load_dataset(*args, **options):
        asked.append((args, options))
        return DatasetDict({"train": rows(2), "test": rows(1, 9)})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert levels(Hub(path="owner/name", config="small", revision="v1").open("validation")) == [9]
    assert asked == [(("owner/name", "small"), {"revision": "v1", "data_dir": None})]


def test_progress_bars_are_off_while_loading_and_left_as_they_were(folder, monkeypatch):
    load_dataset, quiet = datasets.load_dataset, []

    def watched(*args, **options):
        quiet.append(datasets.are_progress_bars_disabled())
        return load_dataset(*args, **options)

    monkeypatch.setattr(datasets, "load_dataset", watched)
    for before in False, True:
        (datasets.disable_progress_bars if before else datasets.enable_progress_bars)()
        Hub(path=str(folder)).open("train")
        assert datasets.are_progress_bars_disabled() == before
    datasets.enable_progress_bars()
    assert set(quiet) == {True}


def brightness(images, index):
    return images.image(index).float().mean().item()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 dislikes what data loaders do
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_images_travel_to_another_process(folder, method):
    images = Hub(path=str(folder)).open("train")
    assert images.image(0).max() == 0  # the table is in use when the process is made
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.starmap(brightness, [(images, i) for i in (4, 0, 2)]) == [4, 0, 2]


def test_pictures_do_not_travel_with_the_table(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    Dataset.from_dict({"image": [file.getvalue()] * 50}).to_parquet(tmp_path / "a.parquet")
    images = Hub(path=str(tmp_path), holdout=0.0).open("train")
    assert len(pickle.dumps(images)) < len(file.getvalue())


@pytest.mark.slow
def test_only_who_opens_it_waits_for_its_library():
    """Half a second of every command's start."""
    code = "import sys, iwm_data\niwm_data.iwm_data_sources()\nassert not {'datasets', 'pandas', 'pyarrow'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
