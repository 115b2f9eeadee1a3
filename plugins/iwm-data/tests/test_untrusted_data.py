"""Data from anywhere: nothing in it is waited for, read without end or run; labels and pixels mean what they say."""

import io
import os
import re
import struct
import tarfile
import time
import zlib
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from iwm_data import walk as walking
from iwm_data.decode import MOST_BYTES, decode, decode_file
from iwm_data.folder import Folder
from iwm_data.hub import Hub
from iwm_data.masks import decode_mask
from iwm_data.walk import walk
from one_line import assert_one_line
from PIL import Image
from predicting import RED, asker, picture

import iwm_core
from iwm_core.interfaces import NOT_COUNTED, CorruptImage

CORE = Path(iwm_core.__file__).parent


def png(mode="L", size=(8, 8), colour=0):
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, "PNG")
    return file.getvalue()


def claims(width, height):
    """A PNG of a few bytes that says it is of this size."""
    content = bytearray(png())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def tiff_claims(width, height):
    """A TIFF of 16 bits that says it is of this size."""
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 16),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, 2),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)


def sparse(path):
    path.touch()
    os.truncate(path, 5_000_000_000)


def archive(path):
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("a.png")
        member.size = 50_000_000
        tar.addfile(member, io.BytesIO(bytes(member.size)))


HAZARDS = {
    "a pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a broken link": lambda path: path.symlink_to("nowhere"),
    "a folder": lambda path: path.mkdir(),
    "gigabytes": sparse,
    "too many pixels": lambda path: path.write_bytes(claims(60_000, 60_000)),
    "many pixels": lambda path: path.write_bytes(claims(12_000, 12_000)),
    "a wide TIFF": lambda path: path.write_bytes(tiff_claims(60_000, 60_000)),
    "an archive": archive,
    "words": lambda path: path.write_text("words"),
    "nothing": lambda path: path.touch(),
}


@pytest.mark.parametrize("hazard", HAZARDS)
def test_a_hazard_among_images_is_passed_over(tmp_path, hazard):
    (tmp_path / "a").mkdir()
    for number in range(3):
        picture(tmp_path / f"a/{number}.png", RED)
    HAZARDS[hazard](tmp_path / "a/x.png")
    begun = time.perf_counter()
    images = Folder(path=str(tmp_path), holdout=0).open("train")
    found = list(images.images(torch.arange(len(images))))
    assert time.perf_counter() - begun < 5
    assert sum(isinstance(one, torch.Tensor) for one in found) == 3
    assert len(found) + images.skipped_count + (hazard == "a folder") == 4


@pytest.mark.parametrize("hazard", HAZARDS)
def test_a_hazard_that_is_named_is_told_in_a_line(here, monkeypatch, capfd, hazard):
    ask = asker(monkeypatch, capfd)
    picture("good.png", RED)
    HAZARDS[hazard](Path("x.png"))
    status, _, told = ask("run", "good.png", "x.png", "workers=0")
    assert len(told.splitlines()) == 1
    assert status == (0 if "left out" in told else 2)


@pytest.mark.parametrize("hazard", [name for name in HAZARDS if name != "a folder"])
@pytest.mark.parametrize("source", ["folder", "hub"])
def test_a_hazard_among_masks_is_told_in_a_line(tmp_path, source, hazard):
    (tmp_path / "in").mkdir(), (tmp_path / "masks").mkdir()
    picture(tmp_path / "in/a.png", RED)
    (tmp_path / "masks/a.png").write_bytes(png())
    images = Folder(path=str(tmp_path / "in"), holdout=0, masks=str(tmp_path / "masks"), mask_classes=["x"]).open("train")
    mask = tmp_path / "masks/a.png"
    mask.unlink()
    HAZARDS[hazard](mask)
    if source == "hub":
        row = {"image": [{"bytes": png("RGB"), "path": None}], "mask": [{"bytes": None, "path": str(mask)}]}
        pq.write_table(pa.table(row), tmp_path / "train.parquet")
        images = Hub(path=str(tmp_path / "train.parquet"), holdout=0, mask_column="mask", mask_classes=["x"]).open("train")
    with pytest.raises((CorruptImage, ValueError)) as told:
        images.mask(0)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.slow
