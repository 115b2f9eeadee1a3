"""Fork servers in a folder: many ``iwm`` commands, side by side and killed at will, without an import for each."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from places import FURNITURE


def with_tiny_plugin(folder: Path, *others: str) -> dict[str, str]:
    """The environment of a process that finds the tiny plugin as pip would install it, and others, whose metadata lies in ``folder``."""
    site = folder / "site"
    for module in ("tiny_plugin", *others):
        metadata = site / f"{module}-0.dist-info"
        if not metadata.exists():
            metadata.mkdir(parents=True)
            (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.replace('_', '-')}\nVersion: 0\n")
            (metadata / "entry_points.txt").write_text(f"[iwm]\n{module} = {module}\n")
    return {**os.environ, "PYTHONPATH": f"{site}:{FURNITURE}", "OMP_NUM_THREADS": "1"}


class Ended(NamedTuple):
    """Exit status (negative: killed by that signal) and what was said."""

    status: int
    text: str


class Server:
    """One command at a time; a job that a command starts is a process of its own, which finds the tiny plugin as pip would install it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.log = folder / f"{name}.log"
        self.log.touch()
        command = [sys.executable, str(FURNITURE / "fork_server.py"), str(self.log)]
        self.process = subprocess.Popen(
            command, cwd=folder, env=with_tiny_plugin(folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pool = ThreadPoolExecutor(1)
        self.answer()

    def answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the server has ended"
        return line.strip()

    def ask(
        self, *words: str, wait: float = 0, kill_after: float | None = None, victim: str = "command", folder: Path | str = "."
    ) -> Future[Ended]:
        """Begin a command in a folder, after ``wait`` seconds; it, or its ``child``, may be killed."""
        job = {"args": words, "wait": wait, "kill_after": kill_after, "victim": victim, "folder": str(folder)}
        return self.pool.submit(self.run, job)

    def signal(self, *words: str, at: str, numbers: list[int]) -> Ended:
        """A command that is sent signals, one right after the other, once it has said a text."""
        return self.run({"args": words, "signals": numbers, "at": at})

    def run(self, job: dict[str, object]) -> Ended:
        before = self.log.stat().st_size
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        status = int(self.answer())
        return Ended(status, self.log.read_bytes()[before:].decode())


@contextmanager
def servers(folder: Path, count: int) -> Iterator[list[Server]]:
    """Some of them; they end with the context."""
    all_ = [Server(folder, f"server-{number}") for number in range(count)]
    try:
        yield all_
    finally:
        for server in all_:
            server.pool.shutdown()
            server.process.communicate(timeout=60)  # closes its standard input, at whose end it ends


def saved(run: Path) -> dict[str, bytes]:
    """The bytes of the newest checkpoint's tensors."""
    last = max((run / "checkpoints").glob("step_*"), key=lambda path: int(path.name.removeprefix("step_")))
    return {"step": last.name.encode()} | {name: (last / name).read_bytes() for name in ("model.safetensors", "optimizer.safetensors")}


def faults(run: Path, whole: Path) -> list[str]:
    """How a finished run differs from one that nothing disturbed: changed weights, lines lost or doubled, something left behind."""
    expected, found = saved(whole), saved(run)
    differ = [f"{run.name}: {name} differs" for name in expected if expected[name] != found[name]]
    steps = [[json.loads(line)["step"] for line in (path / "metrics.jsonl").read_text().splitlines()] for path in (whole, run)]
    left = [f"{run.name}: left {path}" for path in run.rglob(".*") if path.name not in (".lock", ".placing")]
    return differ + ([f"{run.name}: lines of steps {steps[1]}"] if steps[0] != steps[1] else []) + left
