import errno
import multiprocessing
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from iwm_data import folder as folder_module
from iwm_data.folder import Folder
from PIL import Image

from iwm_core.interfaces import CorruptImage


def put(root: Path, *names: str) -> Path:
    """Write a small picture, of one colour that its name decides, for each name; returns the root."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), (len(name), 0, 0)).save(path, "PNG")
    return root


def named(images) -> list[str]:
    return [images.describe(i) for i in range(len(images))]


def labels(images) -> list[int]:
    return [images.label(i) for i in range(len(images))]


def refusal(root: Path | str, split: str = "train", **fields) -> str:
    """The text with which opening fails: one line."""
    with pytest.raises(ValueError, match=r"\S") as caught:
        Folder(path=str(root), **fields).open(split)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_folder_a_class(tmp_path):
    put(tmp_path, "train/dog/b.png", "train/dog/a.jpg", "train/cat/x/deep/1.png", "train/cat/0.PNG", "val/dog/c.png", "val/cat/d.png")
    train, validation = Folder(path=str(tmp_path)).open("train"), Folder(path=str(tmp_path)).open("validation")
    assert train.classes == validation.classes == ("cat", "dog")
    assert named(train) == ["train/cat/0.PNG", "train/cat/x/deep/1.png", "train/dog/a.jpg", "train/dog/b.png"]
    assert labels(train) == [0, 0, 1, 1]
    assert named(validation) == ["val/cat/d.png", "val/dog/c.png"]
    assert labels(validation) == [0, 1]
    image = train.image(2)
    assert image.shape == (3, 3, 4)
    assert image.unique().tolist() == [0, len("train/dog/a.jpg")]


@pytest.mark.parametrize("name", ["validation", "val", "valid", "test"])
def test_names_of_the_validation_folder(tmp_path, name):
    put(tmp_path, "train/a.png", f"{name}/b.png")
    assert named(Folder(path=str(tmp_path)).open("validation")) == [f"{name}/b.png"]


def test_the_test_folder_is_not_used_beside_a_validation_folder(tmp_path):
    put(tmp_path, "train/a.png", "val/b.png", "test/c.png")
    assert named(Folder(path=str(tmp_path)).open("validation")) == ["val/b.png"]


def test_flat_folder_has_no_labels(tmp_path):
    images = Folder(path=str(put(tmp_path, "b.png", "a.png")), holdout=0.0).open("train")
    assert images.classes == ()
    assert named(images) == ["a.png", "b.png"]
    assert labels(images) == [-1, -1]


def test_images_above_the_classes_and_of_unknown_classes_have_no_label(tmp_path):
    put(tmp_path, "train/a.png", "train/cat/b.png", "val/images/c.png", "val/cat/d.png")
    assert labels(Folder(path=str(tmp_path)).open("train")) == [-1, 0]
    assert labels(Folder(path=str(tmp_path)).open("validation")) == [0, -1]


def test_the_order_does_not_depend_on_the_file_system(tmp_path, monkeypatch):
    root = put(tmp_path, *(f"{c}/{i}.png" for c in ("b", "a", "c") for i in range(5)))
    expected = sorted(str(path.relative_to(root)) for path in root.rglob("*.png"))
    assert named(Folder(path=str(root), holdout=0.0).open("train")) == expected
    scandir = os.scandir

    class Backwards:
        def __init__(self, path):
            self.entries = sorted(scandir(path), key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *error):
            pass

    monkeypatch.setattr(folder_module.os, "scandir", Backwards)
    assert named(Folder(path=str(root), holdout=0.0).open("train")) == expected


@pytest.mark.parametrize("below", ["", "train/"])
def test_holdout_parts_the_images_and_stays_when_files_are_added(tmp_path, below):
    root = put(tmp_path, *(f"{below}c{i % 2}/{i}.png" for i in range(200)))
    train, validation = (named(Folder(path=str(root), holdout=0.2).open(split)) for split in ("train", "validation"))
    assert sorted(train + validation) == sorted(f"{below}c{i % 2}/{i}.png" for i in range(200))
    assert 20 <= len(validation) <= 62  # 40 expected; 4 standard deviations are 23
    put(tmp_path, *(f"{below}c1/{i}.png" for i in range(200, 260)))
    train_after, validation_after = (named(Folder(path=str(root), holdout=0.2).open(split)) for split in ("train", "validation"))
    assert set(train) < set(train_after)
    assert set(validation) < set(validation_after)
    assert not set(train_after) & set(validation_after)


def test_holdout_does_not_depend_on_where_the_data_lies(tmp_path):
    here, there = (put(tmp_path / place, *(f"{i}.png" for i in range(60))) for place in ("here", "there/below"))
    assert named(Folder(path=str(here)).open("validation")) == named(Folder(path=str(there)).open("validation"))


def test_more_holdout_takes_more_of_the_same(tmp_path):
    root = put(tmp_path, *(f"{i}.png" for i in range(100)))
    small, large = (set(named(Folder(path=str(root), holdout=share).open("validation"))) for share in (0.1, 0.5))
    assert small < large


def test_a_holdout_that_leaves_nothing_says_so(tmp_path):
    root = put(tmp_path, "a.png")
    assert refusal(root, "validation", holdout=0.0) == (
        f"data.holdout=0 leaves no image of {root} for validation: change it, or make folders train and validation"
    )
    assert "leaves no image" in refusal(root, "train", holdout=1.0)
    with pytest.raises(ValueError, match="at most 1"):
        Folder(path=str(root), holdout=1.5)


def test_other_files_are_counted_and_hidden_ones_ignored(tmp_path):
    put(tmp_path, "train/a.png", "train/.hidden.png", "train/.git/b.png", "val/a.png")
    for i in range(30):
        (tmp_path / "train" / f"{i:02}.txt").write_text("x")
    (tmp_path / "train" / "jpg").write_text("an extension is not a name")
    images = Folder(path=str(tmp_path)).open("train")
    assert named(images) == ["train/a.png"]
    assert images.skipped_count == 31
    assert images.skipped == [f"train/{i:02}.txt" for i in range(10)]
    assert Folder(path=str(tmp_path)).open("validation").skipped == []


def test_extensions_can_be_chosen(tmp_path):
    put(tmp_path, "a.png", "b.dat", "c.PNG")
    assert named(Folder(path=str(tmp_path), extensions=["dat"], holdout=0.0).open("train")) == ["b.dat"]
    assert named(Folder(path=str(tmp_path), extensions=[".png", "DAT"], holdout=0.0).open("train")) == ["a.png", "b.dat", "c.PNG"]
    with pytest.raises(ValueError, match="extensions is empty"):
        Folder(path=str(tmp_path), extensions=[])


def test_names_of_any_alphabet_and_bytes(tmp_path):
    root = put(tmp_path, "猫/ñandú 1.png", "κύων/b.png")
    odd = os.fsencode(root / "κύων") + b"/\xff.png"
    Image.new("RGB", (2, 2)).save(root / "z.png")
    (root / "z.png").rename(os.fsdecode(odd))
    images = Folder(path=str(root), holdout=0.0).open("train")
    assert images.classes == ("κύων", "猫")
    assert named(images) == ["κύων/b.png", "κύων/\ufffd.png", "猫/ñandú 1.png"]
    assert [tuple(images.image(i).shape) for i in range(3)] == [(3, 3, 4), (3, 2, 2), (3, 3, 4)]
    assert [tuple(i.shape) for i in map(pickle.loads(pickle.dumps(images)).image, range(3))] == [(3, 3, 4), (3, 2, 2), (3, 3, 4)]


def test_links_are_followed_once_around(tmp_path):
    put(tmp_path, "elsewhere/1.png", "data/cat/2.png")
    (tmp_path / "data" / "dog").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "data" / "cat" / "3.png").symlink_to(tmp_path / "elsewhere" / "1.png")
    (tmp_path / "data" / "cat" / "broken.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "data" / "cat" / "round").symlink_to(tmp_path / "data", target_is_directory=True)
    images = Folder(path=str(tmp_path / "data"), holdout=0.0).open("train")
    assert named(images) == ["cat/2.png", "cat/3.png", "dog/1.png"]
    assert images.skipped == ["cat/broken.png", "cat/round"]


def test_a_pipe_that_is_called_an_image_is_not_opened(tmp_path):
    put(tmp_path, "a.png")
    os.mkfifo(tmp_path / "b.png")
    images = Folder(path=str(tmp_path), holdout=0.0).open("train")
    assert (named(images), images.skipped) == (["a.png"], ["b.png"])


def test_corrupt_and_vanished_files(tmp_path):
    put(tmp_path, "a.png", "b.png")
    (tmp_path / "a.png").write_text("no image")
    images = Folder(path=str(tmp_path), holdout=0.0).open("train")
    (tmp_path / "b.png").unlink()
    with pytest.raises(CorruptImage, match="not an image"):
        images.image(0)
    with pytest.raises(CorruptImage, match="No such file"):
        images.image(1)


def test_mistakes_in_the_path(tmp_path, monkeypatch):
    put(tmp_path, "file.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("x")
    (tmp_path / "halves" / "train").mkdir(parents=True)
    put(tmp_path / "halves", "val/a.png")
    assert refusal(tmp_path / "gone") == f"there is no folder {tmp_path}/gone: check data.path (data.path=FOLDER, where the images are)"
    assert "is a file: data.path must name the folder" in refusal(tmp_path / "file.png")
    assert refusal(tmp_path / "empty").startswith(f"{tmp_path}/empty holds no images (jpg, jpeg, png, ")
    assert refusal(tmp_path / "empty").endswith("): check data.path, or set data.extensions")
    assert "other files there: 1, such as a.txt: check data.path" in refusal(tmp_path / "texts")
    assert refusal(tmp_path / "halves").startswith(f"{tmp_path}/halves/train holds no images")
    assert "data.path is empty" in refusal("")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert refusal("~/gone") == f"there is no folder {tmp_path}/gone: check data.path (data.path=FOLDER, where the images are)"


def test_ambiguous_layouts_are_refused(tmp_path):
    assert "none named train: rename the training folder" in refusal(put(tmp_path / "a", "trains/1.png", "Val/2.png"))
    assert "a split or a class, beside bus?" in refusal(put(tmp_path / "b", "train/1.png", "bus/2.png"))


def test_an_unreadable_folder_is_an_error_and_not_a_gap(tmp_path, monkeypatch):
    root = put(tmp_path, "a/1.png", "b/2.png")
    scandir = os.scandir

    def guarded(path):  # permissions do not stop the administrator, who may run this test
        if str(path).endswith("/b"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(folder_module.os, "scandir", guarded)
    assert refusal(root) == f"the folder {root}/b cannot be read (Permission denied): allow it, or move it out of data.path"


def brightness(images, index):
    return images.image(index).float().mean().item()


@pytest.mark.slow
def test_images_travel_to_a_spawned_process(tmp_path):
    images = Folder(path=str(put(tmp_path, "a.png", "bb.png")), holdout=0.0).open("train")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.starmap(brightness, [(images, 0), (images, 1)])
    assert there == pytest.approx([len("a.png") / 3, len("bb.png") / 3])


def test_a_split_costs_little_more_than_its_names(tmp_path):
    root = put(tmp_path, *(f"n0{i % 10}/{'x' * 20}{i}.png" for i in range(1000)))
    images = Folder(path=str(root), holdout=0.0).open("train")
    names = sum(len(name) for name in named(images))
    assert len(pickle.dumps(images)) < names + 1000 * np.dtype("int64").itemsize * 2 + 1000
