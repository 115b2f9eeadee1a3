"""What is read back from a run is understood, or refused by the name of the file; nothing hangs, grows without bounds or is resolved."""

import contextlib
import json
import os
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from iwm_core.recipe.shapes import NAME, Name, fitting
from iwm_core.run.files import append, write_record
from iwm_core.run.plain import plain_yaml, written_yaml
from iwm_core.run.stored import Damaged, checksum_of_file, read_log, read_record, read_text, sealed


class Point(NamedTuple):
    x: float
    label: str = ""


class Told(TypedDict):
    step: int
    points: NotRequired[list[Point]]


@dataclass
class Kept:
    kind: Literal["a", "b"]
    by_name: dict[Name, int] = field(default_factory=dict)


def test_records_become_instances(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"step": 3, "points": [{"x": 1}, {"x": null, "label": "l"}], "of a later version": {}}')
    told = read_record(path, Told)
    assert told["step"] == 3
    assert told["points"][0] == Point(1.0)
    assert told["points"][1].x != told["points"][1].x
    assert fitting({"kind": "b", "by_name": {"k": 2}}, Kept) == Kept("b", {"k": 2})
    assert fitting([1, "a", None], list[int | str | None]) == [1, "a", None]
    assert fitting(["a"], tuple[str, ...]) == ("a",)
    assert fitting("a/b", Path) == Path("a/b")


