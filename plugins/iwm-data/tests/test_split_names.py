"""Splits and classes by the names of folders: what is a split is never a class, and what is passed over is told."""

from itertools import product

import pytest
from iwm_data.folder import Folder
from PIL import Image

FORMS = ["train", "training"], ["validation", "val", "valid", "test", "testing"]


def put(root, *names):
    """Write a small picture for each name; returns the root."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3), (len(name), 0, 0)).save(root / name, "PNG")
    return root


def named(images):
    return [images.describe(i) for i in range(len(images))]


def labels(images):
    return [images.label(i) for i in range(len(images))]


def refusal(root, **fields):
    with pytest.raises(ValueError, match=r"\S") as caught:
        opened(root, **fields)
    return str(caught.value)


def opened(root, split="train", **fields):
    return Folder(path=str(root), **fields).open(split)


@pytest.mark.parametrize(("train", "validation"), list(product(*FORMS)))
def test_usual_names_are_splits_in_any_case(tmp_path, train, validation):
    for number, (one, other) in enumerate(product(*[(name, name.title(), name.upper()) for name in (train, validation)])):
        root = put(tmp_path / str(number), f"{one}/a/1.png", f"{one}/b/2.png", f"{other}/a/3.png")
        assert (named(opened(root)), opened(root).classes) == ([f"{one}/a/1.png", f"{one}/b/2.png"], ("a", "b"))
        assert (named(opened(root, "validation")), labels(opened(root, "validation"))) == ([f"{other}/a/3.png"], [0])
        assert opened(root).notes == ()
        assert "a split or a class, beside bus?" in refusal(put(tmp_path / f"{number} alone", f"{one}/1.png", "bus/2.png"))
        assert "none named train: rename the training folder" in refusal(put(tmp_path / f"{number} half", f"{other}/1.png", "bus/2.png"))


def test_two_folders_that_may_be_one_split_are_refused(tmp_path):
    for number, (one, other) in enumerate([("Train", "train"), ("train", "TRAINING")]):
        root = put(tmp_path / str(number), f"{one}/1.png", f"{other}/2.png", "val/3.png")
        assert refusal(root) == f"{one} and {other} may both be the train split: rename or join them, so that {root} has one"
    assert "Val and val may both be the validation split: rename" in refusal(put(tmp_path / "v", "train/1.png", "Val/2.png", "val/3.png"))


@pytest.mark.parametrize("below", ["", "train/"])
@pytest.mark.parametrize(("one", "other"), [("train", "val"), ("Training", "TEST")])
def test_splits_in_a_class_are_refused_with_the_line_to_type(tmp_path, below, one, other):
    root = put(tmp_path, f"{below}a/{one}/1.png", f"{below}a/{other}/2.png", f"{below}b/3.png")
    told = refusal(root, holdout=0.5)
    assert f"{root}/{below}a holds {one} and {other}, " in told
    assert f"data.path={root}/{below}a;" in told
    put(tmp_path / "fine", "a/train/1.png", "a/deep/val/2.png", "b/val/3.png")
    assert opened(tmp_path / "fine", holdout=0).classes == ("a", "b")


def test_what_lies_beside_the_splits_is_told(tmp_path):
    root = put(tmp_path, "train/a/1.png", "train/b/2.png", "val/a/3.png", "test/a/4.png")
    assert opened(root).notes == (), "test beside val is usual"
    (root / "notes").mkdir()
    (root / "notes" / "readme.txt").touch()
    put(root, "masks/train/a/1.png", "masks/train/b/2.png", "masks/val/a/3.png")
    assert opened(root, masks=str(root / "masks"), mask_classes=["x", "y"]).notes == ()
    put(root, "extra/5.png", "6.png", "7.png")
    for split in "train", "validation":
        expected = f"left out, beside train and val in {root}: the images in extra, masks, 2 images such as 6.png"
        assert opened(root, split).notes == (expected,)
    alone = put(tmp_path / "alone", "Train/a/1.png", "Train/b/2.png", "6.png")
    assert opened(alone, holdout=0).notes == (f"left out, beside Train in {alone}: the image 6.png",)


def test_validation_images_of_classes_that_training_does_not_know_are_told(tmp_path):
    root = put(tmp_path, "train/cat/1.png", "train/dog/2.png", *(f"val/{name}.png" for name in ("Cat/1", "Cat/2", "dog/3", "lynx/4", "5")))
    for split in "train", "validation":
        assert opened(root, split).notes == (
            "3 of 5 validation images are of classes that training lacks, so they have no label: Cat (2; training has cat), lynx (1)",
            "1 of 5 validation images are in no class folder, so they have no label",
        )
    images = opened(root, "validation")
    assert labels(images) == [-1, -1, -1, 1, -1]
    assert images.why_unlabelled(0) == "it is in no class folder"
    assert images.why_unlabelled(4) == "training has no class lynx, but cat, dog"


@pytest.mark.parametrize("names", [("cat", "Cat"), ("cat", "cat "), ("caf\u00e9", "cafe\u0301"), ("a b", "a  b")])
def test_classes_that_a_reader_takes_for_one_are_told(tmp_path, names):
    one, other = sorted(names)
    note = f"classes whose names differ only in case, spaces or Unicode form: {one!r} and {other!r}"
    assert opened(put(tmp_path, f"{one}/1.png", f"{other}/2.png", "bus/3.png"), holdout=0).notes == (note,)


def test_masks_beside_images_are_no_class(tmp_path):
    root = put(tmp_path, "Images/1.png", "masks/1.png")
    told = refusal(root)
    assert told.startswith(f"{root}/masks looks like the masks of {root}/Images")
    assert f"data.path={root}/Images data.masks={root}/masks" in told
    assert len(opened(root / "Images", masks=str(root / "masks"), mask_classes=["x", "y"], holdout=0)) == 1


def test_images_that_share_a_mask_are_told(tmp_path):
    root = put(tmp_path / "in", "x/0.jpg", "x/0.png", "x/1.jpg")
    masks = put(tmp_path / "masks", "x/0.png", "x/1.png")
    (note,) = opened(root, masks=str(masks), mask_classes=["x", "y"], holdout=0).notes
    assert note == "images that share a mask with another one: 1, such as x/0.jpg and x/0.png: name them apart"


@pytest.mark.parametrize(
    ("names", "told"),
    [(["x", "x"], "names x twice"), (["x", "x "], "names x twice"), (["x", ""], "an empty name"), ([" "], "an empty name")],
)
def test_names_of_mask_classes_are_names_and_differ(names, told):
    with pytest.raises(ValueError, match=told):
        Folder(path="x", masks="y", mask_classes=names)
