"""What a run from a stranger can put into a report, and where writing a report can be led: nowhere but the run itself."""

import base64
import io
import json
import os
import struct
import zlib
from pathlib import Path

import pytest
from iwm_report import tiles
from PIL import Image, PngImagePlugin
from report_page import report
from report_runs import HOSTILE, make_run, png

from iwm_core.cli.main import dispatch, guarded
from iwm_core.interfaces.errors import UserError
from iwm_core.run.files import refuse_links, write_atomically

SECRET = b"the secret of another place"


def bomb(width, height):
    """A PNG of a few bytes that says it is of this size."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    content = bytearray(file.getvalue())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def long_text():
    """A PNG with a comment of hundreds of megabytes, of which nearly none are in the file."""
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "x" * 70_000_000, zip=True)
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def sparse(path):
    path.touch()
    os.truncate(path, 5_000_000_000)


DAMAGES = {
    "a link": lambda path, outside: path.symlink_to(outside),
    "a hard place": lambda path, outside: path.symlink_to("/dev/zero"),
    "a pipe": lambda path, outside: os.mkfifo(path),
    "a folder": lambda path, outside: path.mkdir(),
    "words": lambda path, outside: path.write_bytes(SECRET),
    "a web page": lambda path, outside: path.write_bytes(b"<html>" + SECRET),
    "too many pixels": lambda path, outside: path.write_bytes(bomb(60_000, 60_000)),
    "many pixels": lambda path, outside: path.write_bytes(bomb(9_000, 9_000)),
    "half": lambda path, outside: path.write_bytes(outside.read_bytes()[:60]),
    "gigabytes": lambda path, outside: sparse(path),
    "a long text": lambda path, outside: path.write_bytes(long_text()),
    "another format": lambda path, outside: Image.new("RGB", (8, 8)).save(path, "TIFF"),
}


@pytest.mark.parametrize(
    ("file", "damage"), [*(("grid/00_0.png", damage) for damage in DAMAGES), ("rank_own.png", "a link"), ("rank_own.png", "words")]
)
def test_only_whole_images_of_the_run_are_shown(here, capsys, damage, file):
    path = make_run("a", charts=(), logs=False)
    outside = here / "outside.png"
    png(here, outside.name, 64)
    (path / "eval" / file).unlink()
    DAMAGES[damage](path / "eval" / file, outside)
    page = report(path)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: cannot show a/eval/{file}: ")
    assert len(line) < 200
    assert len(page.each("img")) == 4
    assert SECRET.decode() not in page.source
    assert base64.b64encode(SECRET).decode() not in page.source


def test_a_picture_is_the_one_that_was_measured(here, capsys):
    path = make_run("a", charts=(), logs=False)
    content = json.loads(Path("a/eval/rank.json").read_text())
    own = Path("a/eval/grid/00_0.png").read_bytes()
    Path("a/eval/rank.json").write_text(json.dumps(content | {"files": {"grid/00_0.png": f"{zlib.crc32(own):08x}"}}))
    report(path)
    assert not capsys.readouterr().err
    png(Path("a/eval"), "grid/00_0.png", colour=(1, 2, 3))
    report(path)
    assert "cannot show a/eval/grid/00_0.png: it is not the picture that was measured" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["../../outside.png", "/proc/self/environ", "grid/../../../outside.png", "away/outside.png", "\0", "a" * 5000]
)
@pytest.mark.parametrize("where", ["galleries", "pictures"])
def test_names_lead_nowhere_else(here, capsys, name, where):
    path = make_run("a", charts=(), logs=False)
    png(here, "outside.png")
    (path / "eval" / "away").symlink_to(here)
    file = path / "eval/rank.json"
    content = json.loads(file.read_text())
    if where == "pictures":
        content["pictures"][0]["file"] = name
    else:
        content["galleries"][0]["rows"][0]["images"][0] = name
    file.write_text(json.dumps(content))
    page = report(path)
    assert "cannot show" in capsys.readouterr().err
    assert len(page.each("img")) == 4


def test_drawings_are_drawings(here, capsys):
    path = make_run("a", charts=(), logs=False)
    file = path / "eval/rank.json"
    content = json.loads(file.read_text())
    content["pictures"] = [{"file": f"{name}.svg", "about": name} for name in ("good", "bad", "deep")]
    file.write_text(json.dumps(content))
    (path / "eval/good.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    (path / "eval/bad.svg").write_bytes(SECRET)
    (path / "eval/deep.svg").write_text('<!DOCTYPE svg [<!ENTITY a "aaaa">]><svg>&a;</svg>')
    assert guarded(lambda: dispatch(["report", "a"])) == 0
    assert (path / "report.html").read_text().count("data:image/svg+xml") == 1
    assert capsys.readouterr().err.count("cannot show") == 2


def test_all_pictures_together_have_a_bound(here, capsys, monkeypatch):
    monkeypatch.setattr(tiles, "MOST_IN_ALL", 400)
    page = report(make_run("a", charts=(), logs=False))
    assert 0 < len(page.each("img")) < 5
    assert "in all" in capsys.readouterr().err


def test_a_small_jpeg_is_told_as_one(here):
    path = make_run("a", charts=(), logs=False)
    Image.new("RGB", (8, 8)).save(path / "eval/grid/00_0.png", "JPEG")
    assert sum(source.startswith("data:image/jpeg") for source in (image["src"] for image in report(path).each("img"))) == 2


def test_the_page_asks_nobody_for_anything(here):
    page = report(make_run("a", words=HOSTILE))
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" in page.source
    assert HOSTILE not in page.source


def test_writing_is_not_led_elsewhere(here, capsys):
    path = make_run("a", charts=(), logs=False)
    for name in (".report.html.partial", "report.html"):
        (here / "mine").write_text("<!doctype html> mine")
        (path / name).unlink(missing_ok=True)
        (path / name).symlink_to(here / "mine")
        report(path)
        assert (here / "mine").read_text() == "<!doctype html> mine"
        (path / name).unlink(missing_ok=True)
    os.mkfifo(path / "pipe")
    assert guarded(lambda: dispatch(["report", "a", f"out={path}/pipe"])) == 2
    write_atomically(path / "x", "words")
    assert (path / "x").read_text() == "words"
    (path / "eval" / "linked").symlink_to(here)
    with pytest.raises(UserError, match="is a link"):
        refuse_links(Path("a/eval"), path / "eval" / "linked")
