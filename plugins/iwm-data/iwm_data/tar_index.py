"""What lies where in a tar shard of WebDataset's layout: the index by which any sample is read at once.

Decisions:
- WebDataset's rule: what comes before the first dot of a member's name, with its folders, is the sample's key, and what comes after it
  tells what the member is. Members of a sample need not follow one another. Names that begin with a dot, as macOS adds them, are passed
  over.
- Python's `tarfile` reads the headers, for it knows all that tars have become. The rest was looked at and left: `wids` and MosaicML's
  streaming fetch whole shards to a disk, the latter in a format of its own; the builder of `datasets` writes a second copy of all data;
  ratarmount keeps a database for each tar, of which samples would still have to be made.
- A compressed tar has no places to read from, and is refused. So is one that ends within a member or holds a member twice: what was cut
  off, or which of two is meant, nobody can know.
- Small members that hold labels are read with the headers, since reading a million later would take longer than all else.
"""

import errno
import json
import re
import tarfile
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np

from iwm_data.kept import Found
from iwm_data.names import Names
from iwm_data.splits import hash_of

MOST_LABEL, MOST_HEADER = 1_000_000, 16_000_000
"""Bytes of a member that holds a label, and of a tar's header, that are read at most."""
LONGEST_LABEL = 200
"""Letters of a class's name: longer texts are captions."""
MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
ENDINGS = 20
"""Kinds of members that are told of."""


class BadShard(ValueError):
    """A shard that cannot be indexed; the text names it."""


@dataclass(frozen=True)
class Wanted:
    """Which members of a sample are what.

    Attributes:
        images: endings of images; of several, the first in this list counts.
        label: the ending of labels, with a field of JSON behind it: ``cls``, ``json.label``.
        mask: the ending of masks.
    """

    images: tuple[str, ...]
    label: str
    mask: str | None

    @property
    def label_ending(self) -> str:
        """The ending of the member that holds labels."""
        return re.sub(r"(^|\.)json\..*", r"\1json", self.label)

    @property
    def label_field(self) -> list[str]:
        """The keys that lead to a label in JSON; none where the member is the label."""
        found = re.search(r"(?:^|\.)json\.(.+)", self.label)
        return found[1].split(".") if found else []


@dataclass
class Member:
    """What a sample has of one kind: where in the shard it lies."""

    name: str = ""
    offset: int = 0
    size: int = 0
    rank: int = 0


@dataclass
class Parts:
    """The members of a sample that count."""

    image: Member | None = None
    mask: Member | None = None
    label: str | None = None
    labelled: bool = False


@dataclass
class Passed:
    """Things that do not count: how many, and the first of them with the reason."""

    count: int = 0
    first: str = ""

    def add(self, one: str) -> None:
        self.first = self.first or one
        self.count += 1


@dataclass
class Reading:
    """A shard as its headers are read."""

    samples: dict[str, Parts] = field(default_factory=dict)
    endings: Counter[str] = field(default_factory=Counter)
    skipped: Passed = field(default_factory=Passed)
    unread: Passed = field(default_factory=Passed)


class Headers:
    """A file as `tarfile` reads it, which would take a header's word for its size."""

    def __init__(self, file: Any) -> None:
        self.file, self.seek, self.tell = file, file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_HEADER:
            raise tarfile.ReadError(f"a header of {size / 1e6:,.0f} MB")
        return self.file.read(size)


def index_of(file: Any, name: str, wanted: Wanted) -> Found:
    """The index of a shard.

    Args:
        file: the shard.
        name: what to call it.
        wanted: which members count.

    Returns arrays, one entry a sample with an image: ``block, ends`` (names of the images, as `Names.packed`), ``offset, size``,
    ``mask_offset, mask_size`` (0: none), ``label`` (a place in the record's ``labels``; -1: none), ``hash`` (as `hash_of`).

    Raises:
        BadShard: it is no tar, compressed, damaged, cut short, or holds a member twice.
    """
    reading, start = Reading(), file.read(8)
    if kind := next((kind for magic, kind in MAGIC.items() if start.startswith(magic)), None):
        raise BadShard(f"{name} is compressed ({kind}), so that no image in it can be read by itself: unpack it to a plain .tar")
    file.seek(0)
    try:
        with tarfile.open(fileobj=Headers(file), mode="r:") as tar:  # pyright: ignore[reportArgumentType, reportCallIssue]
            while (member := tar.next()) is not None:
                tar.members.clear()  # pyright: ignore[reportAttributeAccessIssue] - else it keeps them all
                take(member, file, name, wanted, reading)
            file.seek(end := tar.offset)  # pyright: ignore[reportAttributeAccessIssue]
    except tarfile.TarError as error:
        what = "is no tar" if not reading.samples else f"is damaged or cut short after {len(reading.samples)} samples"
        raise BadShard(f"{name} {what} ({error}): fetch or write it again") from error
    except BadShard:
        raise
    except (ValueError, OverflowError, RecursionError, OSError) as error:  # what tarfile takes from a header as it stands
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # the disk or the network
            raise
        after = f"after {len(reading.samples)} samples"
        raise BadShard(f"{name} is damaged {after}: a header tells a size or place that cannot be; fetch or write it again") from error
    rest = file.read(tarfile.BLOCKSIZE)
    if rest.strip(b"\0"):
        raise BadShard(f"{name} is damaged after {len(reading.samples)} samples, at byte {end}: fetch or write it again")
    return packed(reading, name, whole=bool(rest))


