"""Tar shards of WebDataset's layout: any image by itself, wherever they lie; what is wrong with one is told in a line."""

import json

import pytest
import torch
import webdataset
from iwm_data import kept
from iwm_data.shards import Shards
from iwm_data.tar_index import index_of
from iwm_devkit import check_data_source
from tar_shards import picture, refusal, sample, tar_of, write_shards
from webdataset.tariterators import group_by_keys, tar_file_iterator

from iwm_core.interfaces import CorruptImage


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def levels(images) -> list[int]:
    return [int(image.float().mean()) for image in images.images(torch.arange(len(images)))]


def labels(images) -> list[int]:
    return [images.label(index) for index in range(len(images))]


def opened(path, split="train", **options):
    return Shards(path=str(path), holdout=options.pop("holdout", 0), **options).open(split)


def refused(path, split="train", **options) -> str:
    return refusal(lambda: opened(path, split, **options))


def test_it_passes_the_kit(tmp_path):
    write_shards(tmp_path / "d", 2, 8)
    check_data_source(Shards(path=str(tmp_path / "d"), holdout=0.5))


def test_what_webdataset_writes_is_read_as_webdataset_reads_it(tmp_path):
    for shard in range(2):
        with webdataset.TarWriter(str(tmp_path / f"{shard:04}.tar")) as writer:
            for number in range(5 * shard, 5 * shard + 5):
                writer.write(
                    {"__key__": f"a/{number:03}", "png": picture(number), "cls": number % 3, "json": {"of": {"kind": f"k{number % 2}"}}}
                )
    pattern = f"{tmp_path}/{{0000..0001}}.tar"
    theirs = []
    for shard in range(2):
        with (tmp_path / f"{shard:04}.tar").open("rb") as file:
            theirs += group_by_keys([{**member, "__url__": ""} for member in tar_file_iterator(file)])
    images = opened(pattern)
    assert [images.describe(i).split(".tar/")[1] for i in range(10)] == [f"{one['__key__']}.png" for one in theirs]
    assert [images.content(i) for i in range(10)] == [one["png"] for one in theirs]
    assert [int(images.classes[label]) for label in labels(images)] == [int(one["cls"]) for one in theirs]
    by_field = opened(pattern, label="json.of.kind")
    assert by_field.classes == ("k0", "k1")
    assert [by_field.classes[label] for label in labels(by_field)] == [json.loads(one["json"])["of"]["kind"] for one in theirs]
    assert images.notes == by_field.notes == ()


def test_an_index_is_made_once_for_each_shard(tmp_path, monkeypatch):
    folder = write_shards(tmp_path / "d", 3, 4)
    folder.chmod(0o555)  # the data may not be ours
    assert levels(opened(folder)) == list(range(12))
    made = sorted((tmp_path / "cache/iwm/shards").glob("*.npz"))
    assert len(made) == 3
    indexed = []
    monkeypatch.setattr("iwm_data.indexing.index_of", lambda file, name, wanted: indexed.append(name) or index_of(file, name, wanted))
    assert levels(opened(folder)) == list(range(12))
    assert indexed == []
    folder.chmod(0o755)
    (folder / "000001.tar").write_bytes(tar_of(member for number in range(50, 57) for member in sample(number)))
    assert levels(opened(folder)) == [0, 1, 2, 3, *range(50, 57), 8, 9, 10, 11]
    assert indexed == [str(folder / "000001.tar")]
    assert sorted((tmp_path / "cache/iwm/shards").glob("*.npz")) == made, "what is out of date is replaced"


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "empty"])
def test_a_damaged_index_is_made_again_with_a_line(tmp_path, damage):
    folder = write_shards(tmp_path / "d", 2, 4)
    opened(folder)
    one, other = sorted((tmp_path / "cache/iwm/shards").glob("*.npz"))
    content = one.read_bytes()
    middle = len(content) // 2
    damaged = {"cut": content[:middle], "flipped": bytes([*content[:middle], content[middle] ^ 4, *content[middle + 1 :]]), "empty": b""}
    one.write_bytes(damaged.get(damage) or (other.read_bytes() if damage == "other" else b""))
    images = opened(folder)
    assert levels(images) == list(range(8))
    assert len(images.notes) == 1
    assert "cannot be read" in images.notes[0]
    assert "made again" in images.notes[0]
    assert one.read_bytes() == content
    assert opened(folder).notes == ()


def test_every_bit_of_an_index_is_watched(tmp_path):
    folder = write_shards(tmp_path / "d", 1, 4)
    opened(folder)
    one = next((tmp_path / "cache/iwm/shards").glob("*.npz"))
    content = one.read_bytes()
    for at in range(0, len(content), 37):
        one.write_bytes(bytes([*content[:at], content[at] ^ 0x10, *content[at + 1 :]]))
        assert levels(opened(folder)) == list(range(4))


def test_where_nothing_can_be_kept_data_is_read_all_the_same(tmp_path):
    folder = write_shards(tmp_path / "d", 1, 4)
    (tmp_path / "file").write_text("")
    images = opened(folder, index=str(tmp_path / "file/below"))
    assert levels(images) == list(range(4))
    assert len(images.notes) == 1
    assert "nothing can be kept in" in images.notes[0]


