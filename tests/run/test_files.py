"""Small files that several write at once, which are killed in between."""

import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from iwm_core.run.files import is_partial, write_atomically

WRITING = """
import sys
from pathlib import Path
from iwm_core.run.files import write_atomically
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    write_atomically(Path("x.json"), sys.argv[1] * 50_000)
"""

HALFWAY = """
import os, sys
from pathlib import Path
from iwm_core.run.files import write_atomically
def wait(_):
    print("writing", flush=True)
    sys.stdin.readline()
os.fsync = wait
write_atomically(Path("x.json"), "theirs")
"""


def writer(script, *words):
    return subprocess.Popen([sys.executable, "-c", script, *words], stdin=-1, stdout=-1, stderr=-1, text=True)


def partials():
    return [file for file in Path().iterdir() if is_partial(file.name, "x.json")]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_two_processes_write_one_file_at_once():
    """Neither is refused, and a reader sees the one's content or the other's, whole."""
    both = [writer(WRITING, letter) for letter in "ab"]
    for one in both:
        assert one.stdout.readline() == "ready\n"
    for one in both:
        one.stdin.write("\n")
        one.stdin.flush()
    seen = set()
    while any(one.poll() is None for one in both):
        text = Path("x.json").read_text() if Path("x.json").exists() else "a" * 50_000
        assert re.fullmatch(r"a{50000}|b{50000}", text)
        seen.add(text[0])
    assert [(one.wait(), one.communicate()[1]) for one in both] == [(0, "")] * 2
    assert seen == {"a", "b"}, "they were at it at the same time"
    assert [file.name for file in Path().iterdir()] == ["x.json"]


@pytest.mark.slow
def test_what_dead_writers_left_is_removed_and_what_living_ones_write_is_not():
    living, killed = writer(HALFWAY), writer(HALFWAY)
    for one in (living, killed):
        assert one.stdout.readline() == "writing\n"
    assert len(partials()) == 2
    killed.kill()
    killed.communicate()
    Path(".x.json.partial").write_text("of an earlier version")
    Path(".x.json.c0ffee00.partial").symlink_to("precious")
    write_atomically(Path("x.json"), "ours")
    assert Path("x.json").read_text() == "ours"
    assert sorted(file.is_symlink() for file in partials()) == [False, True], "the living one's, and a link, which nothing follows"
    assert not Path("precious").exists()
    living.communicate("\n")
    assert living.returncode == 0
    assert Path("x.json").read_text() == "theirs"


def test_threads_write_one_file_at_once():
    failed = []

    def write(letter):
        try:
            for _ in range(40):
                write_atomically(Path("x.json"), letter * 1000)
        except Exception as error:
            failed.append(error)

    threads = [Thread(target=write, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [file.name for file in Path().iterdir()] == ["x.json"]
    assert re.fullmatch(r"a+|b+|c+", Path("x.json").read_text())
