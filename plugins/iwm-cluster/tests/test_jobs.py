"""Jobs: each a process of its own, several at a time where there is room; a signal reaches all of them, a failure none of the others."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
from iwm_cluster.jobs import Ended, Job, elsewhere, run_jobs

from iwm_core.interfaces.errors import UserError


@pytest.fixture
def code(monkeypatch, here):
    """Jobs are lines of Python in place of command lines of iwm."""
    monkeypatch.setattr("iwm_cluster.jobs.python", lambda module: [sys.executable, "-c"])
    return lambda *lines: [Job(str(number), [line], Path(f"{number}.log")) for number, line in enumerate(lines)]


def ends(jobs, count=1):
    return {job.name: ended for job, ended in run_jobs(jobs, [{"PLACE": str(place)} for place in range(count)])}


@pytest.mark.slow
def test_a_job_is_a_process_whose_status_is_told(code):
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert ends(code("raise SystemExit(7)", killed, "pass")) == {"0": Ended(7, 0), "1": Ended(137, 0), "2": Ended(0, 0)}


@pytest.mark.slow
def test_a_signal_is_passed_on_to_all_and_no_other_job_begins(code):
    waits = "import signal; signal.pause()"
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    stopped = Ended(128 + signal.SIGTERM, signal.SIGTERM)
    assert ends(code(waits, waits, waits), 2) == {"0": stopped, "1": stopped}


@pytest.mark.slow
def test_a_signal_that_comes_between_two_jobs_is_told_of_the_next(code):
    found = {}
    for job, ended in run_jobs(code("pass", "open('begun', 'w')", "open('begun', 'w')"), [{}]):
        found[job.name] = ended
        if job.name == "0":
            signal.raise_signal(signal.SIGTERM)
    assert found == {"0": Ended(0, 0), "1": Ended(128 + signal.SIGTERM, signal.SIGTERM)}
    assert not Path("begun").exists()


@pytest.mark.slow
def test_a_signal_after_the_last_job_acts_as_ever(code):
    with pytest.raises(KeyboardInterrupt):
        assert [signal.raise_signal(signal.SIGINT) for _ in run_jobs(code("pass"), [{}])]


@pytest.mark.slow
def test_jobs_run_at_a_time_in_places_of_their_own(code):
    """Each of the first two waits for a word of the other; the third begins once there is a place."""
    meets = "import os, time\nopen(os.environ['PLACE'], 'w')\nwhile not {'0', '1'} <= {*os.listdir()}: time.sleep(0.01)"
    begun = time.monotonic()
    told = "import os; print('here', os.environ['PLACE'])"
    assert ends(code(meets, meets, told), 2) == {"0": Ended(0, 0), "1": Ended(0, 0), "2": Ended(0, 0)}
    assert time.monotonic() - begun < 30
    assert Path("2.log").read_text() in ("here 0\n", "here 1\n")


def test_jobs_may_run_elsewhere(code):
    def there(jobs):
        for job in jobs:
            yield job, Ended(len(job.words), 0)

    with elsewhere(there):
        assert ends(code("one", "two")) == {"0": Ended(1, 0), "1": Ended(1, 0)}
    assert ends([]) == {}


def test_one_of_several_processes_starts_no_jobs(code, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="start it without torchrun"):
        ends(code("pass"))