def test_what_is_kept_is_of_this_and_nothing_else(tmp_path):
    shelf = kept.Kept(tmp_path)
    shelf.keep({"a": 1}, kept.Found({"x": [1, "ä"]}, {}))
    assert shelf.find({"a": 1}) == ({"x": [1, "ä"]}, {})
    assert shelf.find({"a": 2}) is None
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_splits_by_words_in_names_by_folders_and_by_patterns(tmp_path):
    write_shards(tmp_path / "words", 2, 4, "set-train-{:04}.tar")
    write_shards(tmp_path / "words", 1, 3, "set-val-{:04}.tar", first=20)
    write_shards(tmp_path / "folders/train", 2, 4)
    write_shards(tmp_path / "folders/val", 1, 3, first=20)
    write_shards(tmp_path / "plain", 3, 4)
    for path in tmp_path / "words", tmp_path / "folders", f"{tmp_path}/words/set-{{train,val}}-000[01].tar":
        assert levels(opened(path)) == list(range(8))
        assert levels(opened(path, "validation")) == [20, 21, 22]
    by_hand = {"path": tmp_path / "plain", "validation_path": f"{tmp_path}/plain/{{000002..000002}}.tar"}
    images = opened(**by_hand)
    assert levels(images) == list(range(8))
    assert "1 shards of data.path are also in data.validation_path" in images.notes[0]
    assert levels(opened(split="validation", **by_hand)) == [8, 9, 10, 11]
    assert levels(opened(f"{tmp_path}/plain/00000[01].tar")) == list(range(8))


def test_held_out_images_stay_so_when_shards_are_added(tmp_path):
    folder = write_shards(tmp_path / "d", 2, 40)
    before = levels(opened(folder, "validation", holdout=0.3))
    assert sorted(before + levels(opened(folder, holdout=0.3))) == list(range(80))
    assert 10 <= len(before) <= 40
    write_shards(tmp_path / "more", 3, 40)
    (tmp_path / "more/000002.tar").rename(folder / "000002.tar")
    assert levels(opened(folder, "validation", holdout=0.3))[: len(before)] == before


def test_classes_are_numbers_by_size_then_words_and_those_that_training_lacks_are_told(tmp_path):
    def shard(name, texts):
        members = [
            (f"{number}.{ending}", content)
            for number, text in enumerate(texts)
            for ending, content in (("png", picture(number)), ("cls", text))
        ]
        (tmp_path / name).write_bytes(tar_of(members))

    shard("train-0.tar", [b"10", b" 9\n", b"cat", b"-1", b"", b"ant", b"9", b"\xff", b"x" * 300])
    shard("val-0.tar", [b"cat", b"Ant", b"11"])
    train, held = opened(tmp_path), opened(tmp_path, "validation")
    assert train.classes == held.classes == ("9", "10", "ant", "cat")
    assert labels(train) == [1, 0, 3, -1, -1, 2, 0, -1, -1]
    assert labels(held) == [3, -1, -1]
    assert any("labels cannot be read, so their images have none: 2, such as 7.cls" in note for note in train.notes)
    assert any("2 of 3 validation images are of classes that training lacks" in note for note in train.notes)
    assert held.why_unlabelled(2) == "training has no class 11, but 9, 10, ant and 1 more"
    assert train.why_unlabelled(3) == "its label names no class"


def test_what_does_not_count_is_told(tmp_path):
    members = [
        ("._1.png", b"x"),
        ("README", b"x"),
        ("./b/1.png", picture(1)),
        ("./b/1.PNG.txt", b"x"),
        ("2.cls", b"0"),
        ("3.JPG", b"no image"),
    ]
    (tmp_path / "0.tar").write_bytes(tar_of(members))
    (tmp_path / "1.tar").write_bytes(tar_of([]))
    images = opened(tmp_path)
    assert len(images) == 2
    assert [int(images.image(0).float().mean()), images.label(0)] == [1, -1]
    with pytest.raises(CorruptImage, match="not an image in a format that iwm reads"):
        images.image(1)
    assert isinstance(list(images.images(torch.tensor([0, 1])))[1], CorruptImage)
    said = "\n".join(images.notes)
    for part in (
        "have no key, are passed over: 2, such as ._1.png",
        "samples without an image are passed over: 1, such as 2",
        "no image in",
    ):
        assert part in said
    assert "data.label=json.FIELD" not in said
    (tmp_path / "1.tar").write_bytes(tar_of([("9.png", picture(9))])[:1024])
    assert any("perhaps cut short" in note for note in opened(tmp_path).notes)


def test_masks_are_members_with_the_key_of_their_image(tmp_path):
    members = [
        (f"{n}.{ending}", picture(n) if ending == "png" else picture(n, mode="L")) for n in range(3) for ending in ("png", "seg.png")
    ]
    (tmp_path / "0.tar").write_bytes(tar_of(members))
    images = opened(tmp_path, mask="seg.png", mask_classes=["a", "b", "c"])
    assert [int(images.mask(n).unique()) for n in range(3)] == [0, 1, 2]
    (tmp_path / "1.tar").write_bytes(tar_of([("9.png", picture(9))]))
    assert "1 of 4 images have no mask, such as" in refused(tmp_path, mask="seg.png", mask_classes=["a", "b", "c"])