@pytest.mark.parametrize(
    ("value", "shape", "problem"),
    [
        ({}, Told, "it lacks step"),
        ([], Told, "it is a list, not a mapping"),
        ({"step": True}, Told, "step is a truth value, not an integer"),
        ({"step": 1.0}, Told, "step is a number, not an integer"),
        ({"step": 1, "points": [{"x": "1"}]}, Told, "points[0].x is a text, not a number"),
        ({"step": 1, "points": {"0": 1}}, Told, "points is a mapping, not a list"),
        ([{}], tuple[Path, ...], "[0] is a mapping, not a text"),
        ({"kind": "c"}, Kept, "kind is a text, not one of a, b"),
        ({"kind": "a", "by_name": {"../x": 1}}, Kept, "the key '../x' is not a name"),
        (None, str, "it is null, not a text"),
        (10**400, float, "it is an integer, not a number"),
        ("x", int | None, "it is a text, not an integer"),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(value, shape, problem):
    with pytest.raises(ValueError, match=".*") as caught:
        fitting(value, shape)
    assert problem in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(anything)
def test_any_value_fits_or_is_refused(value):
    for shape in (Told, Kept, Point, list[Point], dict[Name, float], int, str | list[int] | None):
        with contextlib.suppress(ValueError):
            fitting(value, shape)


@given(st.binary(max_size=60))
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"&a [*a, *a]")
@example(b"{a: &x [1, 2], b: [*x, *x]}")
@example(b"9" * 10_000)
@example(b'{"step": 1e999}')
@example(b"\xff\xfe{\x00")
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    folder = tmp_path_factory.getbasetemp() / "any"
    folder.mkdir(exist_ok=True)
    for name in ("a.json", "a.yaml"):
        (folder / name).write_bytes(content)
        told = ""
        try:
            read_record(folder / name, dict[Name, Any])
        except Damaged as error:
            told = str(error)
        assert not told or told.startswith(f"{folder / name} is ")
        assert "\n" not in told
        assert len(told) < 300 + len(str(folder))


@given(st.dictionaries(st.text(max_size=5), anything, max_size=4), st.data())
def test_a_flipped_bit_is_found(tmp_path_factory, content, data):
    path = tmp_path_factory.getbasetemp() / "flipped.json"
    path.write_text(json.dumps(sealed({**content, "step": 1}), indent=1))
    assert read_record(path, dict[str, Any])["step"] == 1
    whole = bytearray(path.read_bytes())
    before = read_record(path, dict[str, Any])
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[place // 8] ^= 1 << place % 8
    path.write_bytes(whole)
    try:
        found = read_record(path, dict[str, Any])
    except Damaged:
        return
    del before["checksum"], found[next(reversed(found))]  # the flip was in the word "checksum", and nothing else is harmed
    assert repr(found) == repr(before)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_record_tells_whose_it_is(tmp_path, name):
    """As far as both tell: runs of earlier versions do not, nor does a config.yaml that was edited on purpose."""
    config, path = tmp_path / "config.yaml", tmp_path / name

    def read():
        return read_record(path, dict[str, Any], config=config) if name == "a.json" else read_log(path, dict[str, Any], config).records[0]

    config.write_text("a: 1\n")
    write_record(path, {"step": 1}, config) if name == "a.json" else append(path, {"step": 1}, {"step": 2})
    assert read()["step"] == 1
    config.write_text("a: 1\nchecksum: '0000000f'\n")
    assert read()["step"] == 1
    path.unlink()
    write_record(path, {"step": 1}, config) if name == "a.json" else append(path, {"step": 1}, {"step": 2})
    assert read()["config"] == "0000000f"
    config.write_text("a: 2\nchecksum: '0000000e'\n")
    with pytest.raises(Damaged, match=rf"{name} is of another recipe than .*config\.yaml"):
        read()
    config.write_text("a: 2\n")
    assert read()["step"] == 1


@pytest.mark.parametrize("kind", ["missing", "directory", "link", "link to nowhere", "fifo", "socket", "device", "below a file", "huge"])
def test_only_a_regular_file_is_read_and_none_is_waited_for(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path = tmp_path / "a.json"
    if kind == "directory":
        path.mkdir()
    elif kind.startswith("link"):
        (tmp_path / "whole.json").write_text("{}")
        path.symlink_to(tmp_path / ("whole.json" if kind == "link" else "nowhere"))
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("a.json")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "below a file":
        path.write_text("{}")
        path = path / "b.json"
    elif kind == "huge":
        path.touch()
        os.truncate(path, 1 << 40)
    began = time.perf_counter()
    with pytest.raises(Damaged, match="; do this$") as caught:
        read_record(path, dict[str, Any], "do this")
    assert str(path) in str(caught.value)
    assert time.perf_counter() - began < 5
    if kind != "huge":
        with pytest.raises(Damaged, match="; do this$"):
            checksum_of_file(path, "do this")


def test_aliases_do_not_grow(tmp_path):
    path = tmp_path / "config.yaml"
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    path.write_text(bomb)
    began = time.perf_counter()
    with pytest.raises(Damaged, match=r"is damaged \(it holds an alias, \*a0\)"):
        read_record(path, dict[Name, Any])
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "text",
    ["a: ${oc.env:HOME}", "a: [x, {b: 'y${c}'}]", "a: !!python/name:os.system", "a: !x 1", "? [1]\n: 2", "1: 2", "a/b: 1", "..: 1", "- 1"],
)
def test_a_config_is_plain_data(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(Damaged, match=r"config.yaml is damaged \("):
        read_record(tmp_path / "config.yaml", dict[Name, Any])


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
).filter(lambda value: not isinstance(value, str) or "${" not in value)
names = st.from_regex(NAME, fullmatch=True).map(lambda name: name[:12])


@given(st.dictionaries(names, scalars | st.lists(scalars, max_size=3) | st.dictionaries(names, scalars, max_size=3), max_size=5))
@example(
    {"a": "1e-3", "b": "2020-01-01", "c": "1:30", "d": 1e-3, "e": "on", "f": "0x1f", "g": "~", "h": "=", "i": "<<", "j": ".5", "k": 1e22}
)
def test_what_omegaconf_writes_is_read_as_it_was(content):
    assert plain_yaml(OmegaConf.to_yaml(OmegaConf.create(content))) == content


@pytest.mark.parametrize(
    "text", ["a: 1e-3", "a: 1.5e3", "a: .5", "a: 1_000.5", "a: -2", "a: .inf", "a: 2020-01-01", "a: 1.", "a: on", "a: 0x1f", "a: .5e-2"]
)
def test_what_people_write_is_read_as_omegaconf_reads_it(text):
    assert plain_yaml(text) == OmegaConf.to_container(OmegaConf.create(text))


def test_a_text_is_of_bounded_size(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("a: 1\n" + "#" * (1 << 20))
    with pytest.raises(Damaged, match="larger than the 1 MiB"):
        read_text(path)


@given(
    st.text().filter(lambda text: "${" not in text) | st.sampled_from(["5523e104", "12345678", "1e5", "0x1f", "yes", "2026-01-01", "~", ""])
)
def test_any_text_is_read_back_from_yaml(text):
    """A checksum of eight digits with an ``e`` among them was read as a number, in one of seventy records."""
    assert plain_yaml(written_yaml({"checksum": text, "words": [text]})) == {"checksum": text, "words": [text]}
