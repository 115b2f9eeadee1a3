"""The kept listing of a large folder: used only as long as it is what a new one would be."""

import os
import time
from pathlib import Path

import pytest
from iwm_data import layout, listing
from iwm_data.folder import Folder


@pytest.fixture(autouse=True)
def large(tmp_path, monkeypatch):
    """Every folder counts as a large one, and clocks step at once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(listing, "MANY", 1)
    monkeypatch.setattr(listing, "TICK", -60)


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in (
        "train/a/1.jpg",
        "train/a/deep/2.jpg",
        "train/b/3.jpg",
        "train/b/x.txt",
        "val/a/4.jpg",
        "val/c/5.jpg",
        "old/6.jpg",
        "train/0.jpg",
    ):
        put(tmp_path / "d" / name)
    (tmp_path / "d/train/empty").mkdir()
    return tmp_path / "d"


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def seen(folder, **options):
    """All that is known of both splits."""
    splits = [Folder(path=str(folder), white=255, **options).open(split) for split in ("train", "validation")]
    return [
        ([(one.describe(i), one.label(i), one.file(i)) for i in range(len(one))], one.classes, one.skipped, one.skipped_count, one.notes)
        for one in splits
    ]


def anew(folder, monkeypatch, **options):
    with monkeypatch.context() as patch:
        patch.setattr(layout, "kept_listing", lambda of, read: (read(listing.Looked()), ()))
        return seen(folder, **options)


def reads(monkeypatch) -> list[str]:
    """The folders that are read from now on."""
    found, scandir = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: found.append(str(path)) or scandir(path))
    return found


@pytest.mark.parametrize("options", [{}, {"extensions": ["jpg", "txt"]}], ids=["images", "more"])
def test_a_kept_listing_is_what_a_new_one_is(folder, monkeypatch, options):
    first = anew(folder, monkeypatch, **options)
    assert seen(folder, **options) == first
    read = reads(monkeypatch)
    assert seen(folder, **options) == first
    assert read == [], "the second time no folder is read"
    assert len(first[0][0]) == 4 + len(options)
    assert "left out, beside train and val" in str(first[0][-1])
    (folder / "val/a/4.jpg").unlink()
    flat = seen(folder / "train", holdout=0.5)
    assert flat == seen(folder / "train", holdout=0.5) != seen(folder / "train", holdout=0.3)


CHANGES = {
    "added": lambda folder: put(folder / "train/a/deep/7.jpg"),
    "removed": lambda folder: (folder / "val/a/4.jpg").unlink(),
    "renamed": lambda folder: (folder / "train/b/3.jpg").rename(folder / "train/b/4.jpg"),
    "class": lambda folder: put(folder / "train/new/7.jpg"),
    "class renamed": lambda folder: (folder / "train/b").rename(folder / "train/bb"),
    "beside": lambda folder: put(folder / "loose.jpg"),
    "in a class that was empty": lambda folder: put(folder / "train/empty/1.jpg"),
    "exchanged": lambda folder: exchange(folder / "train/a", folder / "train/b"),
    "moved away": lambda folder: (folder / "old").rename(folder.parent / "old"),
}


def exchange(one: Path, other: Path) -> None:
    middle = one.with_name("middle")
    one.rename(middle)
    other.rename(one)
    middle.rename(other)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("back", [False, True], ids=["", "times set back"])
def test_any_change_is_seen(folder, monkeypatch, change, back):
    seen(folder)
    before = {path: path.stat() for path in [folder, *folder.rglob("*")]}
    CHANGES[change](folder)
    for path, status in before.items() if back else ():
        if path.exists():  # as rsync -a and tar leave folders
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert seen(folder) == anew(folder, monkeypatch)
    assert seen(folder) == anew(folder, monkeypatch)


def test_what_may_change_unseen_is_not_kept_and_this_is_told(folder, tmp_path, monkeypatch):
    def told():
        return [note for note in seen(folder)[0][-1] if "is listed anew at the next start" in note]

    assert told() == []
    (folder / "train/a/9.jpg").symlink_to(folder / "old/6.jpg")
    assert [note.endswith("9.jpg is a link") for note in told()] == [True]
    (folder / "train/a/9.jpg").unlink()
    (folder / "train/linked").symlink_to(folder / "old")
    assert told() == [], "a link to a folder is watched as the folder is"
    put(folder / "old/8.jpg")
    assert seen(folder) == anew(folder, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(listing, "TICK", 2.0)
        put(folder / "train/a/10.jpg")
        assert ["has just changed" in note for note in told()] == [True]
    with monkeypatch.context() as patch:
        patch.setattr(listing, "file_system", lambda _: "fuse.s3fs")
        put(folder / "train/a/11.jpg")
        assert ["the file system fuse.s3fs may not tell" in note for note in told()] == [True]
    monkeypatch.setattr(listing, "MANY", 1000)
    put(folder / "train/a/12.jpg")
    assert told() == []
    assert listing.file_system(str(tmp_path)) != "unknown"


def test_a_damaged_listing_is_made_again_with_a_line(folder, tmp_path, monkeypatch):
    first = seen(folder)
    kept = next((tmp_path / "cache/iwm/listings").glob("*.npz"))
    kept.write_bytes(kept.read_bytes()[:100])
    assert "made again" in str(seen(folder)[0][-1])
    assert seen(folder) == first


def test_folders_that_have_rested_are_kept_at_once(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "TICK", 0.05)
    time.sleep(0.1)
    seen(folder)
    assert list((tmp_path / "cache/iwm/listings").glob("*.npz"))
