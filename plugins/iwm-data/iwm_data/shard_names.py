"""Which shards belong to which split, by the names that the user gives.

Decisions:
- Names are a folder, a file, a pattern with stars, or braces as WebDataset's users write them: ``{0000..0010}``, ``{a,b}``.
- A split's word anywhere in a shard's name, or its folder's, says to which it belongs (``imagenet-train-0001.tar``, ``val/0001.tar``).
  Where no shard has one, all are trained on. Where some have one, those without would be either: they are refused.
- Shards that are named for validation are not trained on, if the names for training cover them, too.
"""

import glob
import itertools
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import fsspec

from iwm_data.places import Here, Place, is_url, place_of, reached
from iwm_data.splits import FORMS, SPLIT_OF, listed, looked_for, named_as
from iwm_data.walk import entries, is_folder

MOST_SHARDS = 1_000_000
COMPRESSED = re.compile(r"\.(tar\.(gz|bz2?|xz|zst|lz4|lzma|z|br)|tgz|tbz2?|txz|tzst)$", re.IGNORECASE)
WILD = re.compile(r"[*?\[]")
BRACES = re.compile(r"\{([^{}]*)\}")


def split_shards(path: str, validation: str | None) -> tuple[list[Place], list[Place] | None, tuple[str, ...]]:
    """The shards to train on, those to validate on (None: images are held out), and what is to be told.

    Raises:
        ValueError: there are none, or to which split some belong cannot be known.
    """
    found = shards_named(path, "data.path")
    if validation is not None:
        held = shards_named(validation, "data.validation_path")
        train = [one for one in found if one not in held]
        if not train:
            raise ValueError("data.validation_path names all shards of data.path, and none is left to train on: name others")
        check_apart(train, held)
        both = len(found) - len(train)
        return train, held, (f"{both} shards of data.path are also in data.validation_path, and are not trained on",) if both else ()
    words = {one: word_in(one.name) for one in found}
    train_word, held_word = (named_as(split, [*dict.fromkeys(filter(None, words.values()))], "rename the shards") for split in FORMS)
    unnamed = [one.name for one in found if words[one] is None]
    if held_word is None and train_word is None:
        return found, None, ()
    fix = "say which are which: \"data.path='…/{0000..0099}.tar'\" \"data.validation_path='…/{0100..0109}.tar'\""
    if unnamed:
        raise ValueError(f"{unnamed[0]} has none of the words {train_word or 'train'} and {held_word or 'validation'} in its name: {fix}")
    if train_word is None:
        raise ValueError(f"all shards of {path} are named {held_word}, and none train: {fix}")
    train, held = ([one for one in found if words[one] == word] for word in (train_word, held_word))
    if held_word is None:
        return train, None, ()
    check_apart(train, held)
    return train, held, ()


def shards_named(path: str, field: str) -> list[Place]:
    """The shards that a field of the recipe names, each once: by name in a folder, in their order in braces.

    Raises:
        ValueError: there are none, a compressed one, or one that is not there.
    """
    names: list[str] = []
    for one in expanded(path, field):
        names += remote_names(one) if is_url(one) else local_names(str(Path(one).expanduser()), field)
    names = [*dict.fromkeys(names)]
    if packed := next((name for name in names if COMPRESSED.search(name)), None):
        raise ValueError(f"{packed} is compressed, so that no image in it can be read by itself: unpack it, and name plain .tar files")
    if not names:
        raise ValueError(f"{path} holds no .tar file: check {field} (for image files choose data=folder, for parquet data=hub)")
    return [place_of(name) for name in names]


def local_names(path: str, field: str) -> list[str]:
    """Shards of this machine: a file's, those in a folder and in its folders named as splits, or those that fit a pattern."""
    if os.path.isdir(path):  # noqa: PTH112
        there = entries(path)
        below = [name for one in there if is_folder(one) and one.name.casefold() in SPLIT_OF for name in local_names(one.path, field)]
        return [one.path for one in there if is_shard(one.name)] + below
    if not os.path.exists(path) and WILD.search(path):  # noqa: PTH110
        return [name for name in sorted(glob.glob(path)) if is_shard(name)]  # noqa: PTH207
    if not os.path.exists(path):  # noqa: PTH110
        raise ValueError(f"there is no file or folder {looked_for(path)}: check {field}")
    return [path]


