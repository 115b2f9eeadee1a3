"""``iwm watch``: the report of runs while they train, as a page on this machine that keeps itself up to date.

Decisions:
- It is the report, drawn again when a run's files have changed: what one looks at during training and after it is one page.
- It disturbs nobody: it only reads, takes no lock, computes for at most `SHARE` of the time, behind other processes, and
  only while a browser asks.
- The page asks nobody but this server, which listens at 127.0.0.1 alone and answers to no other name: a page from elsewhere whose host
  name leads here cannot read it.
- A run may go: what was deleted, or cannot be read meanwhile, is said in its place, and shown again once it is back.
"""

import errno
import hashlib
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, NamedTuple

from iwm_core.interfaces.errors import UserError
from iwm_core.plugins.advice import advise
from iwm_core.plugins.sources import fetched
from iwm_core.process.shown import tell
from iwm_core.run.directory import is_run
from iwm_report.added import OwnPage
from iwm_report.naming import label_runs
from iwm_report.run_record import RunRecord, read_run
from iwm_report.standing import signature
from iwm_report.verbs import Watch

HOST = "127.0.0.1"
NAMES = ("127.0.0.1", "localhost")
"""What a browser of this machine calls it, also at the end of an SSH tunnel."""
SHARE = 0.1
LEAST = 1.0  # seconds between two looks


class Shown(NamedTuple):
    """A page, and what tells it from others."""

    content: bytes
    tag: str


class Watched:
    """The page of some runs, as new as it may be."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths, self.labels = paths, label_runs(paths)
        self.seen: list[Any] | None = None
        self.due, self.shown, self.drawing = 0.0, Shown(b"", ""), Lock()

    def page(self) -> Shown:
        """The page; drawn again where a run has changed, and the last drawing is long enough ago."""
        with self.drawing:
            if time.monotonic() >= self.due:
                begun = time.thread_time()
                seen = [signature(path) for path in self.paths]  # before it is read: what changes meanwhile is news again
                if seen != self.seen:
                    tag = f'"{hashlib.sha256(repr(seen).encode()).hexdigest()[:16]}"'
                    self.seen, self.shown = seen, Shown(self.draw(tag).encode(), tag)
                self.due = time.monotonic() + max(LEAST, (time.thread_time() - begun) / SHARE)
            return self.shown

    def draw(self, tag: str) -> str:
        """The report of the runs that can be read, with a line for each other."""
        from iwm_report.plugin_page import render_own
        from iwm_report.runs_page import render_runs  # loads matplotlib, which takes a second

        runs: list[RunRecord] = []
        gone: list[str] = []
        for path, label in zip(self.paths, self.labels, strict=True):
            try:
                runs.append(read_run(path, label))
            except (UserError, OSError) as error:
                gone.append(f"{label} cannot be read now: {error}")
        if not runs:
            return render_own(OwnPage(title="Nothing to watch", heading="Nothing to watch", notes=gone), tag)
        return render_runs(runs, lambda items, *_: items, tag, gone)[0]


class Handler(BaseHTTPRequestHandler):
    """Answers one browser."""

    watched: ClassVar[Watched]
    timeout = 10
    server_version, sys_version = "iwm", ""

    def do_GET(self) -> None:
        """The page, or that it is the one that the browser has."""
        name = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if name not in NAMES:
            self.answer(403, b"iwm watch is read at 127.0.0.1 alone")
        elif self.path != "/":
            self.answer(404, b"iwm watch has one page: /")
        else:
            shown = self.watched.page()
            same = self.headers.get("If-None-Match") == shown.tag
            self.answer(304 if same else 200, b"" if same else shown.content, ETag=shown.tag)

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        """Send an answer that no browser keeps, and no other page may frame or read."""
        fixed = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}
        about = {"Content-Type": f"text/{'html' if status == 200 else 'plain'}; charset=utf-8", "Content-Length": str(len(content))}
        self.send_response(status)
        for key, value in {**fixed, **about, "Cross-Origin-Resource-Policy": "same-origin", **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is said of requests."""


class Server(ThreadingHTTPServer):
    """Ends whatever is asked of it meanwhile, and says nothing of a browser that leaves."""

    daemon_threads, block_on_close = True, False

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys

        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def read_runs(words: list[str]) -> list[Path]:
    """The runs that a command line names.

    Raises:
        UserError: it names none, or something else.
    """
    paths = [Path(fetched(word)) for word in words]
    if not paths:
        raise UserError("say which runs: iwm watch RUN [RUN …]")
    for path in paths:
        if not is_run(path):
            advise("explain_run", str(path))
            raise UserError(f"{path} is not a run")
    return paths


def serve(paths: list[Path], port: int) -> Server:
    """A server of the page of some runs, which listens from now on.

    Raises:
        UserError: the port cannot be had, or a run is given twice.
    """
    handler = type("OwnHandler", (Handler,), {"watched": Watched(paths)})
    try:
        return Server((HOST, port), handler)
    except OSError as error:
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise UserError(f"port {port} {why}; name another, or --port 0 for any that is free") from error


def run_watch(words: list[str], given: Watch) -> int:
    """``iwm watch``: serve the page until Ctrl-C."""
    with serve(read_runs(words), given.port) as server:
        tell(f"http://{HOST}:{server.server_port}/")
        tell("open it in a browser; Ctrl-C ends it")
        os.nice(5)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            tell("")  # below the ^C of the terminal
    return 0