def test_a_corrupt_file_among_sixty_does_not_stop_a_run(iwm, here):
    for number in range(60):
        picture(f"in/{'ab'[number % 2]}/{number:02}.png", (number, 0, 255))
    HAZARDS["gigabytes"](Path("in/a/60.jpg"))
    status, told = iwm("train", "recipe=tiny", "data=folder", "data.path=in", "data.max_corrupt=0.1", "train.steps=14", "run=r")
    assert status == 0
    (line,) = told.splitlines()
    assert "cannot read a/60.jpg (has 5,000 MB, more than the 400 MB" in line
    assert len(Path("r/quarantine.jsonl").read_text().splitlines()) == 1


def test_circles_and_bundles_of_links_end(tmp_path):
    for number in range(8):  # whose paths without a circle are 8! and more
        (tmp_path / f"d{number}").mkdir()
        for other in range(8):
            (tmp_path / f"d{number}/to{other}").symlink_to(tmp_path / f"d{other}")
    (tmp_path / "self").symlink_to("self")
    picture(tmp_path / "d0/x.png", RED)
    begun = time.perf_counter()
    assert 1 <= len(Folder(path=str(tmp_path), holdout=0).open("train")) <= walking.MOST_VISITS
    assert time.perf_counter() - begun < 10
    deep = tmp_path / "deep" / "/".join("d" * 300)
    deep.mkdir(parents=True)
    assert ("/".join(["deep", *"d" * walking.DEEPEST]), None) in list(walk(str(tmp_path), "deep"))


@pytest.mark.parametrize("below", ["", "train"])
def test_a_link_back_to_all_classes_is_none(tmp_path, below):
    folder = tmp_path / below
    picture(folder / "cat/1.png", RED)
    (folder / "self").symlink_to(folder)
    images = Folder(path=str(tmp_path), holdout=0).open("train")
    assert (images.classes, len(images), images.skipped) == (("cat",), 1, [f"{below}/self".lstrip("/")])
    assert "no image in self" in images.notes[0]


def test_content_of_a_cell_has_a_bound():
    with pytest.raises(CorruptImage, match=r"has [\d,]+ MB, more than"):
        decode(bytes(MOST_BYTES + 1))


def test_no_code_of_a_dataset_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("pandas", "generator", "sql"):
        with pytest.raises(ValueError, match="may run code"):
            Hub(path=name, folder=str(tmp_path)).open("train")
    (tmp_path / "script").mkdir()
    (tmp_path / "script/script.py").write_text("raise SystemExit('run')")
    with pytest.raises(ValueError, match="neither is nor holds"):
        Hub(path="script").open("train")
    (needed,) = [text for text in metadata.requires("iwm-data") or [] if re.match(r"datasets\b", text)]
    assert re.search(r">=4", needed), "earlier versions run scripts"


def test_nothing_unpickles():
    """Weights are safetensors; what is read as YAML is data alone."""
    for path in (file for folder in (CORE, *CORE.parent.glob("plugins/*/iwm_*")) for file in folder.rglob("*.py")):
        if "iwm_devkit" in path.parts or path.parts[-2:] == ("iwm_data", "workers.py"):
            continue  # unpickle what they have just pickled themselves, for data workers
        text = re.sub(r"torch\.load\([^()]*weights_only=True", "", path.read_text(encoding="utf-8"))  # takes nothing but tensors
        for word in (
            "pickle.load",
            "import pickle",
            "torch.load(",
            "trust_remote_code",
            "allow_pickle=True",
            "Loader=yaml.Loader",
            "UnsafeLoader",
            "FullLoader",
            "yaml.unsafe",
            "joblib",
        ):
            assert word not in text, f"{path}: {word}"


def test_parquet_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    pq.write_table(pa.table({"image": [png()] * 3}), tmp_path / "train.parquet")
    Hub(path=str(tmp_path), holdout=0).open("train")
    for bound in ("MOST_ROWS", "MOST_GROUP"):
        monkeypatch.setattr(f"iwm_data.bounds.{bound}", 2)
        with pytest.raises(ValueError, match="smaller row groups"):
            Hub(path=str(tmp_path), holdout=0).open("train")
        monkeypatch.undo()


@pytest.mark.parametrize("name", ["train.parquet", "train.arrow", "dataset_dict.json", "state.json"])
def test_a_pipe_among_tables_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(ValueError, match=f"{name} is no regular file"):
            Hub(path=str(path)).open("train")


# ---------------------------------------------------------------------------------------------------------------- splits and labels


def table(folder, **columns):
    folder.mkdir(exist_ok=True)
    count = len(next(iter(columns.values())))
    pq.write_table(pa.table({"image": [png("RGB", colour=(i, 0, 0)) for i in range(count)], **columns}), folder / "train.parquet")
    return str(folder)


def test_validation_is_not_what_is_trained_on(tmp_path, iwm, here):
    path = table(tmp_path / "t", label=[0, 1] * 8)
    assert_one_line(iwm("train", "recipe=tiny", "data=hub", f"data.path={path}", "data.validation_split=train"), "what is trained on")
    os.link(tmp_path / "t/train.parquet", tmp_path / "t/validation.parquet")
    with pytest.raises(ValueError, match="a file of another split"):
        Hub(path=path).open("train")


def link(path, kind, target):
    """A second name of what is already there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent)) if kind == "soft" else os.link(target, path)


@pytest.mark.parametrize(
    ("name", "kind", "target", "told"),
    [
        ("validation", "soft", "train", "validation is {}/train:"),
        ("validation/a", "soft", "train/a", "validation/a is {}/train/a:"),
        ("validation/b/deep/x", "soft", "train/a", "validation/b/deep/x is {}/train/a:"),
        ("validation/b/deep/x", "soft", "train/a/deep", "validation/b/deep/x is {}/train/a/deep:"),
        ("validation/all", "soft", ".", "validation/all is {}:"),
        ("validation/b/deep/x.png", "soft", "train/a/deep/1.png", "validation/b/deep/x.png is {}/train/a/deep/1.png:"),
        ("validation/b/deep/x.png", "hard", "train/a/deep/1.png", "validation/b/deep/x.png is {}/train/a/deep/1.png:"),
    ],
)
def test_what_is_trained_on_is_not_validated_on_by_another_name(tmp_path, name, kind, target, told):
    picture(tmp_path / "train/a/deep/1.png", RED)
    picture(tmp_path / "train/b/2.png", RED)
    if "/" in name:
        picture(tmp_path / "validation/b/3.png", RED)
        assert len(Folder(path=str(tmp_path)).open("validation")) == 1
    link(tmp_path / name, kind, tmp_path / target)
    for split in ("train", "validation"):
        with pytest.raises(ValueError, match="validate on images that are not trained on") as refused:
            Folder(path=str(tmp_path)).open(split)
        assert str(refused.value).startswith(f"{tmp_path}/{told.format(tmp_path)}")


@pytest.mark.parametrize("kind", ["soft", "hard"])
def test_what_is_trained_on_is_not_held_out_by_another_name(tmp_path, kind):
    for number in range(40):
        picture(tmp_path / f"{number}.png", RED)
    halves = [
        {one.describe(i) for i in range(len(one))} for one in map(Folder(path=str(tmp_path), holdout=0.5).open, ("train", "validation"))
    ]
    for number in range(40, 80):
        link(tmp_path / f"{number}.png", kind, tmp_path / f"{number - 40}.png")
    with pytest.raises(ValueError, match="of which one is trained on and one held out") as told:
        Folder(path=str(tmp_path), holdout=0.5).open("train")
    assert min(map(len, halves)) > 5
    assert str(tmp_path) in str(told.value)
    assert len(Folder(path=str(tmp_path), holdout=0).open("train")) == 80


@pytest.mark.parametrize("holdout", [0, 0.5])
@pytest.mark.parametrize("below", ["", "train/"])
@pytest.mark.parametrize(("name", "target"), [("b", "a"), ("c/deep/er", "a"), ("c/deep", "a/deep"), ("B", "b")])
def test_a_folder_is_not_in_two_classes(tmp_path, holdout, below, name, target):
    for path in ("a/1.png", "a/deep/2.png", "c/3.png", "b/4.png" if target == "b" else "c/4.png"):
        picture(tmp_path / below / path, RED)
    source = Folder(path=str(tmp_path), holdout=holdout)
    source.open("train")
    link(tmp_path / below / name, "soft", tmp_path / below / target)
    with pytest.raises(ValueError, match="are one folder, its images in two classes") as told:
        source.open("train")
    assert {f"{tmp_path}/{below}{path}" for path in (name, target)} <= set(str(told.value).split())


def test_files_of_two_classes_are_told(tmp_path):
    picture(tmp_path / "a/1.png", RED)
    picture(tmp_path / "a/2.png", RED)
    link(tmp_path / "a/3.png", "hard", tmp_path / "a/2.png")
    link(tmp_path / "b/4.png", "hard", tmp_path / "a/1.png")
    (note,) = Folder(path=str(tmp_path), holdout=0).open("train").notes
    assert note == f"images of two classes: 1, such as {tmp_path}/a/1.png, which is {tmp_path}/b/4.png"


def test_minus_one_is_no_class_and_is_told(tmp_path):
    images = Hub(path=table(tmp_path / "t", label=[0, -1, 2, -1]), holdout=0).open("train")
    assert (images.classes, [images.label(i) for i in range(4)]) == (("0", "2"), [0, -1, 1, -1])
    assert images.notes == ("-1 in the column label is treated as no label",)
    several = Hub(path=table(tmp_path / "s", label=[[0, -1], [2], [-1], []]), holdout=0).open("train")
    assert several.classes == ("0", "2")
    assert [several.labels(i).tolist() for i in range(4)] == [[True, False], [False, True], [False, False], [False, False]]


def test_empty_texts_are_no_class_and_are_told(tmp_path):
    images = Hub(path=table(tmp_path / "t", label=["b", "", "a", " \t", None]), holdout=0).open("train")
    assert (images.classes, [images.label(i) for i in range(5)]) == (("a", "b"), [1, -1, 0, -1, -1])
    assert images.notes == ("the column label holds an empty text in 2 of 5 rows, treated as no label",)
    several = Hub(path=table(tmp_path / "s", label=[["b", ""], ["a"], [" "], []]), holdout=0).open("train")
    assert several.classes == ("a", "b")
    assert [several.labels(i).tolist() for i in range(4)] == [[False, True], [True, False], [False, False], [False, False]]
    assert several.notes == ("the column label holds an empty text in 2 of 4 rows, treated as no label",)


def test_labels_that_are_none_are_told_with_advice_that_works(tmp_path):
    path = table(tmp_path / "t", label=[0.5, 1.0], kind=["a", "b"])
    (note,) = Hub(path=path, holdout=0).open("train").notes
    assert note.startswith("the column label (double) is ignored: ")
    with pytest.raises(ValueError, match="set data.label_column to one of kind") as told:
        Hub(path=path, holdout=0, label_column="label").open("train")
    advised = str(told.value).rpartition(" ")[2]
    assert Hub(path=path, holdout=0, label_column=advised).open("train").classes == ("a", "b")
    for name, column in ("s", [[0.5], [1.0]]), ("n", [[[0]], [[1]]]):
        with pytest.raises(ValueError, match="no column can be"):
            Hub(path=table(tmp_path / name, label=column), holdout=0, label_column="label").open("train")
        assert Hub(path=str(tmp_path / name), holdout=0).open("train").notes[0].startswith("the column label (list")


def test_a_class_folder_without_images_is_no_class(tmp_path, iwm, here):
    for number in range(16):
        picture(f"in/{'ac'[number % 2]}/deep/{number}.png", RED)
    Path("in/b/deep").mkdir(parents=True)
    Path("in/b/notes.txt").touch()
    images = Folder(path="in", holdout=0).open("train")
    assert (images.classes, {images.label(i) for i in range(16)}) == (("a", "c"), {0, 1})
    status, told = iwm(
        "train", "recipe=tiny", "data=folder", "data.path=in", "data.holdout=0.01", "train.batch_size=4", "train.steps=3", "run=r"
    )
    assert status == 0
    assert told == f"warning: no image in b, of {tmp_path / 'in'}: no class\n"


# ---------------------------------------------------------------------------------------------------------------- pixels


def grey(values, kind=np.uint16):
    file = io.BytesIO()
    Image.fromarray(np.array([values], dtype=kind)).save(file, "TIFF")
    return file.getvalue()


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_is_scaled_by_its_range(kind, bits):
    end = 2**bits - 1
    assert decode(grey([0, end / 5, end], kind))[0, 0].tolist()[::2] == [0, 255]
    assert abs(decode(grey([0, end / 5, end], kind))[0, 0, 1] - 51) <= 1


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.float32])
def test_white_can_be_said(kind):
    assert decode(grey([0, 1000, 2000, 3000], kind), white=2000)[0, 0].tolist() == [0, 128, 255, 255]


@pytest.mark.slow
def test_wide_grey_is_told_once_with_what_to_say(tmp_path, iwm, here):
    for number in range(16):
        Path("in").mkdir(exist_ok=True)
        Image.fromarray(np.full((8, 8), 100 * number, dtype=np.uint16)).save(f"in/{number:02}.png")
    words = ["train", "recipe=tiny", "data=folder", "data.path=in", "train.batch_size=4", "train.steps=3"]
    status, told = iwm(*words, "run=r")
    assert status == 0
    (line,) = told.splitlines()
    assert "data.white=VALUE" in line
    assert iwm(*words, "data.white=4095", "run=s") == (0, "")
    assert Folder(path="in", holdout=0, white=4095.0).open("train").image(15).unique().tolist() == [round(1500 / 4095 * 255)]
    assert decode_file("in/15.png", 1500.0).min() == 255


@pytest.mark.parametrize(
    ("ignored", "classes", "values", "expected"),
    [
        ([255], 3, [0, 1, 2, 255], [0, 1, 2, NOT_COUNTED]),
        ([11], 3, [0, 2, 11], [0, 2, NOT_COUNTED]),
        ([0], 3, [0, 1, 3], [NOT_COUNTED, 0, 2]),
        ([0, 255], 2, [0, 1, 2, 255], [NOT_COUNTED, 0, 1, NOT_COUNTED]),
        ([1, 3], 3, [0, 1, 2, 3, 4], [0, NOT_COUNTED, 1, NOT_COUNTED, 2]),
        ([], 256 - 1, [0, 254], [0, 254]),
    ],
)
def test_what_does_not_count_in_masks_is_a_setting(tmp_path, ignored, classes, values, expected):
    names = [str(number) for number in range(classes)]
    file = io.BytesIO()
    Image.fromarray(np.array([values], dtype=np.uint8)).save(file, "PNG")
    assert decode_mask(file.getvalue(), names, "m", ignored)[0].tolist() == expected
    picture(tmp_path / "in/a.png", RED)
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks/a.png").write_bytes(file.getvalue())
    row = {"image": [png("RGB")], "mask": [{"bytes": file.getvalue(), "path": None}]}
    pq.write_table(pa.table(row), tmp_path / "train.parquet")
    for source in (
        Folder(path=str(tmp_path / "in"), holdout=0, masks=str(tmp_path / "masks"), mask_classes=names, mask_ignore=ignored),
        Hub(path=str(tmp_path / "train.parquet"), holdout=0, mask_column="mask", mask_classes=names, mask_ignore=ignored),
    ):
        assert source.open("train").mask(0)[0].tolist() == expected


def test_a_value_of_a_mask_without_a_name_is_told():
    with pytest.raises(ValueError, match=r"has the value 9, and data.mask_classes names 2 \(1 to 2\).*data.mask_ignore=\[0\]"):
        decode_mask(png(colour=9), ["a", "b"], "m", [0])
    with pytest.raises(ValueError, match="must list values of masks"):
        Folder(path="x", masks="m", mask_classes=["a"], mask_ignore=[-1])