def take(member: tarfile.TarInfo, file: Any, name: str, wanted: Wanted, reading: Reading) -> None:
    """Take note of a member."""
    found = re.fullmatch(r"((?:.*/|)[^./]+)\.([^/]+)", member.name, re.DOTALL)
    if member.isdir():
        return
    if found is None or not member.isreg() or member.issparse():
        reading.skipped.add(member.name)
        return
    key, ending = found[1], found[2].lower()
    if ending in reading.endings or len(reading.endings) < ENDINGS:
        reading.endings[ending] += 1
    parts = reading.samples.setdefault(key, Parts())
    if ending in wanted.images:
        place = Member(member.name, member.offset_data, member.size, wanted.images.index(ending))
        if parts.image and parts.image.rank == place.rank:
            twice(member, name)
        parts.image = min(filter(None, (parts.image, place)), key=lambda one: one.rank)
    elif ending == wanted.mask:
        if parts.mask:
            twice(member, name)
        parts.mask = Member(member.name, member.offset_data, member.size)
    if ending == wanted.label_ending:
        if parts.labelled:
            twice(member, name)
        parts.labelled = True
        try:
            if member.size > MOST_LABEL:
                raise ValueError(f"{member.size} bytes")
            file.seek(member.offset_data)
            parts.label = label_in(file.read(member.size), wanted)
        except (ValueError, RecursionError) as error:
            reading.unread.add(f"{member.name}: {' '.join(str(error).split())[:100]}")


def twice(member: tarfile.TarInfo, name: str) -> NoReturn:
    raise BadShard(f"{name} holds {member.name} twice, and which one is meant nobody knows: write the shard again")


def label_in(content: bytes, wanted: Wanted) -> str | None:
    """The class that a member names; None: it names none.

    Raises:
        ValueError: it is not what it should be.
    """
    text = content.decode()
    if wanted.label_ending.split(".")[-1] == "json":
        value = json.loads(text)
        for key in wanted.label_field:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, dict | list | float):
            raise ValueError(f"{type(value).__name__} is no class")
        text = "" if value is None else str(value)
    text = " ".join(text.split())
    if len(text) > LONGEST_LABEL:
        raise ValueError(f"a text of {len(text)} letters is no class")
    if re.fullmatch(r"-?\d+", text):
        text = str(int(text))
    return None if not text or (text.startswith("-") and text[1:].isdigit()) else text


def packed(reading: Reading, name: str, whole: bool) -> Found:
    """The index, as it is kept."""
    samples = [parts for parts in reading.samples.values() if parts.image]
    bare = next((key for key, parts in reading.samples.items() if not parts.image), "")
    labels = list(dict.fromkeys(parts.label for parts in samples if parts.label is not None))
    number: dict[str | None, int] = {None: -1} | {label: place for place, label in enumerate(labels)}
    images, masks = [parts.image or Member() for parts in samples], [parts.mask or Member() for parts in samples]
    block, ends = Names(image.name for image in images).packed()
    shard = name.rpartition("/")[2]
    record = {
        "labels": labels,
        "labelled": sum(parts.labelled for parts in samples),
        "endings": dict(reading.endings),
        "skipped": [reading.skipped.count, reading.skipped.first],
        "unread": [reading.unread.count, reading.unread.first],
        "bare": [len(reading.samples) - len(samples), bare],
        "whole": whole,
    }
    return Found(
        record,
        {
            "block": block,
            "ends": ends,
            "offset": np.array([image.offset for image in images], np.int64),
            "size": np.array([image.size for image in images], np.int64),
            "mask_offset": np.array([mask.offset for mask in masks], np.int64),
            "mask_size": np.array([mask.size for mask in masks], np.int64),
            "label": np.array([number[parts.label] for parts in samples], np.int32),
            "hash": np.array([hash_of(f"{shard}/{image.name}") for image in images], np.uint32),
        },
    )
