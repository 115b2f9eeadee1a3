"""Holds the mark `slow` honest: a test that starts a process, itself or by what it is given, or computes for long, is marked, or it fails.

Decisions:
- Python's audit events tell of every program that is started, whoever asks for it; of multiprocessing's they do not, which `spawn` notes.
- A fork is no start: data workers need no imports, and are there in a moment.
- Nor is a run's question for the commit, or Python's for the machine (`QUICK`).
- How long a test computes is the time that its thread had a processor, with any number of threads. The bound is far above what such a test
  takes, as the first that needs a library also imports it; and it is longer where a processor is slower, or is shared with other machines.
"""

import os
import sys
import time
from multiprocessing import util
from pathlib import Path

import pytest

QUICK = ("git", "uname")
MOST = 8.0
"""Seconds of one processor that a test without the mark may compute, where it is as fast as `LOOP` says."""
LOOP = 0.025
"""Seconds in which that processor counts to half a million."""
started: list[str] = []


def note(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("subprocess.Popen", "os.posix_spawn") and arguments[0] not in QUICK:
        started.append(Path(str(arguments[0])).name)


def spawn(path, arguments, handed_on, spawned=util.spawnv_passfds):
    if not any("resource_tracker" in str(argument) for argument in arguments):
        started.append(Path(os.fsdecode(path)).name)
    return spawned(path, arguments, handed_on)


sys.addaudithook(note)
util.spawnv_passfds = spawn


def slowness() -> float:
    """How many times as long as that processor this one takes now; it may be another a moment later, so the slowest of a few times."""
    taken = []
    for _ in range(5):
        begin = time.thread_time()
        for number in range(500_000):
            number * number
        taken.append(time.thread_time() - begin)
    return max(1.0, max(taken) / LOOP)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    started.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    begin = time.thread_time()
    result = yield
    seconds = time.thread_time() - begin
    if item.get_closest_marker("slow") is not None:
        return result
    if started:
        pytest.fail(f"it starts {started[0]}: mark it `slow`, as what `pytest -m 'not slow'` leaves out starts processes", pytrace=False)
    if seconds > MOST and seconds > MOST * slowness():
        pytest.fail(f"it computes for {seconds:.1f} s, over {MOST:g} s: make it smaller, or mark it `slow`", pytrace=False)
    return result