def remote_names(url: str) -> list[str]:
    """The same elsewhere."""

    def asked(ask: Callable[[Any, str], Any]) -> Any:
        return reached(lambda: ask(*fsspec.core.url_to_fs(url)), url)

    plain = url.partition("?")[0]
    if is_shard(plain) and not WILD.search(plain):
        return [url]
    found = asked(lambda system, path: system.glob(path) if WILD.search(path) else system.ls(path, detail=False))
    return asked(lambda system, _: [system.unstrip_protocol(name) for name in sorted(found) if is_shard(name)])


def is_shard(name: str) -> bool:
    """Whether a file is a tar by its name, or a compressed one, which is refused later."""
    return name.lower().endswith(".tar") or bool(COMPRESSED.search(name))


def expanded(text: str, field: str) -> Iterator[str]:
    """The names that braces stand for, as a shell reads them.

    Raises:
        ValueError: they stand for more than `MOST_SHARDS`, or are not closed.
    """
    choices, plain, at = list[Sequence[str]](), list[str](), 0
    for found in BRACES.finditer(text):
        plain.append(text[at : found.start()])
        choices.append(alternatives(found[1], field))
        at = found.end()
    plain.append(text[at:])
    if any("{" in part or "}" in part for part in plain):
        raise ValueError(f"{field}={text}: the braces are not closed, or stand in braces: write {{0000..0010}} or {{a,b}}")
    if math.prod(map(len, choices)) > MOST_SHARDS:
        raise ValueError(f"{field}={text} stands for more than {MOST_SHARDS:,} shards: check the numbers in braces")
    for chosen in itertools.product(*choices):
        yield "".join(itertools.chain.from_iterable(zip(plain, (*chosen, ""), strict=True)))


class Numbers(Sequence[str]):
    """``0000..0010`` as its numbers, of as many digits, which are not listed before they are counted."""

    def __init__(self, first: str, last: str, step: int) -> None:
        low, high = int(first), int(last)
        self.numbers = range(low, high + 1, step) if low <= high else range(low, high - 1, -step)
        self.digits = max(map(len, (first, last))) if "0" in (first[0], last[0]) else 0

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        return f"{self.numbers[index]:0{self.digits}}"


def alternatives(inside: str, field: str) -> Sequence[str]:
    """What is within a pair of braces.

    Raises:
        ValueError: neither numbers nor a choice.
    """
    if found := re.fullmatch(r"(\d{1,18})\.\.(\d{1,18})(?:\.\.(\d{1,18}))?", inside):
        return Numbers(found[1], found[2], max(int(found[3] or 1), 1))
    if "," not in inside:
        raise ValueError(f"{field}: {{{inside}}} is neither numbers, such as {{0000..0010}}, nor a choice, such as {{a,b}}")
    return inside.split(",")


def word_in(name: str) -> str | None:
    """The word of a split in a shard's name, or in its folder's."""
    folder, _, file = name.rpartition("/")
    words = [*re.split(r"[^A-Za-z]+", file.partition(".")[0]), folder.rpartition("/")[2]]
    return next((word for word in words if word.casefold() in SPLIT_OF), None)


def check_apart(train: Sequence[Place], held: Sequence[Place]) -> None:
    """Refuse a shard that both splits have by a link.

    Raises:
        ValueError: there is one.
    """
    seen: dict[tuple[int, int], str] = {}
    for place in train:
        if isinstance(place, Here) and (which := which_file(place)):
            seen[which] = place.name
    again = [(place.name, seen[which]) for place in held if isinstance(place, Here) and (which := which_file(place)) in seen]
    if again:
        raise ValueError(f"{listed(['{} is {}'.format(*pair) for pair in again])}, by a link: validate on images that are not trained on")


def which_file(place: Place) -> tuple[int, int] | None:
    """Which file a name leads to; None: to none."""
    try:
        status = os.stat(place.name)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino
