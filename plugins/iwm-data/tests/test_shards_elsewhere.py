"""Tar shards that fsspec reaches, read in data workers; and shards that cannot be read, each told in a line."""

import bz2
import gzip
import os
import pickle
import tarfile
import threading

import fsspec
import pytest
import torch
from iwm_data import places
from iwm_data.shard_names import MOST_SHARDS, expanded
from iwm_data.shards import Shards
from tar_shards import Whole, picture, refusal, sample, served, tar_of, write_shards

from iwm_core.data.loader import DecodedViews
from iwm_core.data.order import Schedule
from iwm_core.data.reading import Reader
from iwm_core.data.workers import made_in_order
from iwm_core.interfaces.errors import UserError
from iwm_core.recipe.config import View


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(places, "WAITS", (0.01, 0.01))


def opened(path, split="train", **options):
    return Shards(path=str(path), holdout=0, white=255, **options).open(split)


def levels(images, indices=None) -> list[int]:
    return [int(image.float().mean()) for image in images.images(torch.arange(len(images)) if indices is None else indices)]


def refused(path, split="train", **options) -> str:
    return refusal(lambda: opened(path, split, **options))


def test_over_http_only_the_parts_that_are_asked_for_come(tmp_path):
    write_shards(tmp_path / "d", 3, 4)
    with served(tmp_path / "d") as (address, server):
        url = f"{address}/{{000000..000002}}.tar"
        images = opened(url)
        server.asked.clear()
        assert levels(images, torch.tensor([7, 0])) == [7, 0]
        size = len(picture(7))
        spans = sorted((int(last) - int(first) + 1) for first, last in (line.split("bytes=")[1].split("-") for line in server.asked))
        assert spans == sorted([size, len(picture(0))])
        server.asked.clear()
        assert len(opened(url)) == 12
        assert {line.split()[0] for line in server.asked} == {"HEAD"}, "the second time nothing is read"
        write_shards(tmp_path / "d", 1, 5, first=90)
        assert levels(opened(url)) == [90, 91, 92, 93, 94, *range(4, 12)]


def test_a_busy_server_is_asked_again_and_one_that_is_gone_ends_the_run_in_a_line(tmp_path):
    write_shards(tmp_path / "d", 1, 4)
    with served(tmp_path / "d") as (address, server):
        images = opened(f"{address}/000000.tar")
        server.broken = 2
        assert levels(images) == [0, 1, 2, 3]
        (tmp_path / "d/000000.tar").unlink()
        with pytest.raises(UserError, match=r"000000.tar cannot be read .*iwm resume"):
            levels(images)
    with served(tmp_path / "d", Whole) as (address, _):
        write_shards(tmp_path / "d", 1, 4)
        images = opened(f"{address}/000000.tar")
        with pytest.raises(UserError, match="must answer Range requests"):
            levels(images)


def test_workers_read_what_fsspec_reaches(tmp_path):
    system = fsspec.filesystem("memory")
    write_shards(tmp_path / "d", 2, 4, "train-{:02}.tar")
    for path in (tmp_path / "d").iterdir():
        system.pipe(f"/own/{path.name}", path.read_bytes())
    try:
        for url in "memory://own", "memory://own/train-{00..01}.tar", "memory://own/*.tar", f"file://{tmp_path}/d":
            images = opened(url)
            assert levels(images) == list(range(8))
        here, far = opened(tmp_path / "d"), opened("memory://own")
        assert pickle.loads(pickle.dumps(here)).describe(3) == here.describe(3)
        parts = torch.tensor([5, 2, 7, 0]).split(2)
        for images in here, far:
            assert list(made_in_order(lambda index, images=images: levels(images, index), parts, 2)) == [[5, 2], [7, 0]]
    finally:
        system.rm("/own", recursive=True)


def test_two_who_begin_at_once_index_once(tmp_path, monkeypatch):
    folder = write_shards(tmp_path / "d", 4, 4)
    found = [None, None]
    threads = [threading.Thread(target=lambda at=at: found.__setitem__(at, levels(opened(folder)))) for at in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(range(16))] * 2
    names = [path.name for path in (tmp_path / "cache/iwm/shards").iterdir()]
    assert len([name for name in names if name.endswith(".npz")]) == 4
    assert not [name for name in names if name.endswith(".partial")]


def test_a_shard_that_changes_meanwhile_is_not_read_at_the_old_places(tmp_path):
    folder = write_shards(tmp_path / "d", 1, 4)
    images = opened(folder)
    write_shards(folder, 1, 5, first=70)
    with pytest.raises(UserError, match="has changed since it was indexed"):
        images.image(0)
    (folder / "000000.tar").unlink()
    with pytest.raises(UserError, match="000000.tar is gone"):
        images.image(0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda whole: gzip.compress(whole), "is compressed (gzip)"),
        (lambda whole: bz2.compress(whole), "is compressed (bzip2)"),
        (lambda whole: b"", "is no tar (empty file)"),
        (lambda whole: b"no tar" * 500, "is no tar"),
        (lambda whole: whole[:700], "is damaged or cut short after 1 samples"),
        (lambda whole: whole[:1024] + b"x" * 512 + whole[1536:], "is damaged after 1 samples, at byte 1024"),
        (lambda whole: tar_of([*sample(1), *sample(2), *sample(1)]), "holds 000001.png twice"),
        (lambda whole: tar_of([("1.cls", b"0"), ("1.png", picture(1)), ("1.cls", b"0")]), "holds 1.cls twice"),
        (lambda whole: tar_of([]), "the shards for train hold no images"),
        (lambda whole: tar_of([("1.cls", b"0"), ("1.mp4", b"0")]), "its members are cls, mp4"),
    ],
    ids=["gzip", "bzip2", "empty", "text", "cut", "damaged", "image twice", "label twice", "no sample", "no image"],
)
def test_a_shard_that_cannot_be_read_is_named(tmp_path, make, words):
    (tmp_path / "0.tar").write_bytes(make(tar_of(member for number in range(3) for member in sample(number))))
    assert words in refused(tmp_path)


@pytest.mark.parametrize("size", [2**62, 2**70, None], ids=["no disk's", "no number's", "no map"])
def test_a_header_that_cannot_be_is_told_as_damage(tmp_path, size):
    about = tarfile.TarInfo("9.png")
    if size is None:
        about.pax_headers = {"GNU.sparse.map": "here,there", "GNU.sparse.size": "9"}
    else:
        about.size = size
    header = about.tobuf(tarfile.PAX_FORMAT if size is None else tarfile.GNU_FORMAT)
    (tmp_path / "0.tar").write_bytes(tar_of(sample(1))[:2048] + header + bytes(1024))
    told = refused(tmp_path)
    assert "0.tar is damaged" in told
    assert "write it again" in told
    assert "network" not in told


def test_a_pipe_among_shards_is_not_waited_for(tmp_path):
    write_shards(tmp_path / "d", 1, 3)
    os.mkfifo(tmp_path / "d/x.tar")
    (tmp_path / "e").mkdir()
    (tmp_path / "e/0.tar").mkdir()
    for path in (tmp_path / "d/x.tar", tmp_path / "d", "/dev/zero", tmp_path / "e"):
        assert "is no regular file: take it out of data.path" in refused(path)


def test_what_names_no_shards_is_told(tmp_path):
    write_shards(tmp_path / "d", 1, 3, "train-{}.tar")
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed/0.tar.gz").write_bytes(b"")
    (tmp_path / "none").mkdir()
    path = tmp_path / "d/train-0.tar"
    assert "is compressed" in refused(tmp_path / "packed")
    assert "holds no .tar file" in refused(tmp_path / "none")
    assert "there is no file or folder" in refused(tmp_path / "missing")
    assert "there is no file or folder" in refused(f"{tmp_path}/d/train-{{0..1}}.tar")
    assert "holds no .tar file" in refused(f"{tmp_path}/d/x*.tar")
    assert "braces are not closed" in refused(f"{tmp_path}/d/train-{{0..1.tar")
    assert "neither numbers" in refused(f"{tmp_path}/d/train-{{0}}.tar")
    assert "more than 1,000,000 shards" in refused(f"{tmp_path}/{{0..99999999999}}.tar")
    assert "Protocol not known" in refused("nowhere://d/0.tar")
    assert "cannot be reached" in refused("memory://not-there/0.tar")
    assert "none is left to train on" in refused(path, validation_path=str(path))
    assert "no sample of" in refused(tmp_path / "d", label="json.kind")
    assert "its members are png, cls" in refused(tmp_path / "d", label="json.kind")
    (tmp_path / "d/val-0.tar").symlink_to(path)
    assert "by a link" in refused(tmp_path / "d")
    (tmp_path / "d/val-0.tar").unlink()
    write_shards(tmp_path / "d", 1, 3, "val-{}.tar", first=9)
    write_shards(tmp_path / "d", 1, 3, "x-{}.tar")
    assert "x-0.tar has none of the words train and val in its name" in refused(tmp_path / "d")
    assert "are named val, and none train" in refused(f"{tmp_path}/d/val*")
    for options in (
        {"label": "json"},
        {"label": ""},
        {"extensions": []},
        {"path": ""},
        {"mask": "png", "mask_classes": ["a"]},
        {"mask": "x"},
    ):
        with pytest.raises(ValueError, match=r"data\."):
            Shards(**{"path": str(path), **options})


def test_braces_are_a_shells():
    assert list(expanded("a/{08..11}.tar", "f")) == [f"a/{n:02}.tar" for n in range(8, 12)]
    assert list(expanded("{a,b}-{1..3..2}", "f")) == ["a-1", "a-3", "b-1", "b-3"]
    assert list(expanded("{3..1}{,x}", "f")) == ["3", "3x", "2", "2x", "1", "1x"]
    assert list(expanded("{9..10}", "f")) == ["9", "10"]
    assert list(expanded("plain", "f")) == ["plain"]
    assert MOST_SHARDS == 1_000_000


def test_three_resumes_by_other_workers_and_processes_see_each_image_once_and_in_order(tmp_path):
    """The images tell their numbers themselves: each is of one grey, which crops and flips leave as it is."""
    images = opened(write_shards(tmp_path / "d", 4, 10))
    plan = [(1, 2, 0, 3), (2, 0, 3, 4), (4, 1, 4, 9), (2, 1, 9, 10)]  # processes, workers, first step, last step
    seen = []
    for processes, workers, start, stop in plan:
        schedule = Schedule(5, len(images), 8, processes)
        views = DecodedViews(Reader(images), View(), 16, 5)
        ranks = [made_in_order(views, schedule.slices(start, stop, rank, processes), workers) for rank in range(processes)]
        for parts in zip(*ranks, strict=True):
            seen += [round(float(view.float().mean())) for part in parts for view in part.images]
    assert seen == [int(index) for step in range(10) for index in Schedule(5, 40, 8).part(step, 0).index]
    assert sorted(seen[:40]) == sorted(seen[40:]) == list(range(40))
