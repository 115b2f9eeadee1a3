"""Small tar shards of WebDataset's layout for tests, and a server that gives parts of them."""

import io
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image


def picture(level: int, mode: str = "RGB") -> bytes:
    """A PNG of one grey."""
    file = io.BytesIO()
    Image.new(mode, (4, 3), level if mode == "L" else (level, level, level)).save(file, "PNG")
    return file.getvalue()


def tar_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    """A tar of files, in this order."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
    return file.getvalue()


def sample(number: int, classes: int = 3) -> list[tuple[str, bytes]]:
    """The members of a sample: an image as bright as its number, and a class."""
    return [(f"{number:06}.png", picture(number)), (f"{number:06}.cls", str(number % classes).encode())]


def write_shards(folder: Path, shards: int, each: int, name: str = "{:06}.tar", first: int = 0) -> Path:
    """Shards of samples with running numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        numbers = range(first + shard * each, first + (shard + 1) * each)
        (folder / name.format(shard)).write_bytes(tar_of(member for number in numbers for member in sample(number)))
    return folder


class Parts(SimpleHTTPRequestHandler):
    """Gives parts of files, as servers of object stores do; ``asked`` are the requests, ``broken`` how many more are refused."""

    asked: list[str]
    broken = 0

    def send_head(self):
        kind = type(self)
        kind.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        if self.command == "GET" and kind.broken > 0:
            kind.broken -= 1
            self.send_error(503)
            return None
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return None
        content = path.read_bytes()
        wanted = self.headers.get("Range")
        self.send_response(206 if wanted else 200)
        if wanted:
            first, last = wanted.removeprefix("bytes=").split("-")
            whole, content = len(content), content[int(first) : int(last or len(content)) + 1]
            self.send_header("Content-Range", f"bytes {first}-{int(first) + len(content) - 1}/{whole}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)

    def log_message(self, *_):
        pass


class Whole(SimpleHTTPRequestHandler):
    """Gives whole files alone."""

    def log_message(self, *_):
        pass


@contextmanager
def served(folder: Path, handler: type = Parts) -> Iterator[tuple[str, type]]:
    """The address of a folder on the loopback interface, and what answers there."""
    own = type("Own", (handler,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(own, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", own
    finally:
        server.shutdown()
        server.server_close()


def refusal(open_it) -> str:
    """The one short line by which opening is refused."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        open_it()
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    return line
