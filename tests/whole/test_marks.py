"""The mark `slow` is held: `marks` fails a test that starts a process without it, whichever way, or computes for long without it."""

import marks
import pytest

pytest_plugins = "pytester"

STARTS = {
    "subprocess": "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])",
    "shell": "import os; os.posix_spawn('/bin/true', ['true'], {}); os.wait()",
    "multiprocessing": "import multiprocessing as m; p = m.get_context('spawn').Process(target=print); p.start(); p.join()",
}


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
def test_a_test_that_starts_a_process_is_marked(pytester, start):
    pytester.makeini("[pytest]\nmarkers = slow")
    pytester.makepyfile(
        f"import pytest\n"
        f"@pytest.fixture\ndef given():\n    {start}\n"
        f"def test_itself():\n    {start}\n"
        f"def test_what_it_is_given(given): pass\n"
        f"@pytest.mark.slow\ndef test_marked(given): pass\n"
        f"def test_none(): pass\n"
    )
    result = pytester.runpytest_inprocess("-p", "marks", "-p", "no:xdist")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["*it starts *: mark it `slow`*"])


@pytest.mark.parametrize("slower", [1.0, 2.0])
def test_a_test_that_computes_for_long_is_marked(pytester, monkeypatch, slower):
    """Waiting is not computing, and a slower machine may take longer."""
    pytester.makeini("[pytest]\nmarkers = slow")
    pytester.makepyfile(
        "import pytest, time\n"
        "def compute():\n    begin = time.thread_time()\n    while time.thread_time() < begin + 0.3: pass\n"
        "def test_itself():\n    compute()\n"
        "@pytest.mark.slow\ndef test_marked():\n    compute()\n"
        "def test_waiting():\n    time.sleep(0.4)\n"
    )
    with monkeypatch.context() as patch:  # this test itself takes longer
        patch.setattr(marks, "MOST", 0.2)
        patch.setattr(marks, "slowness", lambda: slower)
        result = pytester.runpytest_inprocess("-p", "marks", "-p", "no:xdist")
    if slower > 1:
        return result.assert_outcomes(passed=3)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*it computes for 0.3 s, over 0.2 s: make it smaller, or mark it `slow`*"])
