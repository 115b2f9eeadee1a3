"""Holds the mark `slow` honest: a test that starts a process, itself or by what it is given, is marked, or it fails.

Decisions:
- Python's audit events tell of every program that is started, whoever asks for it; of multiprocessing's they do not, which `spawn` notes.
- A fork is no start: data workers need no imports, and are there in a moment.
- Nor is a run's question for the commit, or Python's for the machine (`QUICK`).
"""

import os
import sys
from multiprocessing import util
from pathlib import Path

import pytest

QUICK = ("git", "uname")
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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    started.clear()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    result = yield
    if started and item.get_closest_marker("slow") is None:
        pytest.fail(f"it starts {started[0]}: mark it `slow`, as what `pytest -m 'not slow'` leaves out starts processes", pytrace=False)
    return result
