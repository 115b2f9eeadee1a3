"""Tables whose label column holds lists: an image shows several classes, one, or none."""

import io

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, Value
from iwm_data.hub import Hub
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def rows(count: int, **columns) -> Dataset:
    """A table of pictures, each as bright as its row's number, and other columns."""
    pictures = []
    for level in range(count):
        file = io.BytesIO()
        Image.new("L", (4, 3), level).save(file, "PNG")
        pictures.append({"bytes": file.getvalue(), "path": None})
    features = {name: feature for name, (feature, _) in columns.items()}
    cells = {name: values for name, (_, values) in columns.items()}
    return Dataset.from_dict({"image": pictures, **cells}, features=Features({"image": datasets.Image(), **features}))


def levels(images) -> list[int]:
    return [int(images.image(i).float().mean()) for i in range(len(images))]


@pytest.mark.parametrize(
    ("feature", "values", "names", "expected"),
    [
        (Value("string"), [["b", "a"], [], None, ["a"]], ("a", "b"), [[1, 1], [0, 0], None, [1, 0]]),
        (Value("int64"), [[10], [2, 10], None, []], ("2", "10"), [[0, 1], [1, 1], None, [0, 0]]),
        (ClassLabel(names=["x", "y", "z"]), [[0, 2], [1], None, []], ("x", "y", "z"), [[1, 0, 1], [0, 1, 0], None, [0, 0, 0]]),
    ],
    ids=str,
)
def test_several_labels_of_an_image(tmp_path, feature, values, names, expected):
    rows(4, labels=(datasets.List(feature), values)).to_parquet(tmp_path / "a.parquet")
    images = Hub(path=str(tmp_path), holdout=0.0).open("train")
    assert images.classes == names
    assert [None if (shown := images.labels(i)) is None else shown.int().tolist() for i in range(4)] == expected
    assert [images.label(i) for i in range(4)] == [-1] * 4
    single = Hub(path=str(tmp_path), holdout=0.0, image_column="image", label_column="labels").open("train")
    assert single.labels(0).tolist() == images.labels(0).tolist()


def test_several_labels_of_held_out_rows_and_of_classes_not_in_training(tmp_path):
    texts = [[str(i), "all"] for i in range(40)]
    rows(40, labels=(datasets.List(Value("string")), texts)).to_parquet(tmp_path / "a.parquet")
    images = Hub(path=str(tmp_path), holdout=0.3).open("validation")
    for i, level in enumerate(levels(images)):
        assert {name for name, shown in zip(images.classes, images.labels(i), strict=True) if shown} == {str(level), "all"}
    both = tmp_path / "both"
    both.mkdir()
    rows(2, labels=(datasets.List(Value("string")), [["a"], ["b"]])).to_parquet(both / "train.parquet")
    rows(2, labels=(datasets.List(Value("string")), [["c", "b"], ["c"]])).to_parquet(both / "val.parquet")
    known = Hub(path=str(both)).open("validation")
    assert known.classes == ("a", "b")
    assert [known.labels(i).tolist() for i in range(2)] == [[False, True], [False, False]]
    assert Hub(path=str(both)).open("train").labels(0).tolist() == [True, False]


def test_an_image_with_one_label_tells_nothing_of_several(tmp_path):
    rows(2, label=(ClassLabel(names=["x", "y"]), [1, 0])).to_parquet(tmp_path / "a.parquet")
    images = Hub(path=str(tmp_path), holdout=0.0).open("train")
    assert (images.labels(0), images.label(0)) == (None, 1)
